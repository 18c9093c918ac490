"""Rankers: the body of one query, and what a ranker is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from relevance_eval.errors import TemplateError
from relevance_eval.plugin.rankers import (
    FusedRanker,
    StoredRanker,
    Target,
    TemplateRanker,
    check_vector,
    components,
)

Rankers = Callable[..., TemplateRanker]
MATCH = {"query": {"match": {"title": "{{query}}"}}}
KNN = {"knn": {"field": "v", "query_vector": "{{query_vector}}", "k": "{{k}}"}}


def test_a_body_holds_query_depth_and_vector(make_ranker: Rankers) -> None:
    body = make_ranker("vector", "i", {**MATCH, **KNN}).body("vpn", 7, [0.5, 1.0])
    assert body == {
        "query": {"match": {"title": "vpn"}},
        "knn": {"field": "v", "query_vector": [0.5, 1.0], "k": 7},
    }


@pytest.mark.parametrize(
    "key", ["pit", "size", "from", "search_after", "track_total_hits", "_source", "stored_fields"]
)
def test_keys_that_pulling_sets_are_taken_out(make_ranker: Rankers, key: str) -> None:
    assert make_ranker("own", "i", {**MATCH, key: 3}).body("q", 10, None) == {
        "query": {"match": {"title": "q"}}
    }


def test_params_fill_further_placeholders_but_not_ours(make_ranker: Rankers) -> None:
    body = {"min_score": "{{floor}}", "query": {"match": {"title": "{{query}}"}}}
    ranker = make_ranker("params", "i", body, params={"floor": 1.5, "query": "not this"})
    assert ranker.body("this", 10, None) == {
        "min_score": 1.5,
        "query": {"match": {"title": "this"}},
    }


def test_a_timeout_goes_into_the_body_and_over_that_of_the_file(make_ranker: Rankers) -> None:
    ranker = make_ranker("timed", "i", {**MATCH, "timeout": "9s"}, timeout="2s")
    assert ranker.body("q", 1, None)["timeout"] == "2s"


def test_a_vector_without_an_embedder_is_refused(
    make_ranker: Rankers, complains: Callable[..., Any]
) -> None:
    ranker = make_ranker("near", "i", KNN)
    remedy = "set embedder in [rankers.near]"
    where = ranker.template.source
    with complains(TemplateError, "{{query_vector}}", code=2, where=where, remedy=remedy):
        check_vector(ranker)
    check_vector(make_ranker("near", "i", KNN, embedder="e"))
    check_vector(make_ranker("words", "i", MATCH))


def test_the_components_of_a_fused_ranker_are_its_parts(make_ranker: Rankers) -> None:
    one, stored = make_ranker("one", "i", MATCH), StoredRanker("two", Target("i"), "id")
    assert components(FusedRanker("both", (one, stored))) == (one, stored)
    assert components(one) == (one,)
