"""What is remembered of an index: how it is set up, and not which one it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError
from relevance_eval.plugin.index_state import index_states

Serve = Callable[..., str]
Complains = Callable[..., AbstractContextManager[Any]]
HEADERS = {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}


def index(uuid: str, *, replicas: str = "1", kind: str = "text") -> dict[str, Any]:
    own = {"uuid": uuid, "creation_date": f"1{uuid}", "provided_name": uuid, "version": {}}
    return {
        "aliases": {},
        "settings": {"index": {**own, "number_of_replicas": replicas}},
        "mappings": {"_meta": {"loaded": uuid}, "properties": {"title": {"type": kind}}},
    }


def states(serve: Serve, body: Mapping[str, Any], status: int = 200) -> dict[str, Any]:
    url = serve(lambda request, sent: (status, HEADERS, json.dumps(body).encode()))
    with Elasticsearch(url) as client:
        return index_states(client, ["documents", "documents"])


def test_a_copy_that_is_set_up_the_same_is_the_same(serve: Serve) -> None:
    first = states(serve, {"one": index("1"), "two": index("2", kind="keyword")})
    second = states(serve, {"b": index("3", kind="keyword"), "a": index("4")})
    assert first == second
    assert [part["settings"] for part in first["documents"]] == [{"number_of_replicas": "1"}] * 2


def test_another_mapping_or_setting_is_another_state(serve: Serve) -> None:
    plain = states(serve, {"one": index("1")})
    assert states(serve, {"one": index("1", kind="keyword")}) != plain
    assert states(serve, {"one": index("1", replicas="0")}) != plain


def test_an_index_whose_settings_are_not_ours_to_see_is_left_out(serve: Serve) -> None:
    refused = {"error": {"type": "security_exception", "reason": "unauthorized"}}
    assert states(serve, refused, 403) == {}


def test_an_index_that_is_not_there(serve: Serve, complains: Complains) -> None:
    missing = {"error": {"type": "index_not_found_exception", "reason": "no such index [x]"}}
    with complains(
        MissingIndexError, "no such index", code=2, where="index documents", remedy="index"
    ):
        states(serve, missing, 404)
