"""Expected reciprocal rank, by hand and beside TREC's own script."""

from __future__ import annotations

import random
import shutil

import ir_measures
import pytest

from relevance_eval.evaluators.measures.err import expected_reciprocal_rank

GRADES = {"a": 3, "b": 2, "c": 1, "d": 0}


@pytest.mark.parametrize(
    ("ranked", "depth", "value"),
    [
        ("a", 10, 7 / 16),
        ("d a", 10, 7 / 16 / 2),
        ("b x a", 10, 3 / 16 + 13 / 16 * 7 / 16 / 3),
        ("a b c", 10, 7 / 16 + 9 / 16 * 3 / 16 / 2 + 9 / 16 * 13 / 16 / 16 / 3),
        ("x a b", 2, 7 / 16 / 2),
        ("x a b", 1, 0.0),
        ("", 10, 0.0),
    ],
)
def test_err_by_hand(ranked: str, depth: int, value: float) -> None:
    found = expected_reciprocal_rank(ranked.split(), GRADES, depth=depth)
    assert found == pytest.approx(value, abs=1e-15)


@pytest.mark.skipif(not shutil.which("perl"), reason="ir-measures computes ERR by a Perl script")
@pytest.mark.parametrize("depth", [3, 10, 20])
def test_err_equals_gdeval(depth: int) -> None:
    draw = random.Random(depth)
    documents = [f"d{i}" for i in range(30)]
    grades = {
        str(q): {d: draw.choice((0, 0, 1, 2, 3)) for d in draw.sample(documents, 20)}
        for q in range(1, 9)
    }
    ranked = {q: draw.sample(documents, 25) for q in grades}
    qrels = [ir_measures.Qrel(q, d, g) for q, known in grades.items() for d, g in known.items()]
    run = [
        ir_measures.ScoredDoc(q, d, 100.0 - rank)
        for q, ids in ranked.items()
        for rank, d in enumerate(ids)
    ]
    measure = ir_measures.parse_measure(f"ERR@{depth}")
    reference = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
    found = {q: expected_reciprocal_rank(ranked[q], grades[q], depth=depth) for q in grades}
    assert len(set(reference.values())) >= 5
    assert found == pytest.approx(reference, abs=5e-6, rel=0)
