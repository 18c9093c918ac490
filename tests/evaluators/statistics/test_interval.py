"""The interval of a mean is scipy's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.statistics import Interval, mean_interval, paired_t_p


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_the_interval_equals_scipys(sample: npt.NDArray[np.float64], level: float) -> None:
    low, high = stats.t.interval(
        level, len(sample) - 1, loc=np.mean(sample), scale=stats.sem(sample)
    )
    reference = (float(np.mean(sample)), low, high)
    assert mean_interval(sample, level) == pytest.approx(reference, rel=1e-9)


def test_the_interval_excludes_zero_exactly_when_the_t_test_is_significant(
    sample: npt.NDArray[np.float64],
) -> None:
    found = mean_interval(sample)
    assert found.low is not None
    assert found.high is not None
    assert (found.low > 0 or found.high < 0) == (paired_t_p(sample) < 0.05)


def test_one_query_has_a_mean_and_no_interval() -> None:
    assert mean_interval(np.array([0.25])) == Interval(0.25, None, None)
