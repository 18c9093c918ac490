"""The sign-flip permutation test for paired differences (Fisher's randomization test)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.statistics.signs import all_signed_sums, random_signs

__all__ = ["EXACT_UP_TO", "sign_flip_p"]

EXACT_UP_TO = 20
"""Up to this many differing queries every pattern of signs is tried (about a million)."""


def sign_flip_p(
    differences: npt.NDArray[np.float64], *, seed: int, permutations: int = 10_000
) -> float:
    """Two-sided p of the mean difference, had A and B been exchangeable in each query.

    Exact where at most 20 queries differ; else p = (b + 1) / (B + 1), with b of B random sign
    patterns at least as extreme (Phipson & Smyth 2010), so that p is never 0. The same seed gives
    the same p, bit for bit, and so do A and B exchanged, and the queries in another order.

    Args:
        differences: shape [n].
        seed: 0 or more.
        permutations: B, random sign patterns.
    """
    moved = np.sort(np.abs(differences[differences != 0]))
    if not len(moved):
        return 1.0
    # A hair below the observed sum, so that rounding never turns "as extreme" into "less extreme".
    # Of all that moved, not of the sum, which may itself be nothing but rounding.
    observed = abs(math.fsum(differences)) - 1e-12 * math.fsum(moved)
    if len(moved) <= EXACT_UP_TO:
        sums = all_signed_sums(moved)
        return float(np.count_nonzero(np.abs(sums) >= observed) / len(sums))
    extreme = sum(
        int(np.count_nonzero(np.abs(signs @ moved) >= observed))
        for signs in random_signs(len(moved), seed=seed, permutations=permutations)
    )
    return (extreme + 1) / (permutations + 1)
