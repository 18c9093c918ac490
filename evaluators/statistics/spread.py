"""The standard deviation of a sample."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["standard_deviation"]


def standard_deviation(values: npt.NDArray[np.float64]) -> float:
    """With n - 1 degrees of freedom, in the values' unit; of two values or more.

    Summed exactly, so that neither the order of queries nor swapping rankers moves its last bit.
    """
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((values - mean) ** 2) / (len(values) - 1))
