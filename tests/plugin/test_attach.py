"""What a deployment and its rankers can do is tried, and said without an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import UsageError
from relevance_eval.plugin.attach import Ability, abilities, try_ranker
from relevance_eval.plugin.rankers import Ranker, TemplateRanker

Indices = Callable[..., str]
Rankers = Callable[..., TemplateRanker]
Serve = Callable[..., str]
Clients = Callable[..., Elasticsearch]
Reply = tuple[int, Mapping[str, str], bytes]

TITLE = {"query": {"match": {"title": "{{query}}"}}}
PRODUCT = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}


def tried(client: Elasticsearch, make: Callable[[], Ranker]) -> Ability:
    return try_ranker(client, "mine", make, lambda rankers: {}, {"title": "title"})


def test_the_embedded_node_has_no_scripts_and_no_templates(
    es: Elasticsearch, make_index: Indices
) -> None:
    index = make_index({"a": {"title": "vpn"}})
    found = {a.name: a for a in abilities(es, index)}
    works = {name for name, ability in found.items() if ability.works}
    assert {f"read {index}", "point in time", "retrievers"} <= works
    assert "own indices relevance-eval-*" in works
    assert {"scripts (Painless)", "stored search templates"}.isdisjoint(works)
    assert "painless" in found["scripts (Painless)"].detail
    assert all(bool(a.detail) != a.works for a in found.values())


def test_an_index_that_is_missing_is_said(es: Elasticsearch) -> None:
    found = {a.name: a for a in abilities(es, "test-none")}
    for name in ("read test-none", "point in time", "retrievers"):
        assert found[name] == Ability(name, False, "no such index [test-none]")


def test_fields_that_the_index_does_not_know_are_said(
    es: Elasticsearch, make_index: Indices
) -> None:
    index = make_index({}, meta={"properties": {"author": {"type": "keyword"}}})
    known = abilities(es, index, ["title", "meta.author"])[-1]
    assert (known.name, known.detail) == ("fields of [documents]", "")
    unknown = abilities(es, index, ["title", "author", "path"])[-1]
    assert not unknown.works
    assert unknown.detail == f"not in the mapping of {index}: author, path"


@pytest.mark.parametrize(("allowed", "works"), [(True, True), (False, False)])
def test_privileges_are_asked_for_where_there_is_security(
    serve: Serve, client_of: Clients, allowed: bool, works: bool
) -> None:
    asked: list[Any] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        if "_has_privileges" in request.path:
            asked.append(json.loads(body))
        return 200, PRODUCT, json.dumps({"id": "p", "has_all_requested": allowed}).encode()

    found = {a.name: a for a in abilities(client_of(serve(answer)), "i")}
    ability = found["own indices relevance-eval-*"]
    assert (ability.works, "lacks create_index" in ability.detail) == (works, not works)
    assert [i["names"] for i in asked[0]["index"]] == [["relevance-eval-*"]]


def test_a_server_that_refuses_everything_is_said(serve: Serve, client_of: Clients) -> None:
    reason = {"type": "security_exception", "reason": "not for you"}
    refusal = json.dumps({"error": {"root_cause": [reason], **reason}, "status": 403}).encode()
    found = abilities(client_of(serve(lambda request, body: (403, PRODUCT, refusal))), "i")
    assert {(a.works, a.detail) for a in found} == {(False, "not for you")}


def test_a_ranker_that_works_is_timed(
    es: Elasticsearch, make_index: Indices, make_ranker: Rankers
) -> None:
    index = make_index({"a": {"title": "annual report"}})
    ability = tried(es, lambda: make_ranker("mine", index, TITLE))
    assert ability.works
    assert ability.detail.removesuffix(" ms").isdigit()


def test_a_ranker_that_the_server_calls_wrong_is_said(
    es: Elasticsearch, make_index: Indices, make_ranker: Rankers
) -> None:
    index = make_index({})
    ability = tried(es, lambda: make_ranker("mine", index, {"query": {"nonsense": {}}}))
    assert ability == Ability("mine", False, "ranker mine: unknown query [nonsense]")


def test_a_ranker_that_cannot_be_made_is_said(es: Elasticsearch) -> None:
    def make() -> Ranker:
        raise UsageError("there is no embedder 'x'", remedy="configured: y")

    assert tried(es, make) == Ability("mine", False, "there is no embedder 'x'")


def test_a_ranker_whose_shards_fail_does_not_work(
    serve: Serve, client_of: Clients, make_ranker: Rankers
) -> None:
    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        shards = {"total": 2, "failed": 1}
        found = {"took": 1, "timed_out": False, "_shards": shards, "hits": {"hits": []}}
        return 200, PRODUCT, json.dumps({"id": "p", "responses": [found]}).encode()

    ability = tried(client_of(serve(answer)), lambda: make_ranker("mine", "i", TITLE))
    assert ability == Ability("mine", False, "1 of 2 shards failed: no reason given")
