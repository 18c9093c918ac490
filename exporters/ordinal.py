"""Fitting an ordinal head: from features and grades to a cumulative-link model."""

# scipy is only partly typed.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead

__all__ = ["fit_ordinal"]

Floats = NDArray[np.float64]
RIDGE = 1e-3
GAP = 1e-3
FLOOR = 1e-12
"""Of a probability, so that its logarithm is finite."""


def fit_ordinal(
    features: Floats,
    grades: NDArray[np.int64],
    names: Sequence[str],
    *,
    share: Floats | None = None,
    count: int = 4,
    rising: bool = False,
    prior: float = 0.0,
) -> OrdinalHead:
    """Maximum likelihood of the cumulative-link model (McCullagh 1980), with a small ridge on the
    weights.

    Args:
        features: float64 [n, f], in the order of `names`.
        grades: int64 [n], 0 to count - 1.
        share: weight of each pair, [n], above 0; all the same if None.
        rising: no weight is below 0, so that a higher feature never means a lower grade.
        prior: pairs of each grade that are added at the mean of the features, 0 or more. Half a
            pair (Jeffreys 1946) keeps the cut point of a grade that nobody gave finite.

    Raises:
        ValueError: the optimiser does not converge.
    """
    weight = np.full(len(features), 1.0 / len(features)) if share is None else share
    weight = weight / weight.sum()
    center = weight @ features
    scale = np.maximum(np.sqrt(weight @ (features - center) ** 2), 1e-6)
    standard = (features - center) / scale
    if prior:
        standard = np.concatenate([standard, np.zeros((count, features.shape[1]))])
        grades = np.concatenate([grades, np.arange(count)])
        weight = np.concatenate([weight, np.full(count, prior / len(features))])
        weight = weight / weight.sum()
    width = len(names)
    loss = likelihood(standard, grades, weight)
    bounds = [(0.0 if rising else None, None)] * width + [(None, None)] * (count - 1)
    result = cast(
        "Any",
        minimize(
            loss,
            begin(grades, weight, width, count),
            method="L-BFGS-B",
            bounds=bounds if rising else None,
            options={"maxiter": 500},
        ),
    )
    if not result.success:
        raise ValueError(f"the head did not converge: {result.message}")
    free = cast("Floats", result.x)
    return OrdinalHead(
        features=tuple(names),
        center=tuple(float(value) for value in center),
        scale=tuple(float(value) for value in scale),
        weights=tuple(float(value) for value in free[:width]),
        thresholds=tuple(float(value) for value in thresholds(free[width:])),
    )


def begin(grades: NDArray[np.int64], weight: Floats, width: int, count: int) -> Floats:
    """Where the search begins: the cut points at which grades are as frequent as they were."""
    reached = np.array([float(weight[grades >= k].sum()) for k in range(1, count)])
    first = -np.log(reached / (1 - reached))
    steps = np.log(np.maximum(np.diff(first), 0.1))
    return np.concatenate([np.full(width, 0.5), first[:1], steps])


def likelihood(
    standard: Floats, grades: NDArray[np.int64], weight: Floats
) -> Callable[[Floats], float]:
    """The penalised negative log likelihood, in nats a pair, of weights and free cut points."""
    width, rows = standard.shape[1], np.arange(len(standard))
    ones, zeros = np.ones((len(standard), 1)), np.zeros((len(standard), 1))

    def loss(free: Floats) -> float:
        weights, cuts = free[:width], thresholds(free[width:])
        at_least = 1.0 / (1.0 + np.exp(-np.clip(standard @ weights, -40, 40)[:, None] + cuts))
        padded = np.concatenate([ones, at_least, zeros], axis=1)
        chosen = padded[rows, grades] - padded[rows, grades + 1]
        likely = float(weight @ np.log(np.maximum(chosen, FLOOR)))
        return -likely + RIDGE * float((weights**2).sum())

    return loss


def thresholds(free: Floats) -> Floats:
    """Ordered cut points from free parameters: the first, then the logs of the steps."""
    return np.cumsum(np.concatenate([free[:1], GAP + np.exp(free[1:])]))
