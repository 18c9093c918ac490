"""What a query set of this size could have shown."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.spread import standard_deviation

__all__ = ["smallest_detectable"]


def smallest_detectable(
    differences: npt.NDArray[np.float64], *, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """The true mean difference that a paired t-test at level alpha would find with this power.

    (t_{1-alpha/2} + t_power) · sd / sqrt(n), n-1 degrees of freedom. None below two queries.
    """
    count = len(differences)
    if count < 2:
        return None
    error = standard_deviation(differences) / math.sqrt(count)
    quantiles = special.stdtrit(count - 1, np.array([1 - alpha / 2, power]))
    return float(quantiles.sum() * error)
