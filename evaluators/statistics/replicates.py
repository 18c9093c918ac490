"""Permutation p-values of many replicates of one comparison at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.statistics.signs import all_signed_sums, random_signs

__all__ = ["replicate_p_values"]

EXACT_UP_TO = 12
"""Up to this many queries every pattern of signs is tried."""
WORK = 2_000_000_000
"""Products of a sign and a difference that the whole may take: a fraction of a second."""
FEWEST = 1000
"""Random patterns, whatever the work."""
CELLS = 2**22
"""Signed sums held at once."""
Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.float64] | npt.NDArray[np.float32]


def replicate_p_values(
    columns: npt.NDArray[np.float64], *, stepped: bool, seed: int, permutations: int
) -> Floats:
    """Two-sided sign-flip p-values, shape [replicates, m], of m pairs of rankers in each replicate.

    The same tests as `sign_flip_p` (or `max_t`) one replicate at a time, but in single precision,
    and with fewer random patterns where there is much to do: 1,000 at least. They tell how often a
    decision changes, not a decision.

    Args:
        columns: per-query differences, shape [replicates, m, n].
        stepped: step-down MaxT over the m pairs; without it each p-value stands alone.
        permutations: random sign patterns at most, where there are more than 12 queries.
    """
    replicates, pairs, count = columns.shape
    signs = patterns(count, seed, min(permutations, max(FEWEST, WORK // max(1, columns.size))))
    exact = count <= EXACT_UP_TO
    tried = len(signs) if exact else len(signs) + 1
    found = np.ones((replicates, pairs))
    for start, end in blocks(replicates, len(signs) * pairs):
        extreme = extreme_patterns(columns[start:end], signs, stepped)
        found[start:end] = (extreme if exact else extreme + 1) / tried
    return found


def blocks(replicates: int, cells: int) -> Iterator[tuple[int, int]]:
    step = max(1, CELLS // cells)
    for start in range(0, replicates, step):
        yield start, min(start + step, replicates)


def patterns(count: int, seed: int, permutations: int) -> Signs:
    """Signs of the queries, shape [patterns, count]; in single precision where they are many."""
    if count <= EXACT_UP_TO:
        return np.column_stack([all_signed_sums(unit) for unit in np.eye(count)])
    drawn = list(random_signs(count, seed=seed, permutations=permutations))
    return np.concatenate(drawn).astype(np.float32)


def extreme_patterns(columns: Floats, signs: Signs, stepped: bool) -> Floats:
    """How many patterns are as extreme as what was observed, shape [c, m]."""
    norms = np.sqrt((columns**2).sum(axis=2, keepdims=True))
    scaled = np.divide(columns, norms, out=np.zeros_like(columns), where=norms > 0)
    # A hair of what rounding may lose, so that it never turns "as extreme" into "less extreme".
    hair = 16 * float(np.finfo(signs.dtype).eps) * np.abs(scaled).sum(axis=2)
    observed = (np.abs(scaled.sum(axis=2)) - hair).astype(signs.dtype)
    flat = scaled.reshape(-1, columns.shape[2]).astype(signs.dtype)
    sums = np.abs(signs @ flat.T).reshape(len(signs), *observed.shape)
    if not stepped or columns.shape[1] == 1:
        return np.count_nonzero(sums >= observed, axis=0).astype(np.float64)
    order = np.argsort(observed, axis=1, kind="stable")
    rising = np.take_along_axis(observed, order, axis=1)
    largest = np.maximum.accumulate(np.take_along_axis(sums, order[None], axis=2), axis=2)
    extreme = np.count_nonzero(largest >= rising, axis=0).astype(np.float64)
    monotone = np.maximum.accumulate(extreme[:, ::-1], axis=1)[:, ::-1]
    found = np.empty_like(monotone)
    np.put_along_axis(found, order, monotone, axis=1)
    return found
