"""One one-sided test against a margin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.statistics import equivalence_p, mean_interval, non_inferiority_p


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.05, 0.2])
def test_p_is_scipys_one_sided_test(sample: npt.NDArray[np.float64], margin: float) -> None:
    reference = stats.ttest_1samp(sample, -margin, alternative="greater").pvalue
    assert non_inferiority_p(sample, margin) == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.05, 0.2])
def test_non_inferior_at_5_percent_is_a_90_percent_interval_above_minus_the_margin(
    sample: npt.NDArray[np.float64], margin: float
) -> None:
    low = mean_interval(sample, 0.9).low
    assert low is not None
    assert (non_inferiority_p(sample, margin) <= 0.05) == (low >= -margin)


def test_equivalence_is_non_inferiority_both_ways(sample: npt.NDArray[np.float64]) -> None:
    both = max(non_inferiority_p(sample, 0.05), non_inferiority_p(-sample, 0.05))
    assert both == pytest.approx(equivalence_p(sample, 0.05), rel=1e-9)


def test_a_wider_margin_is_easier_to_keep(sample: npt.NDArray[np.float64]) -> None:
    p_values = [non_inferiority_p(sample, margin) for margin in (0.0, 0.01, 0.05, 0.2)]
    assert p_values == sorted(p_values, reverse=True)


@pytest.mark.parametrize(
    ("differences", "margin", "p"),
    [
        ([0.0] * 5, 0.01, 0.0),
        ([0.5] * 5, 0.01, 0.0),
        ([-0.5] * 5, 0.01, 1.0),
        ([0.0] * 4, 0.01, 1.0),
        ([0.0] * 5, 0.0, 1.0),
        ([0.5] * 5, 0.0, 0.0),
        ([0.5], 0.01, 1.0),
        ([], 0.01, 1.0),
        ([0.3 - 0.2, 0.4 - 0.3], 0.01, 1.0),
        ([0.2 - 0.3] * 10, 0.1, 1.0),
    ],
    ids=[
        "same",
        "up",
        "down",
        "too few",
        "no margin",
        "no margin, up",
        "one query",
        "no query",
        "a spread of rounding",
        "the margin but for rounding",
    ],
)
def test_p_where_there_is_no_spread(differences: list[float], margin: float, p: float) -> None:
    assert non_inferiority_p(np.array(differences), margin) == p
