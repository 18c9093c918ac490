"""What each label can do is what it does to the measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.comparison import condensed
from relevance_eval.evaluators.decisive.stakes import stakes_of
from relevance_eval.evaluators.measures import Measure, measure_run, parse_measure
from relevance_eval.evaluators.run import Run

Collect = Callable[..., Any]
MakeRun = Callable[..., Run]
MEASURES = [
    *(parse_measure(n) for n in ("EnDCG@5", "EnDCG@10", "nDCG@5", "nDCG", "sDCG@5", "RBP@4")),
    parse_measure("EnDCG@3", gain="exponential"),
    parse_measure("sDCG@10", gain="exponential"),
    parse_measure("RBP@10", gain="exponential"),
    Measure("RBP", 5, persistence=0.5),
    *(parse_measure("P@5", relevant=grade) for grade in (1, 2, 3)),
]
FEW = settings(derandomize=True, deadline=None, max_examples=10)


def named(measure: Measure) -> str:
    return f"{measure}-{measure.gain}-{measure.relevant}-{measure.persistence}"


@pytest.mark.parametrize("measure", MEASURES, ids=named)
@FEW
@given(st.integers(0, 2**32))
def test_weights_times_gains_are_the_difference_of_the_measure(
    collect: Collect, measure: Measure, seed: int
) -> None:
    found = collect(seed, quality=(0.0, 0.5, 1.0))
    stakes, ids = found.stakes(measure), [q.id for q in found.queries]
    values = [measure_run(run, ids, found.judged, measure) for run in found.runs]
    for row in (1, 2):
        column = stakes.column(stakes.weights[row] - stakes.weights[0], found.gains(measure))
        expected = [values[row][q] - values[0][q] for q in ids]
        assert column == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=named)
@FEW
@given(st.integers(0, 2**32))
def test_a_unit_taken_out_is_a_document_taken_out_of_every_list(
    collect: Collect, measure: Measure, seed: int
) -> None:
    found = collect(seed, fails=0.3)
    gains, ids = found.gains(measure), [q.id for q in found.queries]
    stakes = found.stakes(measure).without(np.isnan(gains))
    for row, run in enumerate(found.runs):
        values = measure_run(condensed(run, found.ungraded), ids, found.judged, measure)
        column = stakes.column(stakes.weights[row], np.nan_to_num(gains))
        assert column == pytest.approx([values[q] for q in ids], abs=1e-12)
    assert not stakes.weights[:, np.isnan(gains)].any()


def test_ranks_beyond_the_depth_have_no_weight(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x y z"), make_run("b", q="z y")]
    stakes = stakes_of(runs, ["q"], {"q": ["x", "y", "z"]}, parse_measure("P@2"))
    assert stakes.weights.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    assert stakes.depth == 0
    assert stakes.highest == 1.0


def test_a_document_without_a_text_is_out_of_the_lists(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x y z"), make_run("b", q="y x")]
    stakes = stakes_of(runs, ["q", "r"], {"q": ["y", "z"]}, parse_measure("sDCG@5"))
    assert [list(row) for row in stakes.lists] == [[[0, 1], []], [[0], []]]
    assert stakes.documents == ["y", "z"]
    assert stakes.column(stakes.weights[0], np.array([3.0, 0.0])).tolist() == [
        pytest.approx(stakes.worth[0] * 3),
        0.0,
    ]


def test_rankers_that_found_nothing_differ_in_nothing(make_run: MakeRun) -> None:
    for name in ("EnDCG@5", "RBP@5"):
        stakes = stakes_of([make_run("a"), make_run("b")], ["q", "r"], {}, parse_measure(name))
        assert stakes.weights.shape == (2, 0)
        assert stakes.column(stakes.weights[0], np.zeros(0)).tolist() == [0.0, 0.0]


@FEW
@given(st.integers(0, 2**32))
def test_an_ideal_ranks_the_best_first_and_grows_with_any_gain(collect: Collect, seed: int) -> None:
    measure = parse_measure("EnDCG@3")
    found = collect(seed)
    stakes, gains = found.stakes(measure), found.gains(measure)
    ideals, weights = stakes.ideals(gains), stakes.ideal_weights(gains)
    for place in range(len(found.queries)):
        own = stakes.query == place
        best = sorted(gains[own], reverse=True)[:3]
        assert ideals[place] == pytest.approx(
            sum(g / np.log2(r + 2) for r, g in enumerate(best)), abs=1e-12
        )
        assert np.count_nonzero(weights[own]) == min(3, np.count_nonzero(own))
    more = gains + np.random.default_rng(seed).random(len(gains))
    assert (stakes.ideals(more) >= ideals).all()
