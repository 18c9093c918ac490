"""What a deployment can do, and our own indices in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from relevance_eval.errors import RelevanceEvalError
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.embedders import Embedder
from relevance_eval.plugin.pull import pull
from relevance_eval.plugin.rankers import Ranker
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.server import words_of

__all__ = ["Ability", "abilities", "try_ranker"]

MATCH_ALL: dict[str, Any] = {"match_all": {}}
STANDARD = {"standard": {"query": MATCH_ALL}}


@dataclass(frozen=True)
class Ability:
    """Something a deployment or a ranker can do, or why not."""

    name: str
    works: bool
    detail: str = ""


def abilities(client: Elasticsearch, index: str, fields: Sequence[str] = ()) -> list[Ability]:
    """Each is tried, not guessed from a version: licences and missing modules show too.

    Args:
        fields: that the configuration says the index has.
    """

    def search(**body: Any) -> object:
        return client.search(index=index, size=0, **body)

    probes: dict[str, Callable[[], object]] = {
        f"read {index}": lambda: search(query=MATCH_ALL),
        "point in time": lambda: open_and_close(client, index),
        "retrievers": lambda: search(retriever=STANDARD),
        "server-side rrf": lambda: search(
            retriever={"rrf": {"retrievers": [STANDARD, STANDARD], "rank_window_size": 10}}
        ),
        "scripts (Painless)": lambda: search(
            query={"script_score": {"query": MATCH_ALL, "script": {"source": "1"}}}
        ),
        "stored search templates": lambda: client.render_search_template(
            source='{"query": {"match_all": {}}}', params={}
        ),
        "own indices relevance-eval-*": lambda: may_create(client),
    }
    if fields:
        probes["fields of [documents]"] = lambda: check_mapped(client, index, fields)
    return [attempt(name, probe) for name, probe in probes.items()]


def attempt(name: str, probe: Callable[[], object]) -> Ability:
    try:
        probe()
    except ApiError as error:
        return Ability(name, False, words_of(error))
    except (TransportError, RelevanceEvalError) as error:
        return Ability(name, False, str(error))
    return Ability(name, True)


def open_and_close(client: Elasticsearch, index: str) -> None:
    pit = client.open_point_in_time(index=index, keep_alive="10s")["id"]
    client.close_point_in_time(id=pit)


def check_mapped(client: Elasticsearch, index: str, fields: Sequence[str]) -> None:
    """Raises RelevanceEvalError for fields that the index does not know."""
    known = client.field_caps(index=index, fields=list(fields))["fields"]
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise RelevanceEvalError(f"not in the mapping of {index}: {', '.join(unknown)}")


def may_create(client: Elasticsearch) -> None:
    """Raises RelevanceEvalError if security is on and forbids it; a server without it may."""
    wanted = [{"names": ["relevance-eval-*"], "privileges": ["create_index", "index", "read"]}]
    try:
        answer = client.security.has_privileges(index=wanted)
    except ApiError as error:
        if error.status_code in (400, 404, 405):  # security is off, or its module is absent
            return
        raise
    if not answer["has_all_requested"]:
        raise RelevanceEvalError("the user lacks create_index, index or read on them")


def try_ranker(
    client: Elasticsearch,
    name: str,
    make: Callable[[], Ranker],
    embedders: Callable[[Sequence[Ranker]], Mapping[str, Embedder]],
    fields: Mapping[str, str],
) -> Ability:
    """Whether this ranker answers one query, and how fast, or what is wrong with it."""
    query = Query("attach", "annual report")
    try:
        ranker = make()
        pulled = pull(
            client,
            [ranker],
            [query],
            k=1,
            fields=fields,
            embedders=embedders([ranker]),
            load=Load(retries=0),
        )
    except RelevanceEvalError as error:
        return Ability(name, False, str(error).split("\n")[0])
    result = pulled.runs[0].results[query.id]
    return Ability(name, not result.problem, result.problem or f"{result.took} ms")
