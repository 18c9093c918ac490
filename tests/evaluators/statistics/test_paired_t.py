"""The paired t-test is scipy's, and defined where scipy's is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.statistics import paired_t_p


def test_p_equals_scipys(sample: npt.NDArray[np.float64]) -> None:
    before = np.random.default_rng(1).random(len(sample))
    reference = stats.ttest_rel(before + sample, before).pvalue
    assert paired_t_p(sample) == pytest.approx(reference, rel=1e-9)


def test_swapping_the_rankers_gives_the_same_p(sample: npt.NDArray[np.float64]) -> None:
    assert paired_t_p(-sample) == paired_t_p(sample)


@pytest.mark.parametrize("differences", [[], [0.5], [0.0, 0.0, 0.0]])
def test_nothing_can_be_said_of_one_query_or_of_no_difference(differences: list[float]) -> None:
    assert paired_t_p(np.array(differences)) == 1.0


@pytest.mark.parametrize("count", [2, 3, 1000])
def test_equal_differences_leave_no_doubt(count: int) -> None:
    assert paired_t_p(np.full(count, 0.1)) == 0.0
