"""Agreement of a labeler with human grades, each figure with a bootstrap over queries.

Everything is first summed up per query, so that resampling queries is a weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Figure",
    "QuerySums",
    "agreement",
    "bootstrap",
    "difference",
    "order_sums",
    "rounded",
    "sums",
]

_BINS = 10
_GRADES = 4
_DRAWS = 2000
_DEPTH = 10


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % percentile interval over resampled queries."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class QuerySums:
    """Per query: confusion [Q, 4, 4] (human, given), bins [Q, 10, 3] (pairs, sum of
    P(relevant), relevant), pairwise, ndcg and ap [Q] (NaN where a query has none)."""

    confusion: NDArray[np.float64]
    bins: NDArray[np.float64]
    pairwise: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    ap: NDArray[np.float64]


def rounded(expected: NDArray[np.float64]) -> NDArray[np.int64]:
    """Expected grades rounded, halves up, 0 to 3."""
    return np.clip(np.floor(expected + 0.5), 0, _GRADES - 1).astype(np.int64)


def sums(
    queries: NDArray[np.int64],
    grades: NDArray[np.int64],
    given: NDArray[np.int64],
    score: NDArray[np.float64],
    relevant: NDArray[np.float64],
) -> QuerySums:
    """Sum up n pairs. grades: human; given: the labeler's; score: orders documents;
    relevant: the labeler's P(grade >= 2), 0 to 1."""
    count = int(queries.max()) + 1
    confusion = np.zeros((count, _GRADES, _GRADES))
    np.add.at(confusion, (queries, grades, given), 1.0)
    bins = np.zeros((count, _BINS, 3))
    index = np.clip((relevant * _BINS).astype(np.int64), 0, _BINS - 1)
    values = np.stack([np.ones_like(relevant), relevant, (grades >= 2).astype(float)], axis=1)
    np.add.at(bins, (queries, index), values)
    return QuerySums(confusion, bins, *order_sums(queries, grades, score))


def order_sums(
    queries: NDArray[np.int64], grades: NDArray[np.int64], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pairwise accuracy, nDCG@10 and average precision of each query [Q] (NaN: undefined)."""
    count = int(queries.max()) + 1
    out = np.full((3, count), np.nan)
    for query in range(count):
        rows = queries == query
        if rows.any():
            out[0, query] = _pairwise(grades[rows], score[rows])
            out[1, query] = _ndcg(grades[rows], score[rows])
            out[2, query] = _average_precision(grades[rows], score[rows])
    return out[0], out[1], out[2]


def _pairwise(grades: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """Share of pairs of unequal grade in the right order, a tie counting half, 0 to 1."""
    above = grades[:, None] > grades[None, :]
    if not above.any():
        return float("nan")
    gap = np.sign(score[:, None] - score[None, :])
    return float(((gap[above] + 1.0) / 2.0).mean())


def _ndcg(grades: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """nDCG@10 with gain 2^grade - 1 and discount 1 / log2(rank + 1), among the pairs given;
    tied documents share their gains equally. NaN where nothing has a gain."""
    gains = 2.0**grades - 1.0
    discount = 1.0 / np.log2(np.arange(2, _DEPTH + 2))
    ideal = np.sort(gains)[::-1][:_DEPTH]
    best = float(ideal @ discount[: len(ideal)])
    if best == 0:
        return float("nan")
    _, group = np.unique(-score, return_inverse=True)
    shared = np.bincount(group, weights=gains) / np.bincount(group)
    got = shared[np.sort(group)][:_DEPTH]
    return float(got @ discount[: len(got)]) / best


def _average_precision(grades: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """Average precision with grade >= 1 as relevant (ties in the order given), 0 to 1."""
    hits = (grades >= 1)[np.argsort(-score, kind="stable")].astype(float)
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def _kappa(confusion: NDArray[np.float64], power: float) -> float:
    """Cohen's kappa with disagreement |i - j| ** power (0: any disagreement counts 1)."""
    size = confusion.shape[0]
    gap = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
    weight = gap**power if power else (gap > 0).astype(float)
    total = confusion.sum()
    chance = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / total
    expected = float((weight * chance).sum())
    return 1.0 - float((weight * confusion).sum()) / expected if expected else float("nan")


def agreement(data: QuerySums, weight: NDArray[np.float64]) -> dict[str, float]:
    """All figures, with each query counted weight [Q] times."""
    confusion = np.tensordot(weight, data.confusion, axes=1)
    merged = confusion.reshape(2, 2, 2, 2).sum(axis=(1, 3))
    bins = np.tensordot(weight, data.bins, axes=1)
    recall = confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1e-12)
    figures = {
        "quadratic kappa": _kappa(confusion, 2),
        "kappa, 4 grades": _kappa(confusion, 0),
        "kappa, relevant or not": _kappa(merged, 0),
        "pairwise accuracy": _mean(data.pairwise, weight),
        "nDCG@10": _mean(data.ndcg, weight),
        "average precision": _mean(data.ap, weight),
        "calibration error": float(np.abs(bins[:, 1] - bins[:, 2]).sum() / bins[:, 0].sum()),
    }
    return figures | {f"recall of grade {k}": float(recall[k]) for k in range(_GRADES)}


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    known = ~np.isnan(values)
    total = float(weight[known].sum())
    return float((values[known] * weight[known]).sum()) / total if total else float("nan")


def _draws(count: int, seed: int) -> NDArray[np.float64]:
    """How often each of `count` queries is drawn, float64 [2000, count]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1.0 / count), size=_DRAWS).astype(np.float64)


def bootstrap(data: QuerySums, seed: int = 0) -> dict[str, Figure]:
    """All figures of `agreement` with their 95 % intervals."""
    return _intervals(len(data.pairwise), lambda weight: agreement(data, weight), seed)


def difference(first: QuerySums, second: QuerySums, seed: int = 0) -> dict[str, Figure]:
    """first - second in each figure, both over the same resampled queries (paired)."""

    def gap(weight: NDArray[np.float64]) -> Mapping[str, float]:
        other = agreement(second, weight)
        return {key: value - other[key] for key, value in agreement(first, weight).items()}

    return _intervals(len(first.pairwise), gap, seed)


def _intervals(
    count: int, measure: Callable[[NDArray[np.float64]], Mapping[str, float]], seed: int
) -> dict[str, Figure]:
    point = measure(np.ones(count))
    drawn = [measure(weight) for weight in _draws(count, seed)]
    figures: dict[str, Figure] = {}
    for key, value in point.items():
        low, high = np.nanpercentile([draw[key] for draw in drawn], [2.5, 97.5])
        figures[key] = Figure(value, float(low), float(high))
    return figures
