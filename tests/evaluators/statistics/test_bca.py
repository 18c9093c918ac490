"""The bootstrap interval: scipy's on the same resamples, seeded, mirrored, whatever the order."""

from __future__ import annotations

import math
import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from relevance_eval.evaluators.statistics import Interval, bca_interval, mean_interval
from relevance_eval.evaluators.statistics.bca import bca_limits, resampled_means

HUNDREDTHS = st.lists(st.integers(-100, 100).map(lambda n: n / 100), min_size=2, max_size=30)


def expanded_level(count: int, level: float = 0.95) -> float:
    """The plain bootstrap's level whose normal quantile is sqrt(n / (n - 1)) · t."""
    t = stats.t(count - 1).ppf((1 + level) / 2)
    return float(1 - 2 * stats.norm.sf(math.sqrt(count / (count - 1)) * t))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_limits_are_scipys_on_the_same_resamples(
    sample: npt.NDArray[np.float64], level: float
) -> None:
    # Sums of such values are exact, so that scipy too sees which resamples equal the mean.
    values = np.sort(np.round(sample * 1024) / 1024)
    means = resampled_means(values, seed=4, resamples=2000)

    class Drawn:
        bootstrap_distribution = means

    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=Drawn(),
        confidence_level=level,
        method="BCa",
    ).confidence_interval
    ours = bca_limits(values, means, float(stats.norm.ppf((1 + level) / 2)))
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_few_values_without_skew_have_students_interval() -> None:
    values = stats.norm.ppf((np.arange(12) + 0.5) / 12)  # a plain bootstrap's is 4 % narrower
    _, low, high = bca_interval(values, seed=0, resamples=50_000)
    student = mean_interval(values)
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx((student.high or 0) - (student.low or 0), rel=0.02)


def test_limits_that_bca_does_not_have_are_the_percentiles() -> None:
    outlier = np.array([0.0] * 99 + [1.0])
    means = resampled_means(outlier, seed=0, resamples=1000)
    assert bca_limits(outlier, means, 8.0) == (means.min(), means.max())


def test_the_interval_is_scipys_to_monte_carlo_error() -> None:
    skewed = np.random.default_rng(2).exponential(0.1, 60)
    theirs = stats.bootstrap(
        (skewed,),
        np.mean,
        n_resamples=50_000,
        confidence_level=expanded_level(60),
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    ours = bca_interval(skewed, seed=0, resamples=50_000)
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.03 * width)


def test_of_many_queries_without_skew_it_is_students() -> None:
    values = np.random.default_rng(1).normal(0.02, 0.15, 400)
    ours, students = bca_interval(values, seed=0, resamples=50_000), mean_interval(values)
    assert ours == pytest.approx(students, abs=0.0015)


def test_it_leans_to_the_long_tail() -> None:
    skewed = np.random.default_rng(2).exponential(0.1, 60)
    mean, low, high = bca_interval(skewed, seed=0)
    assert low is not None
    assert high is not None
    assert high - mean > 1.1 * (mean - low)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(HUNDREDTHS, st.integers(0, 2**32))
def test_negated_values_have_the_negated_interval(values: list[float], seed: int) -> None:
    one = bca_interval(np.array(values), seed=seed, resamples=200)
    two = bca_interval(-np.array(values), seed=seed, resamples=200)
    assert one.low is not None
    assert one.high is not None
    assert two == (-one.mean, -one.high, -one.low)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(HUNDREDTHS, st.integers(0, 2**32))
def test_the_order_of_the_queries_does_not_matter(values: list[float], seed: int) -> None:
    shuffled = random.Random(seed).sample(values, len(values))
    assert bca_interval(np.array(shuffled), seed=0, resamples=200) == (
        bca_interval(np.array(values), seed=0, resamples=200)
    )


@settings(derandomize=True, deadline=None, max_examples=60)
@given(HUNDREDTHS)
def test_its_ends_are_in_order_and_within_the_values(values: list[float]) -> None:
    found = bca_interval(np.array(values), seed=0, resamples=200)
    assert found.low is not None
    assert found.high is not None
    assert min(values) - 1e-12 <= found.low <= found.high <= max(values) + 1e-12


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    values = np.random.default_rng(5).normal(0.05, 0.2, 80)
    first, again, other = (bca_interval(values, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert first == pytest.approx(other, abs=0.005)


def test_values_that_mirror_themselves_have_an_interval_that_does() -> None:
    found = bca_interval(np.array([-0.3, 0.3, 0.1, -0.1, 0.0]), seed=0)
    assert found.low == -(found.high or 0) < 0


@pytest.mark.parametrize("value", [0.0, 0.25, -0.25])
def test_equal_values_have_no_spread(value: float) -> None:
    assert bca_interval(np.full(7, value), seed=0) == Interval(value, value, value)


def test_one_query_has_a_mean_and_no_interval() -> None:
    assert bca_interval(np.array([0.25]), seed=0) == Interval(0.25, None, None)


def test_resamples_on_one_side_of_the_mean_give_the_percentile_interval() -> None:
    values = np.array([0.0, 1.0])
    means = np.array([0.6, 0.7, 0.8])
    shares = stats.norm.cdf([-1.96, 1.96])
    assert bca_limits(values, means, 1.96) == pytest.approx(tuple(np.quantile(means, shares)))


def test_it_covers_the_true_mean_as_often_as_it_says() -> None:
    generator = np.random.default_rng(8)
    intervals = [
        bca_interval(generator.normal(0.02, 0.2, 40), seed=0, resamples=1000) for _ in range(400)
    ]
    covered = np.mean([i.low <= 0.02 <= i.high for i in intervals])  # type: ignore[operator]
    assert 0.91 <= covered <= 0.985  # three standard deviations around 95 %
