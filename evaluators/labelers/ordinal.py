"""The head that turns a pair's features into probabilities of grades.

A cumulative-link (proportional-odds) model: with x the features after centring and
scaling, P(grade >= k) = sigmoid(weights . x - thresholds[k - 1]) for k = 1 .. K - 1
(McCullagh 1980). The thresholds do not fall, so the probabilities are never negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["OrdinalHead"]


@dataclass(frozen=True)
class OrdinalHead:
    """Weights and cut points of a cumulative-link model over named features.

    features, center, scale, weights: one entry per feature; scale is > 0.
    thresholds: K - 1 cut points for K grades 0 .. K - 1, in non-falling order.
    """

    features: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.features), len(self.center), len(self.scale), len(self.weights)}
        if len(lengths) != 1 or not self.features:
            raise ValueError("a head needs as many centers, scales and weights as features")
        if not self.thresholds or list(self.thresholds) != sorted(self.thresholds):
            raise ValueError(f"cut points must not fall: {list(self.thresholds)}")
        if min(self.scale) <= 0:
            raise ValueError(f"scales must be above 0: {list(self.scale)}")
        numbers = self.center + self.scale + self.weights + self.thresholds
        if not np.isfinite(numbers).all():
            raise ValueError("a head's numbers must be finite")

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> OrdinalHead:
        """Read the `head` object of a labeler.json. Raises ValueError if it is malformed."""
        names = data.get("features")
        if not isinstance(names, list):
            raise ValueError("the head's 'features' must be a list of names")
        return cls(
            features=tuple(str(name) for name in cast("list[object]", names)),
            center=_numbers(data, "center"),
            scale=_numbers(data, "scale"),
            weights=_numbers(data, "weights"),
            thresholds=_numbers(data, "thresholds"),
        )

    def to_json(self) -> dict[str, list[str] | list[float]]:
        """What from_json reads."""
        return {
            "features": list(self.features),
            "center": list(self.center),
            "scale": list(self.scale),
            "weights": list(self.weights),
            "thresholds": list(self.thresholds),
        }

    def scores(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The latent relevance of each row of `features` [n, f]: float64 [n], unbounded."""
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise ValueError(f"features {features.shape}, expected [n, {len(self.features)}]")
        standard = (features - np.asarray(self.center)) / np.asarray(self.scale)
        return standard @ np.asarray(self.weights, dtype=np.float64)

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(grade) for each row of `features` [n, f]: float64 [n, K], each row sums to 1."""
        logits = self.scores(features)[:, None] - np.asarray(self.thresholds)[None, :]
        at_least = _sigmoid(logits)
        rows = features.shape[0]
        upper = np.concatenate([np.ones((rows, 1)), at_least], axis=1)
        lower = np.concatenate([at_least, np.zeros((rows, 1))], axis=1)
        return upper - lower


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)) without overflow, elementwise."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _numbers(data: Mapping[str, object], key: str) -> tuple[float, ...]:
    values = data.get(key)
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"the head's {key!r} must be a list of numbers")
    numbers: list[float] = []
    for value in cast("Sequence[object]", values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"the head's {key!r} holds {value!r}, not a number")
        numbers.append(float(value))
    return tuple(numbers)
