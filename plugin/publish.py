"""Comparisons in an index of our own, for dashboards and for the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError
from relevance_eval.plugin.server import translated

__all__ = ["COMPARISONS", "check_set_up", "publish", "set_up"]

COMPARISONS = "relevance-eval-comparisons"
MAPPINGS: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "created": {"type": "date"},
        "config_hash": {"type": "keyword"},
        "baseline": {"type": "keyword"},
        "ranker": {"type": "keyword"},
        "verdict": {"type": "keyword"},
        "measure": {"type": "keyword"},
        "difference": {"type": "double"},
        "low": {"type": "double"},
        "high": {"type": "double"},
        "p": {"type": "double"},
        "queries": {"type": "integer"},
        "labeler": {"type": "keyword"},
    },
}


def set_up(client: Elasticsearch) -> bool:
    """Creates the index if it is not there; returns whether it did. No other index is touched."""
    with translated(f"index {COMPARISONS}"):
        if client.indices.exists(index=COMPARISONS):
            return False
        client.indices.create(index=COMPARISONS, mappings=MAPPINGS)
        return True


def check_set_up(client: Elasticsearch) -> None:
    """Raises MissingIndexError if `set_up` was never run: nothing is created without asking."""
    with translated(f"index {COMPARISONS}"):
        there = client.indices.exists(index=COMPARISONS)
    if not there:
        raise MissingIndexError(
            f"there is no index {COMPARISONS}", remedy="relevance-eval attach --setup creates it"
        )


def publish(client: Elasticsearch, answer: Mapping[str, Any]) -> int:
    """Adds one document for each ranker compared; returns how many.

    Raises MissingIndexError if `set_up` was never run.
    """
    check_set_up(client)
    with translated(f"index {COMPARISONS}"):
        rows = rows_of(answer)
        for row in rows:
            client.index(index=COMPARISONS, document=row)
        return len(rows)


def rows_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    result = answer["result"]
    primary = result["plan"]["primary"]
    rows: list[dict[str, Any]] = []
    for contrast in result["comparisons"]:
        found = contrast["differences"][primary]
        rows.append(
            {
                "created": answer["created"],
                "config_hash": answer["config_hash"],
                "baseline": contrast["baseline"],
                "ranker": contrast["ranker"],
                "verdict": contrast["verdict"],
                "measure": primary,
                "difference": found["mean"],
                "low": found["low"],
                "high": found["high"],
                "p": found["p_corrected"],
                "queries": found["queries"],
                "labeler": result["labeler"]["fingerprint"],
            }
        )
    return rows
