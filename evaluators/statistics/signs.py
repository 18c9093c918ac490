"""Patterns of signs: what the permutation tests draw from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["all_signed_sums", "random_signs"]

CELLS = 2**24
"""Signs held at once, one byte each; a matrix product takes eight times that."""


def random_signs(count: int, *, seed: int, permutations: int) -> Iterator[npt.NDArray[np.int8]]:
    """Blocks of random patterns of -1 and 1, shape [p, count]; `permutations` rows in all.

    The same count and seed give the same patterns, so tests that share both share their patterns.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, CELLS // max(1, count))
    for start in range(0, permutations, rows):
        shape = (min(rows, permutations - start), count)
        yield generator.integers(0, 2, size=shape, dtype=np.int8) * 2 - 1


def all_signed_sums(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Σ ±value for all 2^n patterns of signs, shape [2^n]; the order of patterns is that of n."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums
