"""Reciprocal rank fusion against values worked out by hand."""

from __future__ import annotations

import pytest

from relevance_eval.evaluators.run import Hit, Result
from relevance_eval.plugin.fusion import fuse


def listed(*ids: str, took: int | None = None, problem: str | None = None) -> Result:
    hits = tuple(Hit(i, 100.0 - place) for place, i in enumerate(ids))
    return Result(hits, took, problem)


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    fused = fuse([listed("a", "b", "c"), listed("c", "d")], constant=60, k=10)
    assert [(h.document_id, h.score) for h in fused.hits] == [
        ("c", pytest.approx(1 / 63 + 1 / 61, abs=1e-15)),
        ("a", pytest.approx(1 / 61, abs=1e-15)),
        ("d", pytest.approx(1 / 62, abs=1e-15)),
        ("b", pytest.approx(1 / 62, abs=1e-15)),
    ]  # b and d tie: the later id comes first, as trec_eval has it


def test_the_same_ranks_in_other_parts_make_the_same_score() -> None:
    ranks = {"a": (1, 7, 2), "b": (2, 1, 7)}
    parts: list[Result] = []
    for part in range(3):
        ids = [f"{part}-{rank}" for rank in range(1, 8)]
        for document, places in ranks.items():
            ids[places[part] - 1] = document
        parts.append(listed(*ids))
    first, second = fuse(parts, constant=60, k=2).hits
    assert (first.document_id, second.document_id) == ("b", "a")
    assert first.score == second.score


def test_the_constant_decides_how_fast_a_rank_loses_weight() -> None:
    twice_late, once_first = listed("x", "both"), listed("y", "both")
    assert fuse([twice_late, once_first], constant=60, k=1).hits[0].document_id == "both"
    steep = fuse([listed("x", "p", "both"), listed("y", "q", "both")], constant=1, k=1)
    assert steep.hits[0].document_id == "y"  # 1/2 against 2/4: the tie goes to the later id


def test_k_cuts_after_fusion() -> None:
    fused = fuse([listed("a", "b"), listed("c", "b")], constant=60, k=2)
    assert [h.document_id for h in fused.hits] == ["b", "c"]


def test_times_add_up_and_problems_of_any_part_stay() -> None:
    parts = [listed("a", took=3, problem="timed out"), listed(took=4), listed(problem="gone")]
    fused = fuse(parts, constant=60, k=5)
    assert (fused.took, fused.problem) == (7, "timed out; gone")


def test_nothing_found_is_nothing_fused() -> None:
    assert fuse([listed(), listed()], constant=60, k=5) == Result((), None, None)
