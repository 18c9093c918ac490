"""Measures of whole grades equal trec_eval's, recorded in recorded.json."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import measure_run, parse_measure
from relevance_eval.evaluators.run import Hit, Result, Run, order_hits

CASES = json.loads(Path(__file__).with_name("recorded.json").read_text())["cases"]
Case = dict[str, Any]


def run_of(case: Case) -> Run:
    ordered = {q: order_hits(Hit(i, s) for i, s in hits.items()) for q, hits in case["run"].items()}
    return Run("recorded", {q: Result(hits) for q, hits in ordered.items()})


def judged_in(case: Case) -> dict[str, dict[str, Judgment]]:
    return {
        q: {i: Judgment.certain("trec", g) for i, g in grades.items()}
        for q, grades in case["qrels"].items()
    }


@pytest.mark.parametrize("name", CASES[0]["values"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_a_measure_equals_trec_evals(case: Case, name: str) -> None:
    found = measure_run(run_of(case), list(case["run"]), judged_in(case), parse_measure(name))
    assert found == pytest.approx(case["values"][name], abs=1e-9, rel=0)


@pytest.mark.parametrize("depth", [5, 10])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_expected_ndcg_of_certain_grades_equals_trec_evals(case: Case, depth: int) -> None:
    measure = parse_measure(f"EnDCG@{depth}")
    found = measure_run(run_of(case), list(case["run"]), judged_in(case), measure)
    assert found == pytest.approx(case["values"][f"nDCG@{depth}"], abs=1e-9, rel=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # y (1), x (3), u (unjudged); x, y and z (0) are judged
        ("nDCG@10", (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))),
        ("nDCG@1", 1 / 3),
        ("P@5", 1 / 5),
        ("P@1", 0.0),
        ("R@10", 1.0),
        ("R@1", 0.0),
        ("RR", 1 / 2),
        ("RR@1", 0.0),
        ("AP", 1 / 2),
        ("AP@1", 0.0),
        ("ERR@10", 1 / 16 + 15 / 16 * 7 / 16 / 2),
        ("ERR@1", 1 / 16),
        ("Judged@10", 2 / 3),
        ("Judged@2", 1.0),
    ],
)
def test_a_measure_equals_its_value_by_hand(name: str, value: float) -> None:
    (case,) = (c for c in CASES if c["name"] == "by hand")
    found = measure_run(run_of(case), ["q"], judged_in(case), parse_measure(name))
    assert found == pytest.approx({"q": value}, abs=1e-12)
