"""One state of an index whose shards do not all answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ServerError
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.snapshot import Snapshot

Complains = Callable[..., Any]
Answers = Callable[[Callable[[Mapping[str, Any]], Mapping[str, Any]]], Elasticsearch]
Responses = Callable[..., dict[str, Any]]


def state(client: Elasticsearch) -> Snapshot:
    target = Target("i")
    fields = {"title": "title"}
    return Snapshot(client, target, {target: "pit"}, fields, Load(retries=1, pause=0))


def test_hits_of_shards_that_fail_are_asked_for_again(
    msearches: Answers, response: Responses, incomplete: tuple[dict[str, Any], str]
) -> None:
    answers = [response("a", "b"), incomplete[0]]
    assert sorted(state(msearches(lambda body: answers.pop())).by_id(["a", "b"])) == ["a", "b"]


def test_hits_of_shards_that_fail_to_the_last_are_no_missing_hits(
    msearches: Answers, incomplete: tuple[dict[str, Any], str], complains: Complains
) -> None:
    answer, says = incomplete
    with complains(ServerError, says, code=5, where="index i"):
        state(msearches(lambda body: answer)).by_id(["a", "b"])
