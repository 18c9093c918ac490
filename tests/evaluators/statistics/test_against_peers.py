"""scipy's numbers on many kinds of differences: skewed, mostly zero, on a grid, of few queries.

What needs other packages than scipy is compared by `benchmarks/peers.py`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.statistics import (
    equivalence_p,
    mean_interval,
    non_inferiority_p,
    paired_t_p,
    queries_needed,
    sign_flip_p,
    smallest_detectable,
)

GRID = 20
KINDS = ["normal", "skewed", "mostly zero", "gridded"]


def drawn(kind: str, count: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Differences with some spread, shape [n]."""
    generator = np.random.default_rng([KINDS.index(kind), count, seed])
    found = {
        "normal": generator.normal(0.02, 0.15, count),
        "skewed": generator.exponential(0.1, count) - 0.08,
        "mostly zero": np.where(np.arange(count) % 3, 0.0, generator.normal(0.05, 0.25, count)),
        "gridded": generator.permutation(np.arange(count) % 11 - 4) / GRID,
    }
    return found[kind]


@pytest.mark.parametrize("count", [2, 3, 5, 12, 50, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_students_numbers_are_scipys(kind: str, count: int) -> None:
    values = drawn(kind, count)
    two_sided = stats.ttest_1samp(values, 0)
    assert paired_t_p(values) == pytest.approx(two_sided.pvalue, abs=1e-12)
    ends = two_sided.confidence_interval(0.95)
    assert mean_interval(values)[1:] == pytest.approx((ends.low, ends.high), abs=1e-12)
    above = stats.ttest_1samp(values, -0.05, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.05, alternative="less").pvalue
    assert non_inferiority_p(values, 0.05) == pytest.approx(above, abs=1e-12)
    assert equivalence_p(values, 0.05) == pytest.approx(max(above, below), abs=1e-12)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_the_exact_sign_flip_p_is_scipys_of_whole_numbers(kind: str, count: int) -> None:
    # On a grid sums tie, and rounding must not decide: scipy gets whole numbers, ours does not.
    values = drawn(kind, count)
    theirs = stats.permutation_test(
        (np.rint(GRID * values) if kind == "gridded" else values,),
        np.mean,
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip_p(values, seed=0) == pytest.approx(theirs.pvalue, abs=1e-12)


def power(effect: float, count: int, alpha: float) -> float:
    """Of a two-sided paired t-test, by scipy's noncentral t; effect in standard deviations."""
    limit = float(stats.t.ppf(1 - alpha / 2, count - 1))
    shifted = stats.nct(count - 1, effect * math.sqrt(count))
    return float(shifted.sf(limit) + shifted.cdf(-limit))


@pytest.mark.parametrize("count", [20, 50, 400])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_smallest_detectable_difference_has_the_power_that_it_claims(
    count: int, alpha: float
) -> None:
    values = drawn("normal", count)
    found = smallest_detectable(values, alpha=alpha)
    assert found is not None
    assert power(found / float(np.std(values, ddof=1)), count, alpha) == pytest.approx(
        0.8, abs=0.01
    )


@pytest.mark.parametrize(("spread", "target"), [(0.1, 0.01), (0.2, 0.02), (0.15, 0.05), (0.3, 0.1)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_so_many_queries_have_the_power_and_two_fewer_do_not(
    spread: float, target: float, alpha: float
) -> None:
    count = queries_needed(spread, target, alpha=alpha)
    assert power(target / spread, count + 1, alpha) >= 0.8
    assert power(target / spread, count - 2, alpha) < 0.8
