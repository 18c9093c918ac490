"""Fitting the ordinal head to human grades."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.pairs import Pairs, joined

__all__ = ["expected_grades", "fit_head", "query_folds"]

_RIDGE = 1e-3
_GAP = 1e-3


def _thresholds(free: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ordered cut points from free parameters: the first, then the logs of the steps."""
    return np.cumsum(np.concatenate([free[:1], _GAP + np.exp(free[1:])]))


def fit_head(parts: Sequence[Pairs], names: Sequence[str], grades: int = 4) -> OrdinalHead:
    """Maximum likelihood of the cumulative-link model, with a small ridge on the weights.

    Each collection in `parts` counts the same in all, each of its pairs the same: no grade is
    weighted up. Raises ValueError if the optimiser does not converge.
    """
    pairs = joined(parts)
    share = np.concatenate([np.full(len(p.grades), 1.0 / len(p.grades)) for p in parts])
    share /= share.sum()
    features = pairs.columns(names)
    center = share @ features
    scale = np.maximum(np.sqrt(share @ (features - center) ** 2), 1e-6)
    standard = (features - center) / scale
    reached = np.array([float(share[pairs.grades >= k].sum()) for k in range(1, grades)])
    first = -np.log(reached / (1 - reached))
    start = np.concatenate(
        [np.full(len(names), 0.5), first[:1], np.log(np.maximum(np.diff(first), 0.1))]
    )

    def loss(free: NDArray[np.float64]) -> float:
        weights, cuts = free[: len(names)], _thresholds(free[len(names) :])
        at_least = 1.0 / (1.0 + np.exp(-np.clip(standard @ weights, -40, 40)[:, None] + cuts))
        padded = np.concatenate(
            [np.ones((len(at_least), 1)), at_least, np.zeros((len(at_least), 1))], axis=1
        )
        rows = np.arange(len(at_least))
        chosen = padded[rows, pairs.grades] - padded[rows, pairs.grades + 1]
        likelihood = float(share @ np.log(np.maximum(chosen, 1e-12)))
        return -likelihood + _RIDGE * float((weights**2).sum())

    result = cast("Any", minimize(loss, start, method="L-BFGS-B", options={"maxiter": 500}))
    if not result.success:
        raise ValueError(f"the head did not converge: {result.message}")
    free = cast("NDArray[np.float64]", result.x)
    return OrdinalHead(
        features=tuple(names),
        center=tuple(float(value) for value in center),
        scale=tuple(float(value) for value in scale),
        weights=tuple(float(value) for value in free[: len(names)]),
        thresholds=tuple(float(value) for value in _thresholds(free[len(names) :])),
    )


def expected_grades(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean grade under each row of probabilities [n, K], 0 to K - 1."""
    return probabilities @ np.arange(probabilities.shape[1], dtype=np.float64)


def query_folds(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of `count` queries, int64 [count], folds of equal size at random."""
    order = np.random.default_rng(seed).permutation(count)
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % folds
    return fold
