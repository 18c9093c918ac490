"""Documents of an index by id."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError, RequestError, ServerError
from relevance_eval.evaluators.document import Document
from relevance_eval.plugin.documents import documents_at, fetch_documents
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load

Complains = Callable[..., Any]
Indices = Callable[..., str]
Clients = Callable[..., Elasticsearch]
Answers = Callable[[Callable[[Mapping[str, Any]], Mapping[str, Any]]], Elasticsearch]
Responses = Callable[..., dict[str, Any]]

FIELDS = {"title": "title", "body": "deep.text"}


def test_documents_come_by_id_with_the_fields_that_are_asked_for(
    es: Elasticsearch, make_index: Indices
) -> None:
    index = make_index(
        {
            "a": {"title": "vpn", "deep": {"text": "how to", "other": "no"}, "size": 3},
            "b": {"title": "leave"},
            "c": {},
        }
    )
    found = fetch_documents(es, index, ["c", "a", "gone"], FIELDS)
    assert {i: dict(d.fields) for i, d in found.items()} == {
        "a": {"title": "vpn", "body": "how to"},
        "c": {},
    }


def test_more_ids_than_one_request_takes(es: Elasticsearch, make_index: Indices) -> None:
    index = make_index({"d0": {"title": "first"}, "d1200": {"title": "last"}})
    found = fetch_documents(es, index, [f"d{n}" for n in range(1201)], FIELDS)
    assert sorted(found) == ["d0", "d1200"]


def test_no_request_by_id_asks_for_many(serve: Callable[..., str], client_of: Clients) -> None:
    asked: list[int] = []
    headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(len(json.loads(body)["ids"]))
        return 200, headers, b'{"docs": []}'

    fetch_documents(client_of(serve(answer)), "i", [f"d{n}" for n in range(101)], FIELDS)
    assert asked == [50, 50, 1]


def test_nothing_asked_is_nothing_sent(es: Elasticsearch) -> None:
    assert fetch_documents(es, "test-none", [], FIELDS) == {}


def test_an_index_that_is_missing(es: Elasticsearch, complains: Complains) -> None:
    says, where = "no such index [test-none]", "index test-none"
    remedy = "check [elasticsearch] index"
    with complains(MissingIndexError, says, code=2, where=where, remedy=remedy):
        fetch_documents(es, "test-none", ["a"], FIELDS)


def test_an_alias_of_several_indices(
    es: Elasticsearch, make_index: Indices, complains: Complains
) -> None:
    alias = f"test-{uuid.uuid4().hex[:12]}"
    for identifier in "ab":
        make_index({identifier: {"title": "vpn"}}, alias=alias)
    says, remedy = "has more than one index", "say --corpus FILE"
    with complains(RequestError, says, code=2, where=f"index {alias}", remedy=remedy):
        fetch_documents(es, alias, ["a"], FIELDS)


def at_pit(client: Elasticsearch, *ids: str, load: Load | None = None) -> dict[str, Document]:
    """Documents of index `i` by the search that a point in time takes."""
    places = {i: (Target("i"), "i") for i in ids}
    load = load or Load(retries=1, pause=0)
    return documents_at(client, places, {Target("i"): "pit"}, {"title": "title"}, load)


def test_documents_of_shards_that_fail_are_fetched_again(
    msearches: Answers, response: Responses, incomplete: tuple[dict[str, Any], str]
) -> None:
    answers = [response("a", "b"), incomplete[0]]
    found = at_pit(msearches(lambda body: answers.pop()), "a", "b")
    assert sorted(found) == ["a", "b"]


def test_documents_of_shards_that_fail_to_the_last_are_no_missing_documents(
    msearches: Answers, incomplete: tuple[dict[str, Any], str], complains: Complains
) -> None:
    answer, says = incomplete
    with complains(ServerError, says, code=5, where="fetching documents"):
        at_pit(msearches(lambda body: answer), "a", "b")


def test_points_in_time_are_asked_in_turn_for_a_few_documents_each(
    msearches: Answers, response: Responses
) -> None:
    asked: list[tuple[str, int]] = []

    def answer(body: Mapping[str, Any]) -> Mapping[str, Any]:
        ids = body["query"]["ids"]["values"]
        asked.append((body["pit"]["id"], len(ids)))
        return response(*ids)

    pits = {Target("i"): "one", Target("i", "route"): "other"}
    places = {f"{p}{n}": (t, "i") for t, p in pits.items() for n in range(60)}
    load = Load(in_flight=1)
    found = documents_at(msearches(answer), places, pits, {"title": "title"}, load)
    assert list(found) == sorted(places)
    assert asked == [("one", 50), ("other", 50), ("one", 10), ("other", 10)]
