"""A mean with its confidence interval."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.spread import standard_deviation

__all__ = ["Interval", "mean_interval"]


class Interval(NamedTuple):
    """A mean and the two ends of its interval; the ends are None where there is no spread to tell
    (fewer than two queries)."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: npt.NDArray[np.float64], level: float = 0.95) -> Interval:
    """mean ± t(n-1) · sd / sqrt(n), the two-sided interval that goes with the paired t-test.

    Args:
        values: one per query, shape [n], n >= 1.
        level: confidence, above 0 and below 1.
    """
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    error = standard_deviation(values) / math.sqrt(len(values))
    half = float(special.stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half)
