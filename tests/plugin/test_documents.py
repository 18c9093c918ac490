"""Documents of an index by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ServerError
from relevance_eval.evaluators.document import Document
from relevance_eval.plugin.documents import documents_at
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load

Complains = Callable[..., Any]
Answers = Callable[[Callable[[Mapping[str, Any]], Mapping[str, Any]]], Elasticsearch]
Responses = Callable[..., dict[str, Any]]


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
