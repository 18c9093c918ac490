"""Documents by id in one state of an index."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, MissingIndexError, ServerError
from relevance_eval.evaluators.document import Document
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.snapshot import Snapshot, snapshot

Complains = Callable[..., Any]
Answers = Callable[[Callable[[Mapping[str, Any]], Mapping[str, Any]]], Elasticsearch]
Responses = Callable[..., dict[str, Any]]
Indices = Callable[..., str]

FIELDS = {"title": "title", "body": "deep.text"}


def state(client: Elasticsearch) -> Snapshot:
    target = Target("i")
    fields = {"title": "title"}
    return Snapshot(client, target, {target: "pit"}, fields, Load(retries=1, pause=0))


def held(client: Elasticsearch, index: str, ids: Iterable[str]) -> dict[str, Document]:
    with snapshot(client, Target(index), (), FIELDS, Load()) as state:
        return state.by_id(ids)


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
    found = held(es, index, ["c", "a", "gone"])
    assert {i: dict(d.fields) for i, d in found.items()} == {
        "a": {"title": "vpn", "body": "how to"},
        "c": {},
    }


def test_more_ids_than_one_request_takes(es: Elasticsearch, make_index: Indices) -> None:
    index = make_index({"d0": {"title": "first"}, "d1200": {"title": "last"}})
    assert sorted(held(es, index, [f"d{n}" for n in range(1201)])) == ["d0", "d1200"]


def test_an_index_that_is_missing(es: Elasticsearch, complains: Complains) -> None:
    says, where = "no such index [test-none]", "index test-none"
    remedy = "check [elasticsearch] index"
    with complains(MissingIndexError, says, code=2, where=where, remedy=remedy):
        held(es, "test-none", ["a"])


def test_an_alias_of_several_indices(es: Elasticsearch, make_index: Indices) -> None:
    alias = f"test-{uuid.uuid4().hex[:12]}"
    for identifier in "ab":
        make_index({identifier: {"title": identifier}}, alias=alias)
    assert {i: d.fields["title"] for i, d in held(es, alias, ["a", "b"]).items()} == {
        "a": "a",
        "b": "b",
    }


def test_an_id_in_two_indices_of_an_alias(
    es: Elasticsearch, make_index: Indices, complains: Complains
) -> None:
    alias = f"test-{uuid.uuid4().hex[:12]}"
    for title in ("old", "new"):
        make_index({"a": {"title": title}}, alias=alias)
    says, remedy = "the id 'a' is in test-", "whose indices share no ids"
    with complains(ConfigError, says, code=2, where=f"index {alias}", remedy=remedy):
        held(es, alias, ["a"])


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
