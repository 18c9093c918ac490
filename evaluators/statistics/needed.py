"""How many queries it takes to see a difference."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

__all__ = ["queries_needed"]


def queries_needed(spread: float, target: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """The smallest n, 2 or more, with which a paired t-test finds a true mean difference.

    (t_{1-alpha/2} + t_power) · spread / sqrt(n) <= target, n-1 degrees of freedom: the formula of
    the smallest detectable difference, solved for n.

    Args:
        spread: standard deviation of per-query differences, of a pilot or of a comparison.
        target: the true mean difference to find, above 0.

    Raises:
        ValueError: a target of 0 or less.
    """
    if target <= 0:
        raise ValueError(f"a difference to find is above 0, not {target}")
    levels = np.array([1 - alpha / 2, power])
    # With t for z it is always more than this; from here on it is a step or a few.
    count = max(2, math.ceil((float(special.ndtri(levels).sum()) * spread / target) ** 2))
    while float(special.stdtrit(count - 1, levels).sum()) * spread > target * math.sqrt(count):
        count += 1
    return count
