"""Comparisons in an index of our own: created when told, never by the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError
from relevance_eval.plugin.publish import COMPARISONS, publish, set_up

ANSWER: dict[str, Any] = {
    "created": "2026-11-24T10:00:00Z",
    "config_hash": "c0ffee",
    "result": {
        "plan": {"primary": "nDCG@10"},
        "labeler": {"fingerprint": "f00d"},
        "comparisons": [
            {
                "baseline": "bm25",
                "ranker": name,
                "verdict": "better",
                "differences": {
                    "nDCG@10": {
                        "mean": 0.1,
                        "low": 0.05,
                        "high": 0.15,
                        "p_corrected": 0.01,
                        "queries": 150,
                    },
                    "RR": {},
                },
            }
            for name in ("vector", "hybrid")
        ],
    },
}


@pytest.fixture
def without_index(es: Elasticsearch) -> Iterator[Elasticsearch]:
    es.indices.delete(index=COMPARISONS, ignore_unavailable=True)
    yield es
    es.indices.delete(index=COMPARISONS, ignore_unavailable=True)


def test_the_index_is_created_once_and_nothing_else(without_index: Elasticsearch) -> None:
    before = set(without_index.indices.get(index="*"))
    assert set_up(without_index)
    assert set(without_index.indices.get(index="*")) - before == {COMPARISONS}
    assert COMPARISONS.startswith("relevance-eval-")
    assert not set_up(without_index)


def test_each_ranker_compared_is_one_document(without_index: Elasticsearch) -> None:
    set_up(without_index)
    assert publish(without_index, ANSWER) == 2
    set_up(without_index)
    assert publish(without_index, ANSWER) == 2
    without_index.indices.refresh(index=COMPARISONS)
    found = without_index.search(
        index=COMPARISONS, query={"term": {"ranker": "hybrid"}}, sort=["created"]
    )["hits"]["hits"]
    assert [hit["_source"] for hit in found] == [
        {
            "created": "2026-11-24T10:00:00Z",
            "config_hash": "c0ffee",
            "baseline": "bm25",
            "ranker": "hybrid",
            "verdict": "better",
            "measure": "nDCG@10",
            "difference": 0.1,
            "low": 0.05,
            "high": 0.15,
            "p": 0.01,
            "queries": 150,
            "labeler": "f00d",
        }
    ] * 2


def test_nothing_is_created_without_asking(
    without_index: Elasticsearch, complains: Callable[..., Any]
) -> None:
    says, remedy = f"there is no index {COMPARISONS}", "relevance-eval attach --setup"
    with complains(MissingIndexError, says, code=2, remedy=remedy):
        publish(without_index, ANSWER)
    assert not without_index.indices.exists(index=COMPARISONS)
