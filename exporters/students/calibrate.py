"""Making a student's four logits mean what they say: one temperature, and cut points.

Both are fitted on held-out pairs. What they are worth is measured on queries that they were not
fitted on: the held-out queries fall into two halves, and each is judged by the other's fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.exporters.builtin.cuts import fit_cuts

__all__ = [
    "FEWEST",
    "Calibration",
    "calibration_error",
    "cross_fitted",
    "fit_calibration",
    "log_loss",
    "softmax",
]

FEWEST = 30
"""Pairs with a reference grade from which a calibration is fitted."""
BINS = 10
WIDEST = float(np.log(20))

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What becomes of logits.

    Attributes:
        temperature: divides them before the softmax; above 0, 1 for as they are.
        cuts: expected grades from which grade 1, 2 and 3 are named; none for rounding.
    """

    temperature: float = 1.0
    cuts: tuple[float, ...] = ()

    def judgments(self, logits: NDArray[np.float32], labeler: str) -> list[Judgment]:
        """As the finished labeler will answer; logits [n, 4]."""
        rows = softmax(logits, self.temperature).tolist()
        return [Judgment.with_cuts(labeler, row, self.cuts) for row in rows]


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> Floats:
    """Probabilities, shape [n, 4], each row summing to 1."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(probabilities: Floats, targets: Floats) -> float:
    """Mean of -sum_k t_k log p_k, in nats."""
    return float(-(targets * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1).mean())


def calibration_error(probabilities: Floats, targets: Floats) -> float:
    """Expected calibration error of "grade k or more", averaged over k = 1, 2, 3; 0 to 1.

    Ten bins of equal width; in each the mean probability is held against the share that reached
    the grade (Naeini et al. 2015). Both arguments have the shape [n, 4]; a reference that is sure
    has 1 at its grade.
    """
    errors: list[float] = []
    for grade in GRADES[1:]:
        said, true = probabilities[:, grade:].sum(axis=1), targets[:, grade:].sum(axis=1)
        place = np.minimum((said * BINS).astype(np.int64), BINS - 1)
        gaps = np.abs(np.bincount(place, weights=said - true, minlength=BINS))
        errors.append(float(gaps.sum()) / len(said))
    return float(np.mean(errors))


def fit_calibration(
    logits: NDArray[np.float32],
    targets: Floats,
    grades: NDArray[np.int64],
    fewest: int = FEWEST,
) -> Calibration:
    """The temperature of least log loss, and the cut points of greatest quadratic kappa.

    Args:
        logits: [n, 4].
        targets: the reference's probabilities, [n, 4].
        grades: the grades that it names, [n]. Where it names one grade only, no cut point can be
            better than another, and the nearest whole grade is named.
        fewest: pairs; with fewer all is left as it is.
    """
    if len(logits) < fewest:
        return Calibration()
    temperature = fit_temperature(logits, targets)
    expected = softmax(logits, temperature) @ np.array(GRADES, dtype=np.float64)
    if len(np.unique(grades)) < 2 or np.ptp(expected) == 0:
        return Calibration(temperature)
    return Calibration(temperature, fit_cuts([expected], [grades]))


def fit_temperature(logits: NDArray[np.float32], targets: Floats) -> float:
    """Temperature scaling (Guo et al. 2017), between 1/20 and 20."""

    def loss(log_temperature: float) -> float:
        return log_loss(softmax(logits, float(np.exp(log_temperature))), targets)

    optimize: Any = scipy.optimize  # it has no types of its own
    found = optimize.minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded")
    return float(np.exp(found.x))


def cross_fitted(
    logits: NDArray[np.float32],
    targets: Floats,
    grades: NDArray[np.int64],
    queries: Sequence[str],
    seed: int,
) -> list[Calibration]:
    """For each pair, the calibration fitted on the half of the queries that it is not in.

    Where there are enough pairs to fit a calibration on, half of them are enough for its measure.

    Args:
        queries: the query of each pair, [n].
    """
    names = sorted(set(queries))
    order: list[int] = np.random.default_rng(seed).permutation(len(names)).tolist()
    half = {names[i]: place % 2 for place, i in enumerate(order)}
    of_pair = np.array([half[q] for q in queries])
    fewest = FEWEST // 2 if len(logits) >= FEWEST else FEWEST
    fits = [
        fit_calibration(logits[of_pair != h], targets[of_pair != h], grades[of_pair != h], fewest)
        for h in (0, 1)
    ]
    return [fits[h] for h in of_pair]
