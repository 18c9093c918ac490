"""Means corrected by an audit: formulas by hand, ppi_py's numbers, and what always holds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from relevance_eval.evaluators.statistics import (
    Interval,
    mean_interval,
    paired_t_p,
)
from relevance_eval.evaluators.statistics.prediction_powered import (
    FOLDS,
    Powered,
    Sample,
    prediction_powered,
)

Floats = npt.NDArray[np.float64]

PEOPLE = np.array([0.12, -0.05, 0.30, 0.02, 0.00, 0.18, -0.11, 0.07, 0.25, 0.04])
AUDITED = np.array([0.20, 0.05, 0.28, 0.10, 0.06, 0.22, -0.02, 0.09, 0.30, 0.15])
OTHERS = np.array(
    [
        *(0.11, 0.02, 0.25, -0.04, 0.17, 0.09, 0.31, 0.00, 0.13, 0.06),
        *(0.21, -0.08, 0.10, 0.19, 0.03, 0.27, 0.08, 0.14, 0.05, 0.12),
    ]
)
ALL = np.concatenate([AUDITED, OTHERS])
FIRST_TEN = Sample.simple(30, np.arange(10))
# ppi-python 0.2.3, ppi_mean_pointestimate and ppi_mean_ci(alpha=0.05) of the three arrays:
# its lam, the estimate, and the ends of its interval.
RECORDED = [
    (0.0, 0.082, 0.005195415728890915, 0.1588045842711091),
    (0.5, 0.06575, 0.01333115346892462, 0.11816884653107539),
    (2 / 3, 0.06033333333333332, 0.012018686120810182, 0.10864798054585646),
    (1.0, 0.0495, -0.00012764657580267846, 0.09912764657580268),
]


class Drawn(NamedTuple):
    labeler: Floats
    people: Floats
    sample: Sample


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


@pytest.mark.parametrize(("lam", "estimate", "low", "high"), RECORDED)
def test_the_estimate_is_ppi_pys(lam: float, estimate: float, low: float, high: float) -> None:
    # Its predictions exclude the audited queries: its weight is ours times 20 / 30.
    found = prediction_powered(ALL, PEOPLE, FIRST_TEN, weight=lam * 30 / 20)
    assert found.interval.mean == pytest.approx(estimate, abs=1e-12)


@pytest.mark.parametrize(("lam", "estimate", "low", "high"), RECORDED)
def test_the_interval_is_ppi_pys_in_large_samples(
    lam: float, estimate: float, low: float, high: float
) -> None:
    # 50 copies of each query: its z and population deviations then are our t and sample ones.
    copies = np.concatenate([np.tile(AUDITED, 50), np.tile(OTHERS, 50)])
    sample = Sample.simple(1500, np.arange(500))
    found = prediction_powered(copies, np.tile(PEOPLE, 50), sample, weight=lam * 30 / 20)
    assert width(found.interval) == pytest.approx((high - low) / math.sqrt(50), rel=0.04)


def test_without_the_labeler_it_is_the_t_interval_of_people_alone() -> None:
    found = prediction_powered(ALL, PEOPLE, FIRST_TEN, weight=0.0)
    assert found.interval == found.people == pytest.approx(mean_interval(PEOPLE), abs=1e-12)
    assert (found.width, found.weight, found.audited, found.queries) == (1.0, 0.0, 10, 30)
    assert found.p == pytest.approx(paired_t_p(PEOPLE), rel=1e-9)


def test_a_weight_of_1_adds_the_audits_mean_error_to_the_labelers_mean() -> None:
    found = prediction_powered(ALL, PEOPLE, FIRST_TEN, weight=1.0)
    assert found.interval.mean == pytest.approx(ALL.mean() + (PEOPLE - AUDITED).mean(), abs=1e-12)
    queries, error = PEOPLE.var(ddof=1) / 30, (PEOPLE - AUDITED).var(ddof=1) * (1 / 10 - 1 / 30)
    half = stats.t.ppf(0.975, 9) * math.sqrt(queries + error)
    assert width(found.interval) == pytest.approx(2 * half, rel=1e-9)
    assert found.correlation == pytest.approx(np.corrcoef(PEOPLE, AUDITED)[0, 1], rel=1e-9)


def test_the_weight_of_a_query_is_the_slope_over_the_other_folds() -> None:
    doubled = 2 * AUDITED  # so that no slope is above 1
    found = prediction_powered(2 * ALL, PEOPLE, FIRST_TEN)  # ten folds of one query each
    slopes = np.array(
        [np.polyfit(np.delete(doubled, n), np.delete(PEOPLE, n), 1)[0] for n in range(len(PEOPLE))]
    )
    assert 0 < slopes.min() < slopes.max() < 1
    residuals = PEOPLE - slopes * (doubled - 2 * ALL.mean())
    assert found.weight == pytest.approx(slopes.mean(), rel=1e-9)
    assert found.interval.mean == pytest.approx(residuals.mean(), rel=1e-9)


def test_the_slope_is_within_strata_and_weighted_by_inverse_chances() -> None:
    # 8 queries of the first stratum, of which 5 are audited; 22 of the second, also 5.
    labeler, stratum = 2 * ALL, np.array([0] * 5 + [1] * 5 + [0] * 3 + [1] * 17)
    audited, chance = stratum[:10], np.array([5 / 8] * 5 + [5 / 22] * 5)
    found = prediction_powered(
        labeler, PEOPLE, Sample(np.arange(10), chance, np.arange(10), stratum)
    )
    design = np.column_stack([labeler[:10], audited == 0, audited == 1])
    root = np.sqrt(1 / chance)
    slopes = []
    for n in range(10):
        rows = np.delete(np.arange(10), n)
        lines, values = design[rows] * root[rows, None], PEOPLE[rows] * root[rows]
        slopes.append(np.linalg.lstsq(lines, values, rcond=None)[0][0])
    assert 0 < min(slopes) < max(slopes) < 1
    means = np.array([labeler[stratum == s].mean() for s in (0, 1)])[audited]
    corrected = PEOPLE - slopes * (labeler[:10] - means)
    expected = (8 * corrected[:5].mean() + 22 * corrected[5:].mean()) / 30
    assert found.weight == pytest.approx(np.mean(slopes), rel=1e-9)
    assert found.interval.mean == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("audited", "weight"), [(4, 0.0), (5, 1.0)])
def test_a_weight_is_fitted_on_four_queries_or_more(audited: int, weight: float) -> None:
    rows = np.arange(audited)
    assert prediction_powered(ALL, ALL[rows], Sample.simple(30, rows)).weight == pytest.approx(
        weight
    )


def test_unequal_chances_are_in_the_variance_and_in_the_correlation() -> None:
    chance = np.array([0.9, 0.5, 0.25, 0.2, 0.4, 0.3, 0.1, 0.6, 0.25, 0.2])
    sample = Sample(np.arange(10), chance, np.arange(10), np.zeros(30, dtype=np.int64))
    found = prediction_powered(ALL, PEOPLE, sample, weight=0.0)
    u = (1 / chance) / (1 / chance).sum()
    squares = (PEOPLE - u @ PEOPLE) ** 2
    of_queries = u @ squares / (1 - u @ u) / 30
    of_draw = 9 / 10 * ((1 - chance) * u**2 * squares / (1 - u) ** 2).sum()
    assert found.error == pytest.approx(math.sqrt(of_queries + of_draw), rel=1e-9)
    covariance = np.cov(PEOPLE, AUDITED, aweights=1 / chance)
    deviations = np.sqrt(np.diag(covariance))
    assert found.correlation == pytest.approx(covariance[0, 1] / deviations.prod(), rel=1e-9)


def test_a_labeler_of_small_differences_has_no_weight_above_1() -> None:
    assert prediction_powered(ALL / 10, PEOPLE, FIRST_TEN).weight == 1.0


def test_when_all_queries_are_audited_the_labeler_changes_nothing() -> None:
    sample = Sample.simple(10, np.arange(10))
    found = prediction_powered(AUDITED, PEOPLE, sample, weight=0.7)
    assert found.interval == pytest.approx(mean_interval(PEOPLE), abs=1e-12)
    assert found.to_halve is None


def test_strata_count_by_their_share_of_all_queries() -> None:
    # 8 queries of the first stratum, of which 2 are audited; 4 of the second, 3 audited.
    stratum = np.array([0] * 8 + [1] * 4)
    rows, people = np.array([0, 1, 8, 9, 10]), np.array([0.1, 0.3, 0.9, 0.6, 0.6])
    chance = np.array([2 / 8] * 2 + [3 / 4] * 3)
    sample = Sample(rows, chance, np.arange(5), stratum)
    found = prediction_powered(np.zeros(12), people, sample, weight=0.0)
    mean = 8 / 12 * 0.2 + 4 / 12 * 0.7
    within = 8 / 12 * 0.02 + 4 / 12 * 0.03
    between = 8 / 12 * (0.2 - mean) ** 2 + 4 / 12 * (0.7 - mean) ** 2
    draw = (8 / 12) ** 2 * 0.02 * (1 / 2 - 1 / 8) + (4 / 12) ** 2 * 0.03 * (1 / 3 - 1 / 4)
    assert found.interval.mean == pytest.approx(mean, abs=1e-12)
    assert found.error == pytest.approx(math.sqrt((within + between) / 12 + draw), rel=1e-9)
    assert found.degrees == 3


def test_improbable_queries_count_for_those_that_were_not_drawn() -> None:
    sample = Sample(np.arange(3), np.array([0.5, 0.25, 0.25]), np.arange(3), np.zeros(10, np.int64))
    found = prediction_powered(np.zeros(10), np.array([0.1, 0.2, 0.4]), sample, weight=0.0)
    assert found.interval.mean == pytest.approx((2 * 0.1 + 4 * 0.2 + 4 * 0.4) / 10, abs=1e-12)


def test_so_many_more_queries_halve_the_interval_and_one_fewer_does_not() -> None:
    sample = Sample.simple(1000, np.arange(10))
    found = prediction_powered(np.zeros(1000), PEOPLE, sample, weight=0.0)
    assert found.to_halve is not None

    def half(count: int) -> float:
        return float(stats.t.ppf(0.975, count - 1)) * PEOPLE.std(ddof=1) / math.sqrt(count)

    assert half(10 + found.to_halve) <= half(10) / 2 < half(10 + found.to_halve - 1)


def test_a_set_that_is_too_small_to_halve_the_interval_is_told() -> None:
    assert prediction_powered(ALL, PEOPLE, FIRST_TEN).to_halve is None


def test_one_audited_query_has_an_estimate_and_no_interval() -> None:
    found = prediction_powered(ALL, PEOPLE[:1], Sample.simple(30, np.arange(1)))
    assert found.interval == Interval(PEOPLE[0], None, None)
    assert (found.error, found.width, found.to_halve, found.p) == (None, None, None, 1.0)


def test_an_audit_without_a_difference_is_no_proof_that_there_is_none() -> None:
    found = prediction_powered(ALL, np.zeros(10), FIRST_TEN)
    assert found.interval == Interval(0.0, None, None)
    assert (found.correlation, found.p) == (None, 1.0)


def test_rankers_that_never_differ_differ_by_0() -> None:
    found = prediction_powered(np.zeros(30), np.zeros(10), FIRST_TEN)
    assert found.interval == Interval(0.0, 0.0, 0.0)
    assert (found.p, found.to_halve) == (1.0, None)


def test_a_labeler_against_people_is_left_aside() -> None:
    assert prediction_powered(-ALL, PEOPLE, FIRST_TEN).weight == 0.0


VALUE = st.floats(-1, 1, allow_subnormal=False).map(lambda v: round(v, 3))


@st.composite
def audits(draw: st.DrawFn) -> Drawn:
    """8 to 40 queries in one or two strata, some of them audited."""
    count = draw(st.integers(8, 40))
    labeler = np.array(draw(st.lists(VALUE, min_size=count, max_size=count)))
    stratum = np.arange(count) % draw(st.integers(1, 2))
    audited = draw(st.integers(6, count))
    rows = np.arange(audited)
    people = np.array(draw(st.lists(VALUE, min_size=audited, max_size=audited)))
    chance = (np.bincount(stratum[rows]) / np.bincount(stratum))[stratum[rows]]
    return Drawn(labeler, people, Sample(rows, chance, rows % FOLDS, stratum))


def same(one: Powered, other: Powered) -> None:
    assert one.interval == pytest.approx(other.interval, abs=1e-9)
    assert one.people == pytest.approx(other.people, abs=1e-9)
    assert one.weight == pytest.approx(other.weight, abs=1e-6)


@given(audits())
@settings(deadline=None, max_examples=60)
def test_swapping_the_rankers_negates_the_estimate(drawn: Drawn) -> None:
    found = prediction_powered(*drawn)
    swapped = prediction_powered(-drawn.labeler, -drawn.people, drawn.sample)
    assert swapped.interval.mean == -found.interval.mean
    assert (swapped.error, swapped.weight, swapped.width) == (
        found.error,
        found.weight,
        found.width,
    )
    if found.interval.low is not None and found.interval.high is not None:
        assert swapped.interval == (-found.interval.mean, -found.interval.high, -found.interval.low)


@given(audits(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_the_order_of_the_queries_does_not_matter(drawn: Drawn, seed: int) -> None:
    labeler, people, sample = drawn
    generator = np.random.default_rng(seed)
    order, shuffle = generator.permutation(len(labeler)), generator.permutation(len(people))
    place = np.argsort(order)
    moved = Sample(
        place[sample.rows][shuffle],
        sample.probability[shuffle],
        sample.fold[shuffle],
        sample.stratum[order],
    )
    same(
        prediction_powered(labeler[order], people[shuffle], moved),
        prediction_powered(labeler, people, sample),
    )


@given(audits())
@settings(deadline=None, max_examples=60)
def test_a_labeler_that_says_what_people_say_never_widens_the_interval(drawn: Drawn) -> None:
    labeler, _, sample = drawn
    found = prediction_powered(labeler, labeler[sample.rows], sample)
    # A single query that differs cannot be foretold from the others: its fold has weight 0.
    assume(found.weight == pytest.approx(1.0, abs=1e-9))
    assert found.width is not None
    assert found.width <= 1 + 1e-9


@given(audits(), st.floats(-2, 2))
@settings(deadline=None, max_examples=60)
def test_a_constant_error_of_the_labeler_changes_nothing(drawn: Drawn, bias: float) -> None:
    labeler, people, sample = drawn
    same(
        prediction_powered(labeler + bias, people, sample),
        prediction_powered(labeler, people, sample),
    )


@pytest.mark.parametrize("design", ["simple", "strata", "weights"])
def test_the_interval_holds_the_truth_as_often_as_it_says_though_the_labeler_is_biased(
    design: str,
) -> None:
    generator, held, labelers = np.random.default_rng(7), 0, 0
    trials, count, audited = 1000, 300, 30
    for _ in range(trials):
        kind = generator.random(count) < 0.3
        truth = generator.normal(0.02 + 0.1 * kind, 0.15)  # mean 0.05
        labeler = 0.6 * truth + 0.08 + generator.normal(0, 0.06, count)
        stratum = kind.astype(np.int64) if design == "strata" else np.zeros(count, np.int64)
        if design == "weights":
            chance = audited * (1 + 2 * kind) / (1 + 2 * kind).sum()
            rows = np.flatnonzero(generator.random(count) < chance)
            probability = chance[rows]
        else:
            parts = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
            sizes = [audited] if design == "simple" else [15, 15]
            chosen = [generator.choice(p, n, False) for p, n in zip(parts, sizes, strict=True)]
            rows = np.concatenate(chosen)
            probability = np.concatenate(
                [np.full(n, n / len(p)) for p, n in zip(parts, sizes, strict=True)]
            )
        fold = generator.permutation(len(rows)) % FOLDS
        found = prediction_powered(labeler, truth[rows], Sample(rows, probability, fold, stratum))
        low, high = found.interval.low, found.interval.high
        assert low is not None
        assert high is not None
        held += low <= 0.05 <= high
        alone = mean_interval(labeler)
        labelers += (alone.low or 0) <= 0.05 <= (alone.high or 0)
    assert 0.93 <= held / trials <= 0.98
    assert labelers / trials < 0.05
