"""Verdicts over the range in which the mean with all labels lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.decisive.forecast import clues_of, fold_of, forecast
from relevance_eval.evaluators.decisive.sample import Estimate, chances_of, estimate, lots
from relevance_eval.evaluators.decisive.stability import (
    likely_losses,
    likely_range,
    likely_verdicts,
    verdict_at,
)
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import equivalence_p, non_inferiority_p, paired_t_p
from relevance_eval.evaluators.verdict import Rule, Verdict, decide

Collect = Callable[..., Any]
FEW = settings(derandomize=True, deadline=None, max_examples=60)
ESTIMATES = st.builds(
    lambda seed, count, mean, spread, noise: Estimate(
        np.random.default_rng(seed).normal(mean, spread, count),
        noise**2 * np.random.default_rng(seed + 1).random(count),
    ),
    st.integers(0, 2**32),
    st.integers(5, 40),
    st.sampled_from([-0.1, -0.02, 0.0, 0.005, 0.03, 0.2]),
    st.sampled_from([0.001, 0.02, 0.1, 0.3]),
    st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.5]),
)
MARGINS = st.sampled_from([0.0, 0.01, 0.05, 0.2])
OPPOSITE = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}


def planned(margin: float) -> Plan:
    return Plan(rule=Rule(margin=margin))


@pytest.mark.parametrize(
    ("difference", "verdict", "loss"), [(0.1, "better", False), (-0.1, "worse", True)]
)
def test_differences_that_are_all_the_same_decide(
    difference: float, verdict: str, loss: bool
) -> None:
    same = np.array([difference, np.nextafter(difference, 1)] * 10)
    sure, plan = Estimate(same, np.zeros(20)), planned(0.05)
    assert likely_verdicts(sure, plan, 0.05, 2, 9) == {verdict}
    assert likely_losses(sure, plan, 0.05, 9) == {loss}


@FEW
@given(ESTIMATES, MARGINS)
def test_without_noise_the_verdict_is_that_of_the_t_tests(found: Estimate, margin: float) -> None:
    plan, sure = planned(margin), replace(found, variances=np.zeros(len(found.column)))
    verdict = decide(
        difference=float(found.column.mean()),
        p=paired_t_p(found.column),
        equivalence_p=equivalence_p(found.column, margin),
        rule=plan.rule,
    )
    assert likely_verdicts(sure, plan, margin, 1, 9) == {verdict}
    loss = non_inferiority_p(found.column, margin) > plan.rule.alpha
    assert likely_losses(sure, plan, margin, 9) == {loss}


@FEW
@given(ESTIMATES, MARGINS, st.sampled_from([1, 3]), st.integers(0, 2**32))
def test_one_verdict_is_that_of_the_whole_range(
    found: Estimate, margin: float, tested: int, seed: int
) -> None:
    plan, count = planned(margin), len(found.column)
    likely = likely_verdicts(found, plan, margin, tested, 9)
    (low, _, high), (own, seen) = likely_range(found, 9)
    if len(likely) > 1:
        return
    generator = np.random.default_rng(seed)
    for mean, error, part in generator.random((50, 3)):
        inside = verdict_at(
            low + mean * (high - low),
            own + error * (seen - own),
            count,
            plan,
            margin,
            1 + part * (tested - 1),  # type: ignore[arg-type]
        )
        assert {inside} == likely


@FEW
@given(ESTIMATES, MARGINS, st.sampled_from([1, 3]))
def test_rankers_that_change_places_mirror_the_verdicts(
    found: Estimate, margin: float, tested: int
) -> None:
    plan = planned(margin)
    plain = likely_verdicts(found, plan, margin, tested, 9)
    turned = likely_verdicts(replace(found, column=-found.column), plan, margin, tested, 9)
    assert turned == {OPPOSITE.get(v, v) for v in plain}


@FEW
@given(ESTIMATES)
def test_the_range_holds_the_estimate_and_grows_with_noise_and_looks(found: Estimate) -> None:
    (low, middle, high), (own, seen) = likely_range(found, 9)
    mean = float(found.column.mean())
    assert low <= mean + 1e-12
    assert mean <= high + 1e-12
    assert low <= middle <= high
    assert abs(middle) <= min(abs(low), abs(high)) + 1e-12
    assert own <= seen
    for wider in (
        likely_range(found, 20),
        likely_range(replace(found, variances=4 * found.variances), 9),
    ):
        (lower, _, higher), _ = wider
        assert lower <= low
        assert higher >= high


def test_a_ranker_alike_on_all_queries_is_equivalent_within_the_margin() -> None:
    alike = Estimate(np.zeros(10), np.zeros(10))
    assert likely_verdicts(alike, planned(0.01), 0.01, 1, 9) == {Verdict.EQUIVALENT}
    assert likely_verdicts(alike, planned(0.0), 0.0, 1, 9) == {Verdict.INCONCLUSIVE}
    one = Estimate(np.array([0.5]), np.array([0.0]))
    assert likely_verdicts(one, planned(0.01), 0.01, 1, 9) == {Verdict.INCONCLUSIVE}


def test_much_noise_leaves_every_verdict_open() -> None:
    column = np.linspace(-0.01, 0.01, 40)
    found = Estimate(column, np.full(40, 1.0))
    assert likely_verdicts(found, planned(0.02), 0.02, 1, 9) == {
        Verdict.BETTER,
        Verdict.WORSE,
        Verdict.EQUIVALENT,
    }
    assert likely_losses(found, planned(0.02), 0.02, 9) == {True, False}


@pytest.mark.parametrize("name", ["EnDCG@5", "sDCG@5", "RBP@5", "P@5"])
@pytest.mark.parametrize("share", [0.15, 0.35, 0.8])
def test_the_mean_with_all_labels_lies_in_the_range(
    collect: Collect, name: str, share: float
) -> None:
    measure = parse_measure(name)
    missed = 0
    for seed in range(3):
        found = collect(seed, queries=40)
        stakes, gains = found.stakes(measure), found.gains(measure)
        clues = clues_of(stakes, {q.id: q for q in found.queries}, found.documents)
        weights, folds = stakes.weights[1] - stakes.weights[0], fold_of(stakes.query_ids)
        chances = chances_of(np.abs(weights), share * np.count_nonzero(weights))
        truth = stakes.column(weights, gains).mean()
        for draw in range(40):
            sampled = lots(stakes.documents, draw) < chances
            forecasts = forecast(stakes, clues, gains, sampled, folds)
            made = estimate(stakes, weights, gains, forecasts, chances, sampled, draw)
            (low, _, high), _ = likely_range(made, 9)
            missed += not low <= truth <= high
    assert missed <= 5  # of 120, where 10 % over nine looks together are accepted
