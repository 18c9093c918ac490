"""Many searches by `msearch`, at a bounded load, tried again where that can help."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from elastic_transport import ConnectionTimeout
from elasticsearch import ApiError, Elasticsearch

from relevance_eval.errors import RequestError, ServerError, UnreachableError
from relevance_eval.plugin.rankers import OURS
from relevance_eval.plugin.server import reason_of, translated, words_of

__all__ = [
    "KEEP_ALIVE",
    "Load",
    "Response",
    "failure_of",
    "framed",
    "problem_of",
    "search_all",
    "search_in_turn",
    "tried",
]

LOG = logging.getLogger(__name__)
RETRIED = {429, 502, 503, 504}
BUSY = 503
NO_ANSWER = 504
WRONG = 400
LONGEST_PAUSE = 30.0
"""Seconds; doubled further, a pause would outlast the point in time."""

T = TypeVar("T")
Body = Mapping[str, Any]
Response = Mapping[str, Any]
"""A search response; one that failed has `status` and `error`."""


KEEP_ALIVE = "5m"
"""How long the server keeps a point in time after the last search under it."""


@dataclass(frozen=True)
class Load:
    """How much is asked of the cluster at once.

    Attributes:
        batch: searches in one request, 1 or more.
        in_flight: requests at a time, 1 or more.
        retries: further tries after 429, 502, 503, 504 or a time-out, 0 or more.
        pause: seconds before the first retry, doubled before each further one; 30 at most.
    """

    batch: int = 20
    in_flight: int = 2
    retries: int = 4
    pause: float = 0.5


def framed(body: Mapping[str, Any], pit: str, k: int) -> dict[str, Any]:
    """The body with the keys that are ours, whatever a template stored on the server says of them.

    A document is found by many searches: its text is fetched once, later.
    """
    return {
        **{key: value for key, value in body.items() if key not in OURS},
        "pit": {"id": pit, "keep_alive": KEEP_ALIVE},
        "size": k,
        "_source": False,
        "track_total_hits": False,
    }


def search_all(
    client: Elasticsearch,
    bodies: Sequence[Body],
    load: Load,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    whole: bool = False,
) -> list[Response]:
    """The response to each body, in order; a search that failed for good is among them.

    Args:
        whole: a response that misses hits has failed, as one of a busy server has; it is kept as
            it is otherwise, and `problem_of` tells.

    Raises:
        UnreachableError: nothing answers any more.
        AuthenticationError: the whole request is refused.
    """
    responses: list[Response] = [{}] * len(bodies)
    done = 0
    with ThreadPoolExecutor(load.in_flight) as threads:
        starts = range(0, len(bodies), load.batch)
        sent = {
            threads.submit(search_batch, client, bodies[s : s + load.batch], load, whole): s
            for s in starts
        }
        try:
            for future in as_completed(sent):
                answers = future.result()
                responses[sent[future] : sent[future] + len(answers)] = answers
                done += len(answers)
                progress(done, len(bodies))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return responses


def search_in_turn(client: Elasticsearch, bodies: Sequence[Body], load: Load) -> Iterator[Response]:
    """The response to each body, in order and whole, as `search_all` gives it, for large responses.

    Each search is a request of its own, and only as many responses are held as there are requests
    in flight: of long texts, a batch could take longer than a request may, and all of them more
    memory than there is.
    """
    alone = replace(load, batch=1)
    for start in range(0, len(bodies), load.in_flight):
        yield from search_all(client, bodies[start : start + load.in_flight], alone, whole=True)


def search_batch(
    client: Elasticsearch, bodies: Sequence[Body], load: Load, whole: bool
) -> list[Response]:
    """Sends the batch, then again only those of its searches that may succeed the next time."""
    responses = send(client, bodies, whole)
    for pause in pauses(load):
        again = [i for i, r in enumerate(responses) if r.get("status") in RETRIED]
        if not again:
            break
        status = responses[again[0]]["status"]
        LOG.info("searching %d again after status %s, in %g s", len(again), status, pause)
        time.sleep(pause)
        for i, response in zip(again, send(client, [bodies[i] for i in again], whole), strict=True):
            responses[i] = response
    return responses


def tried(request: Callable[[], T], load: Load) -> T:
    """What a request of another kind than a search gives, sent again where that can help.

    Raises what the client raises, the last time.
    """
    for pause in pauses(load):
        try:
            return request()
        except ConnectionTimeout:
            status = NO_ANSWER
        except ApiError as error:
            if error.status_code not in RETRIED:
                raise
            status = error.status_code
        LOG.info("asking again after status %s, in %g s", status, pause)
        time.sleep(pause)
    return request()


def pauses(load: Load) -> Iterator[float]:
    return (min(load.pause * 2**attempt, LONGEST_PAUSE) for attempt in range(load.retries))


def send(client: Elasticsearch, bodies: Sequence[Body], whole: bool) -> list[Response]:
    """One request. Where it fails as a whole, but not for good, so does each search in it."""
    header: Body = {}
    lines = [line for body in bodies for line in (header, body)]
    with translated("searching"):
        try:
            answers: list[Response] = list(client.msearch(searches=lines)["responses"])
            return [checked(answer) for answer in answers] if whole else answers
        except ConnectionTimeout:
            failure = {"status": NO_ANSWER, "error": {"reason": "no answer in time"}}
        except ApiError as error:
            if error.status_code == WRONG and len(bodies) > 1:
                # One body that cannot be parsed fails the request: asked apart, only itself.
                return [answer for body in bodies for answer in send(client, [body], whole)]
            if error.status_code not in RETRIED | {WRONG}:
                raise
            reason = words_of(error)
            failure = {"status": error.status_code, "error": {"reason": reason}}
    return [failure] * len(bodies)


def checked(response: Response) -> Response:
    """The response, or a failure that may pass in its place if hits may be missing from it."""
    problem = None if "error" in response else problem_of(response)
    return {"status": BUSY, "error": {"reason": problem}} if problem else response


def problem_of(response: Response) -> str | None:
    """Why hits may be missing from a response without an error, or None."""
    shards = response["_shards"]
    if shards.get("failed"):
        failures: list[Any] = shards.get("failures") or []
        reason = failures[0]["reason"]["reason"] if failures else "no reason given"
        return f"{shards['failed']} of {shards['total']} shards failed: {reason}"
    return "timed out on the server; hits may be missing" if response["timed_out"] else None


def failure_of(response: Response, where: str) -> ServerError:
    """The error of a search that failed for good, where nobody can go on without it."""
    status, reason = response.get("status"), reason_of(response)
    if status == WRONG:
        return RequestError(reason, where=where)
    if status == NO_ANSWER:
        remedy = "raise timeout in [elasticsearch], or try again later"
        return UnreachableError(reason, where=where, remedy=remedy)
    return ServerError(f"{status}: {reason}", where=where)
