"""Measures of many sets of labels are, set by set, those of a run with these grades."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Measure, measure_run, parse_measure
from relevance_eval.evaluators.measures.drawn import measure_drawn
from relevance_eval.evaluators.run import Hit, Result, Run

NAMES = (
    "EnDCG@10", "EnDCG@3", "nDCG@10", "nDCG@3", "nDCG", "P@5", "P@10", "R@3", "R@10", "RR", "RR@2",
    "AP", "AP@3", "ERR@10", "ERR@2",
)  # fmt: skip
MEASURES = [
    *(parse_measure(name) for name in NAMES),
    parse_measure("EnDCG@5", gain="exponential"),
    parse_measure("P@5", relevant=1),
    parse_measure("AP", relevant=3),
]
POOL = 8


def one_by_one(measure: Measure, ranked: list[int | None], grades: list[int]) -> float:
    ids = [f"d{c}" if c is not None else f"unjudged{r}" for r, c in enumerate(ranked)]
    run = Run("a", {"q": Result(tuple(Hit(i, -float(r)) for r, i in enumerate(ids)))})
    judged = {"q": {f"d{c}": Judgment.certain("m", g) for c, g in enumerate(grades)}}
    return measure_run(run, ["q"], judged, measure)["q"]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: f"{m}-{m.gain}-{m.relevant}")
@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=POOL, max_size=POOL), min_size=1, max_size=4),
    st.permutations([*range(POOL), None, None, None, None]),
    st.integers(0, 12),
)
def test_each_set_of_labels_is_measured_as_a_run_is(
    measure: Measure, sets: list[list[int]], order: list[int | None], length: int
) -> None:
    ranked = order[:length]
    found = measure_drawn(measure, ranked, np.array(sets, dtype=np.int8))
    expected = [one_by_one(measure, ranked, grades) for grades in sets]
    assert found == pytest.approx(expected, abs=1e-9)
