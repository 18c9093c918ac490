"""The standard deviation of a sample."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["below", "beyond_rounding", "standard_deviation"]

ROUNDING = 1e-12
"""A spread that is so small a share of the largest value is one of arithmetic alone."""


def standard_deviation(values: npt.NDArray[np.float64]) -> float:
    """With n - 1 degrees of freedom, in the values' unit; of two values or more.

    Summed exactly, so that neither the order of queries nor swapping rankers moves its last bit.
    0 where the values differ by rounding alone: a test would take that for certainty.
    """
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((values - mean) ** 2) / (len(values) - 1))
    return beyond_rounding(spread, values)


def beyond_rounding(spread: float, values: npt.NDArray[np.float64]) -> float:
    """The spread of such values, or 0 where arithmetic alone makes it."""
    return spread if spread > ROUNDING * float(np.abs(values).max()) else 0.0


def below(value: float, margin: float) -> bool:
    """Whether it is below the margin by more than rounding: 0.3 - 0.2 is not below 0.1."""
    return value < margin and not math.isclose(value, margin, rel_tol=1e-9)
