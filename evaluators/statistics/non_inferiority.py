"""One one-sided test: not worse than by a margin."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.spread import below, standard_deviation

__all__ = ["FEWEST", "loss_p", "non_inferiority_p"]

FEWEST = 5
"""Queries without any spread below which the tests of a margin say nothing."""


def non_inferiority_p(differences: npt.NDArray[np.float64], margin: float) -> float:
    """p that the ranker is worse than the baseline by `margin` or more; Student's t, n-1 degrees.

    At most alpha means non-inferior at level alpha. A margin of 0 asks for more than "no worse":
    it is the one-sided test of better. Where no query differs from another there is no spread to
    judge by: p is 0 above -margin, but 1 below five queries. 1 with fewer than two queries.

    Args:
        differences: ranker minus baseline, shape [n].
        margin: 0 or more, in the measure's unit.
    """
    count = len(differences)
    if count < 2:
        return 1.0
    mean = math.fsum(differences) / count
    error = standard_deviation(differences) / math.sqrt(count)
    return loss_p(mean, error, count, margin, count - 1)


def loss_p(mean: float, error: float, count: int, margin: float, degrees: int) -> float:
    """As `non_inferiority_p`, of a mean difference of `count` queries with this standard error."""
    if error == 0:
        return 0.0 if below(-mean, margin) and count >= FEWEST else 1.0
    return float(special.stdtr(degrees, -(mean + margin) / error))
