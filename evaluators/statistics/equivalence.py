"""Two one-sided tests (TOST)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.spread import below, standard_deviation

__all__ = ["equivalence_p"]

FEWEST = 5


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
    if error == 0:
        return 0.0 if below(abs(mean), margin) and count >= FEWEST else 1.0
    return float(special.stdtr(count - 1, (abs(mean) - margin) / error))
