"""The paired t-test."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.spread import standard_deviation

__all__ = ["paired_t_p"]


def paired_t_p(differences: npt.NDArray[np.float64]) -> float:
    """Two-sided p that differences like these, shape [n], have mean 0 (Student's t, n-1 degrees).

    1 where nothing can be said: fewer than two queries, or no query that differs. Equal
    differences other than 0 have no spread, and p is 0.
    """
    count = len(differences)
    mean = math.fsum(differences) / count if count else 0.0
    if count < 2 or not differences.any():
        return 1.0
    spread = standard_deviation(differences)
    if spread == 0:
        return 0.0
    return float(2 * special.stdtr(count - 1, -abs(mean) / (spread / math.sqrt(count))))
