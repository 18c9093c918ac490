"""MaxT: permutation p-values corrected for several comparisons, using how they depend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.statistics.sign_flip import sign_flip_p
from relevance_eval.evaluators.statistics.signs import all_signed_sums, random_signs

__all__ = ["max_t"]

EXACT_UP_TO = 16
"""Up to this many queries with any difference every pattern of signs is tried."""


def max_t(
    columns: Sequence[npt.NDArray[np.float64]], *, seed: int, permutations: int = 10_000
) -> list[float]:
    """Adjusted two-sided p-values of the mean differences, by step-down MaxT over sign flips.

    Westfall & Young (1993), algorithm 4.1. One pattern of signs is applied to all columns at once,
    so that rankers with a shared baseline keep their correlation. The statistic is
    |Σ s·d| / sqrt(Σ d²), which rises with |t| of the paired t-test and is on one scale for all
    columns. The p-value of a column is the share of patterns in which the largest statistic of it
    and of all less extreme columns is as large as its own; none is below that of a more extreme
    one. A single column has the p-value of the sign-flip test.

    Neither the order of queries nor that of columns matters, nor does negating all columns.

    Args:
        columns: per-query differences, each of shape [n], queries in one order.
        seed: 0 or more.
        permutations: random sign patterns, where more than 16 queries have any difference.
    """
    if len(columns) == 1:
        return [sign_flip_p(columns[0], seed=seed, permutations=permutations)]
    adjusted = [1.0] * len(columns)
    places = canonical_places(columns)
    if not places:
        return adjusted
    matrix = canonical_rows(np.column_stack([columns[i] for i in places]))
    norms = np.sqrt((matrix**2).sum(axis=0))
    sums = np.array([abs(math.fsum(columns[i])) for i in places])
    observed = (sums - 1e-12 * np.abs(matrix).sum(axis=0)) / norms
    order = np.argsort(observed, kind="stable")
    scaled, limits = (matrix / norms)[:, order], observed[order]
    extreme, tried = np.zeros(len(order)), 0
    for block in signed_sums(scaled, seed, permutations):
        extreme += np.count_nonzero(np.maximum.accumulate(np.abs(block), 1) >= limits, axis=0)
        tried += len(block)
    if len(matrix) > EXACT_UP_TO:
        extreme, tried = extreme + 1, tried + 1
    stepped = np.maximum.accumulate((extreme / tried)[::-1])[::-1]
    for place, p in zip(order, stepped, strict=True):
        adjusted[places[place]] = float(p)
    return adjusted


def canonical_places(columns: Sequence[npt.NDArray[np.float64]]) -> list[int]:
    """The columns that hold any difference, in an order that their values alone decide."""
    sizes = {i: np.sort(np.abs(c)).tolist() for i, c in enumerate(columns) if c.any()}
    return sorted(sizes, key=sizes.__getitem__)


def canonical_rows(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows that hold any difference, their first one positive, sorted; shape [r, m].

    A pattern of signs is as likely as the one that differs from it in a row, so that turning rows
    around is free, and swapping the baseline with the rankers then draws the same sums.
    """
    rows = matrix[matrix.any(axis=1)]
    first = np.take_along_axis(rows, (rows != 0).argmax(axis=1)[:, None], axis=1)
    turned = rows * np.sign(first)
    return turned[np.lexsort(turned.T[::-1])]


def signed_sums(
    matrix: npt.NDArray[np.float64], seed: int, permutations: int
) -> Iterator[npt.NDArray[np.float64]]:
    """Blocks of Σ s·d for patterns of signs that all columns share, shape [p, m]."""
    if len(matrix) <= EXACT_UP_TO:
        yield np.column_stack([all_signed_sums(column) for column in matrix.T])
        return
    for signs in random_signs(len(matrix), seed=seed, permutations=permutations):
        yield signs @ matrix
