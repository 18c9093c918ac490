"""Two one-sided tests (TOST)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.statistics.non_inferiority import loss_p
from relevance_eval.evaluators.statistics.spread import standard_deviation

__all__ = ["equivalence_p"]


def equivalence_p(differences: npt.NDArray[np.float64], margin: float) -> float:
    """p that the mean difference is `margin` or more away from 0: the larger of two one-sided ones.

    At most alpha means equivalent at level alpha (Schuirmann 1987). Where no query differs from
    another there is no spread to judge by: p is 0 within the margin, but 1 below five queries.

    Args:
        differences: shape [n].
        margin: above 0, in the measure's unit.
    """
    count = len(differences)
    if count < 2 or margin <= 0:
        return 1.0
    mean = math.fsum(differences) / count
    error = standard_deviation(differences) / math.sqrt(count)
    return loss_p(-abs(mean), error, count, margin, count - 1)
