"""The labeler's doubt in the interval, and in what it could do to the verdict."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.difference import per_query
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.label_draws import draw_labels
from relevance_eval.evaluators.label_noise import LabelNoise, flip_risks, label_noise, widened
from relevance_eval.evaluators.measures import measure_run, parse_measure
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.evaluators.statistics import Interval, bca_interval
from relevance_eval.evaluators.verdict import Rule, Verdict

PLAN = Plan(rule=Rule(0.05, 0.01))
INTERVAL = Interval(0.1, 0.06, 0.15)


def test_noise_is_the_spread_of_the_means_and_their_shift() -> None:
    drawn = np.array([[0.1, 0.3], [0.2, 0.6], [0.0, 0.0]])
    found = label_noise(drawn, np.array([0.1, 0.2]))
    assert found.spread == pytest.approx(np.std([0.2, 0.4, 0.0], ddof=1))
    assert found.shift == pytest.approx(0.2 - 0.15)


@pytest.mark.parametrize("value", [0.0, 0.1, -0.07])
def test_queries_whose_labels_are_certain_have_no_noise_of_rounding(value: float) -> None:
    # Drawn beside others that are in doubt, as those of a slice are.
    column = np.full(10, value)
    found = label_noise(np.tile(column, (200, 1)), column)
    assert found == LabelNoise(0.0, pytest.approx(0.0, abs=1e-15))  # type: ignore[arg-type]


def test_noise_of_swapped_rankers_is_mirrored() -> None:
    drawn = np.random.default_rng(0).normal(0.1, 0.3, (50, 20))
    column = drawn.mean(axis=0) + 0.01
    one, two = label_noise(drawn, column), label_noise(-drawn, -column)
    assert (two.spread, two.shift) == (one.spread, -one.shift)


def test_variances_of_queries_and_labels_add() -> None:
    found = widened(Interval(0.1, 0.06, 0.14), LabelNoise(0.03, 0.0))
    half = math.hypot(0.04, 1.959964 * 0.03)
    assert found == pytest.approx((0.1, 0.1 - half, 0.1 + half), abs=1e-7)


@pytest.mark.parametrize(("shift", "low", "high"), [(-0.02, 0.04, 0.15), (0.02, 0.06, 0.17)])
def test_a_shift_lengthens_the_arm_of_its_side(shift: float, low: float, high: float) -> None:
    assert widened(INTERVAL, LabelNoise(0.0, shift)) == pytest.approx((0.1, low, high))


@settings(derandomize=True, deadline=None)
@given(
    st.floats(-0.5, 0.5), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 1), st.floats(-1, 1)
)
def test_noise_never_shrinks_an_interval_and_mirrors_with_it(
    mean: float, below: float, above: float, spread: float, shift: float
) -> None:
    interval, noise = Interval(mean, mean - below, mean + above), LabelNoise(spread, shift)
    found = widened(interval, noise)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= mean - below
    assert found.high >= mean + above
    mirrored = widened(Interval(-mean, -mean - above, -mean + below), LabelNoise(spread, -shift))
    assert mirrored == (-found.mean, -found.high, -found.low)


def test_without_noise_or_without_an_interval_nothing_changes() -> None:
    assert widened(INTERVAL, None) is INTERVAL
    assert widened(INTERVAL, LabelNoise(0.0, 0.0)) == pytest.approx(INTERVAL)
    assert widened(Interval(0.1, None, None), LabelNoise(0.3, 0.1)) == (0.1, None, None)


def test_labels_that_change_nothing_have_no_flip_risk() -> None:
    same = np.tile(np.random.default_rng(0).normal(0.2, 0.1, 40), (60, 1))
    assert flip_risks([same], [Verdict.BETTER], 0.01, PLAN) == [0.0]


def test_the_flip_risk_is_the_share_of_draws_with_another_verdict() -> None:
    clear = np.random.default_rng(0).normal(0.2, 0.1, 40)
    drawn = np.stack([clear] * 70 + [-clear] * 20 + [np.zeros(40)] * 10)
    for verdict, share in (("better", 0.3), ("worse", 0.8), ("equivalent", 0.9)):
        assert flip_risks([drawn], [Verdict(verdict)], 0.01, PLAN) == [pytest.approx(share)]


@pytest.mark.parametrize("correction", ["holm", "maxt"])
def test_the_pairs_of_a_draw_are_corrected_together(correction: str) -> None:
    generator = np.random.default_rng(1)
    plan = replace(PLAN, correction="holm" if correction == "holm" else "maxt")
    # p is 0.03125 alone; beside four others without any effect it is not significant.
    wins = np.tile(np.array([0.1] * 6 + [0.0] * 5), (30, 1))
    others = [generator.normal(0, 0.2, (30, 11)) for _ in range(4)]
    verdicts = [Verdict.BETTER, *[Verdict.INCONCLUSIVE] * 4]
    assert flip_risks([wins], verdicts[:1], 0.01, plan) == [0.0]
    assert flip_risks([wins, *others], verdicts, 0.01, plan)[0] > 0.5


def test_no_margin_leaves_nothing_equivalent() -> None:
    zeros = np.zeros((20, 30))
    plan = replace(PLAN, rule=Rule(0.05, 0.0))
    assert flip_risks([zeros], [Verdict.INCONCLUSIVE], 0.0, plan) == [0.0]


def world(generator: np.random.Generator, queries: int) -> tuple[list[Run], dict, dict]:
    """Two rankers that follow the labeler's expectation more and less, its distributions, and
    grades drawn from them: the truth, of which the labeler is as unsure as it says."""
    judged: dict[str, dict[str, Judgment]] = {}
    truth: dict[str, dict[str, Judgment]] = {}
    results: dict[str, dict[str, Result]] = {"a": {}, "b": {}}
    for number in range(queries):
        quality = generator.normal(0, 1, 20)
        weights = np.exp([0, -0.3, -1, -2] + np.arange(4) * quality[:, None])
        given = weights / weights.sum(axis=1, keepdims=True)
        grades = (generator.random((20, 1)) > given.cumsum(axis=1)[:, :3]).sum(axis=1)
        query = f"q{number}"
        judged[query] = {f"d{i}": Judgment("m", tuple(p)) for i, p in enumerate(given.tolist())}
        truth[query] = {f"d{i}": Judgment.certain("p", int(g)) for i, g in enumerate(grades)}
        for name, weight in (("a", 0.5), ("b", 0.8)):
            scores = weight * (given @ np.arange(4)) + generator.normal(0, 0.6, 20)
            hits = [Hit(f"d{i}", -float(r)) for r, i in enumerate(np.argsort(-scores)[:10])]
            results[name][query] = Result(tuple(hits))
    return [Run(name, found) for name, found in results.items()], judged, truth


def test_the_interval_covers_what_people_would_find_where_the_labeler_is_calibrated() -> None:
    # The queries' own interval does not: it knows nothing of how unsure each label is.
    measure, generator, trials = parse_measure("EnDCG@10"), np.random.default_rng(0), 60
    covered = np.zeros(2)
    for seed in range(trials):
        runs, judged, truth = world(generator, 25)
        ids = list(judged)
        measured = {r.ranker: measure_run(r, ids, judged, measure) for r in runs}
        column = per_query(measured["a"], measured["b"])
        draws = draw_labels(runs, judged, measure, measured, draws=200, seed=seed)
        assert draws is not None
        queries = bca_interval(column, seed=seed, resamples=1000)
        total = widened(queries, label_noise(draws.differences("a", "b"), column))
        people = [measure_run(r, ids, truth, measure) for r in runs]
        found = per_query(*people).mean()
        for place, (_, low, high) in enumerate((queries, total)):
            assert low is not None
            assert high is not None
            covered[place] += low <= found <= high
    alone, together = covered / trials
    assert together >= 0.95
    assert alone < 0.9
