"""Many searches against a server that is busy, breaks off or refuses."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import AuthenticationError, UnreachableError
from relevance_eval.plugin.searches import (
    Load,
    Response,
    framed,
    pauses,
    search_all,
    search_in_turn,
)

Complains = Callable[..., Any]
Serve = Callable[..., str]
Reply = tuple[int, Mapping[str, str], bytes]

PRODUCT = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
AT_ONCE = Load(batch=2, in_flight=1, retries=3, pause=0)


def bodies_in(body: bytes) -> list[Any]:
    """The search bodies of an msearch request, without their headers."""
    return [json.loads(line) for line in body.splitlines()][1::2]


def answered(responses: Sequence[Mapping[str, Any]]) -> Reply:
    return 200, PRODUCT, json.dumps({"took": 1, "responses": responses}).encode()


def echo(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
    """Each search is answered by its own body."""
    return answered([{"status": 200, "body": b} for b in bodies_in(body)])


def busy(status: int) -> Reply:
    reason = {"error": {"type": "busy", "reason": "try later"}, "status": status}
    return status, PRODUCT, json.dumps(reason).encode()


Clients = Callable[..., Elasticsearch]


def search(
    client: Elasticsearch, count: int, load: Load = AT_ONCE, seen: list[Any] | None = None
) -> list[Response]:
    def progress(done: int, total: int) -> None:
        if seen is not None:
            seen.append((done, total))

    return search_all(client, [{"n": n} for n in range(count)], load, progress)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(
    serve: Serve, client_of: Clients, make_index: Callable[..., str], node_url: str, status: int
) -> None:
    """Twice it is busy, then the real node answers."""
    index = make_index({"a": {"title": "vpn"}})
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        asked.append(request.path)
        if len(asked) <= 2:
            return busy(status)
        headers = {k: request.headers[k] for k in ("Accept", "Content-Type")}
        passed = urllib.request.Request(node_url + request.path, body, headers, method="POST")
        with urllib.request.urlopen(passed, timeout=60) as found:
            return (
                found.status,
                {**PRODUCT, "Content-Type": found.headers["Content-Type"]},
                (found.read()),
            )

    wanted = {"query": {"bool": {"filter": [{"term": {"_index": index}}]}}}
    (response,) = search_all(client_of(serve(answer)), [wanted], AT_ONCE, lambda done, total: None)
    assert [hit["_id"] for hit in response["hits"]["hits"]] == ["a"]
    assert len(asked) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_only_the_searches_that_may_succeed_are_sent_again(
    serve: Serve, client_of: Clients, status: int
) -> None:
    sent: list[list[int]] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        numbers = [b["n"] for b in bodies_in(body)]
        sent.append(numbers)
        wrong = {"status": 400, "error": {"reason": "wrong"}}
        late = {"status": status, "error": {"reason": "busy"}}
        fine = [{"status": 200, "n": n} for n in numbers]
        first = [wrong if n == 0 else late if n == 2 else f for n, f in enumerate(fine)]
        return answered(first if len(sent) == 1 else fine)

    responses = search(client_of(serve(answer)), 4, Load(batch=4, retries=2, pause=0))
    assert sent == [[0, 1, 2, 3], [2]]
    assert [r.get("n") for r in responses] == [None, 1, 2, 3]
    assert responses[0]["error"] == {"reason": "wrong"}


def test_a_server_that_stays_busy_fails_each_search(serve: Serve, client_of: Clients) -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        asked.append(request.path)
        return busy(503)

    responses = search(client_of(serve(answer)), 2, Load(retries=2, pause=0))
    assert [(r["status"], r["error"]["reason"]) for r in responses] == [(503, "try later")] * 2
    assert len(asked) == 3


def test_an_answer_that_comes_too_late_is_asked_for_again(serve: Serve, client_of: Clients) -> None:
    asked: list[str] = []
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        asked.append(request.path)
        if len(asked) == 1:
            over.wait(60)
        return echo(request, body)

    try:
        (response,) = search(client_of(serve(answer), timeout=1), 1)
    finally:
        over.set()
    assert response["body"] == {"n": 0}
    assert len(asked) > 1


def test_a_server_that_never_answers_fails_each_search(serve: Serve, client_of: Clients) -> None:
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        over.wait(60)
        return 204, {}, b""

    try:
        responses = search(client_of(serve(answer), timeout=0.2), 2, Load(retries=1, pause=0))
    finally:
        over.set()
    assert [(r["status"], r["error"]["reason"]) for r in responses] == [
        (504, "no answer in time")
    ] * 2


def test_one_wrong_body_fails_alone(serve: Serve, client_of: Clients) -> None:
    """As a server does that cannot parse one body of a request, and so refuses it as a whole."""

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        wrong = any(b["n"] == 1 for b in bodies_in(body))
        return busy(400) if wrong else echo(request, body)

    responses = search(client_of(serve(answer)), 4)
    assert [r["status"] for r in responses] == [200, 400, 200, 200]
    assert responses[1]["error"]["reason"] == "try later"


def test_pauses_double(serve: Serve, client_of: Clients) -> None:
    """Lower bounds only: a slow machine waits longer."""
    moments: list[float] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        moments.append(time.monotonic())
        return busy(429)

    search(client_of(serve(answer)), 1, Load(retries=3, pause=0.05))
    waits = [later - earlier for earlier, later in pairwise(moments)]
    assert len(waits) == 3
    assert all(wait >= least for wait, least in zip(waits, (0.05, 0.1, 0.2), strict=True))


def test_no_pause_outlasts_a_point_in_time() -> None:
    assert list(pauses(Load(retries=6, pause=4))) == [4, 8, 16, 30, 30, 30]


def test_a_retry_is_logged(
    serve: Serve, client_of: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "relevance_eval.plugin.searches"):
        search(client_of(serve(lambda request, body: busy(429))), 2, Load(retries=1, pause=0))
    said = [r.getMessage() for r in caplog.records if r.name == "relevance_eval.plugin.searches"]
    assert said == ["searching 2 again after status 429, in 0 s"]


def test_keys_that_are_ours_are_taken_out_of_any_body() -> None:
    theirs = {"from": 5, "search_after": [1], "stored_fields": ["x"], "size": 3, "_source": True}
    assert framed({**theirs, "query": {"match_all": {}}}, "p", 10) == {
        "query": {"match_all": {}},
        "pit": {"id": "p", "keep_alive": "5m"},
        "size": 10,
        "_source": False,
        "track_total_hits": False,
    }


def test_batches_and_requests_in_flight_are_bounded_and_answers_in_order(
    serve: Serve, client_of: Clients
) -> None:
    lock = threading.Lock()
    both = threading.Barrier(2, timeout=60)
    running, most, sizes = 0, 0, list[int]()

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            sizes.append(len(bodies_in(body)))
        if len(sizes) <= 2:
            both.wait()  # passes only if two requests are under way at once
        with lock:
            running -= 1
        return echo(request, body)

    seen: list[tuple[int, int]] = []
    responses = search(client_of(serve(answer)), 11, Load(batch=3, in_flight=2), seen)
    assert [r["body"]["n"] for r in responses] == list(range(11))
    assert sorted(sizes) == [2, 3, 3, 3]
    assert most == 2
    assert [total for _, total in seen] == [11] * 4
    assert seen[-1][0] == 11
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_large_responses_are_asked_for_one_by_one_as_they_are_taken(
    msearches: Callable[..., Elasticsearch], response: Callable[..., dict[str, Any]]
) -> None:
    asked: list[int] = []

    def answer(body: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(body["n"])
        return response(str(body["n"]))

    bodies = [{"n": n} for n in range(7)]
    taken: list[str] = []
    for found in search_in_turn(msearches(answer), bodies, Load(batch=20, in_flight=2)):
        taken.append(found["hits"]["hits"][0]["_id"])
        assert len(asked) <= len(taken) + 1  # no further ahead than requests are in flight
    assert taken == [str(n) for n in range(7)]


def test_a_server_that_breaks_off_half_way(
    serve: Serve, client_of: Clients, complains: Complains
) -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        asked.append(request.path)
        if len(asked) == 1:
            return echo(request, body)
        return 200, {**PRODUCT, "Content-Length": "100000"}, b'{"took": 1, "resp'

    says, remedy = "cannot be reached", "check [elasticsearch] url"
    with complains(UnreachableError, says, code=5, where="searching", remedy=remedy):
        search(client_of(serve(answer)), 40)
    assert len(asked) < 20  # what was still to be sent is not


def test_a_key_that_is_refused_half_way(
    serve: Serve, client_of: Clients, complains: Complains
) -> None:
    says, remedy = "the server refuses: try later", "check the key or user"
    client = client_of(serve(lambda request, body: busy(401)))
    with complains(AuthenticationError, says, code=5, where="searching", remedy=remedy):
        search(client, 5)


def test_nothing_to_search_is_nothing_sent(serve: Serve, client_of: Clients) -> None:
    assert search(client_of(serve(lambda request, body: busy(500))), 0) == []
