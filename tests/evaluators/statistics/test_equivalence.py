"""Two one-sided tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.statistics import equivalence_p, mean_interval


@pytest.mark.parametrize("margin", [0.01, 0.05, 0.2, 1.0])
def test_p_is_the_larger_of_scipys_two_one_sided_tests(
    sample: npt.NDArray[np.float64], margin: float
) -> None:
    above = stats.ttest_1samp(sample, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(sample, margin, alternative="less").pvalue
    assert equivalence_p(sample, margin) == pytest.approx(max(above, below), rel=1e-9)


@pytest.mark.parametrize("margin", [0.01, 0.05, 0.2, 1.0])
def test_equivalent_at_5_percent_is_a_90_percent_interval_within_the_margin(
    sample: npt.NDArray[np.float64], margin: float
) -> None:
    _, low, high = mean_interval(sample, 0.9)
    assert low is not None
    assert high is not None
    assert (equivalence_p(sample, margin) <= 0.05) == (-margin <= low and high <= margin)


def test_swapping_the_rankers_gives_the_same_p(sample: npt.NDArray[np.float64]) -> None:
    assert equivalence_p(-sample, 0.05) == equivalence_p(sample, 0.05)


@pytest.mark.parametrize(
    ("differences", "margin", "p"),
    [
        ([0.0] * 5, 0.01, 0.0),
        ([0.005] * 5, 0.01, 0.0),
        ([0.0] * 4, 0.01, 1.0),
        ([0.5] * 5, 0.01, 1.0),
        ([0.0], 0.01, 1.0),
        ([], 0.01, 1.0),
        ([0.0] * 5, 0.0, 1.0),
    ],
    ids=["same", "close", "too few", "apart", "one query", "no query", "no margin"],
)
def test_p_where_there_is_no_spread(differences: list[float], margin: float, p: float) -> None:
    assert equivalence_p(np.array(differences), margin) == p


@pytest.mark.parametrize(
    ("differences", "margin"),
    [([0.3 - 0.2, 0.4 - 0.3], 0.2), ([0.2 - 0.3] * 10, 0.1)],
    ids=["a spread of rounding on two queries", "the margin but for rounding"],
)
def test_rounding_shows_nothing(differences: list[float], margin: float) -> None:
    assert equivalence_p(np.array(differences), margin) == 1.0
