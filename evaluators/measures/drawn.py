"""Measures of one query for many sets of labels at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.measures.definition import Measure
from relevance_eval.evaluators.measures.discount import gain_of
from relevance_eval.evaluators.measures.err import HIGHEST
from relevance_eval.evaluators.measures.positions import position_weights

__all__ = ["measure_drawn"]

Grades = npt.NDArray[np.int8]
"""Whole grades, one row for each set of labels."""
Floats = npt.NDArray[np.float64]


def measure_drawn(measure: Measure, ranked: Sequence[int | None], pool: Grades) -> Floats:
    """The value of each set of labels, shape [draws]; 0 where nothing in it has any gain.

    The formulas are those of `measure_run`, with whole grades; EnDCG is then nDCG with the
    measure's gain. The ideal is that of the set of labels itself.

    Args:
        measure: any but Judged, which does not look at grades.
        ranked: columns of `pool`, best first; None for a document that is not judged.
        pool: shape [draws, documents], grades of everything judged for the query.
    """
    depth = measure.depth or max(len(ranked), pool.shape[1])
    listed = np.zeros((len(pool), min(depth, len(ranked))), dtype=np.int8)
    for rank, column in enumerate(ranked[:depth]):
        if column is not None:
            listed[:, rank] = pool[:, column]
    return FORMULAS[measure.kind](measure, listed, pool, depth)


def ndcg(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    gains = np.array([gain_of(g, measure.gain) for g in GRADES])
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    reached = np.concatenate([[0.0], np.cumsum(discounts)])
    found, ideal = np.zeros(len(pool)), np.zeros(len(pool))
    for rank in range(listed.shape[1]):
        found += gains[listed[:, rank]] * discounts[rank]
    # The best order holds its higher grades first, so that a grade's step of gain is earned by as
    # many ranks from the top as there are documents of it or a higher one.
    for grade in GRADES[1:]:
        count = np.minimum(np.count_nonzero(pool >= grade, axis=1), depth)
        ideal += (gains[grade] - gains[grade - 1]) * reached[count]
    return np.divide(found, ideal, out=np.zeros(len(pool)), where=ideal > 0)


def weighted(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    gains = np.array([gain_of(g, measure.gain) for g in GRADES])
    return gains[listed] @ position_weights(measure, depth)[: listed.shape[1]]


def precision(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    return np.count_nonzero(listed >= measure.relevant, axis=1) / depth


def recall(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    found = np.count_nonzero(listed >= measure.relevant, axis=1)
    return found / np.maximum(1, np.count_nonzero(pool >= measure.relevant, axis=1))


def reciprocal_rank(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    relevant = listed >= measure.relevant
    if not relevant.shape[1]:
        return np.zeros(len(pool))
    return np.where(relevant.any(axis=1), 1 / (1 + relevant.argmax(axis=1)), 0.0)


def average_precision(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    relevant = listed >= measure.relevant
    seen, total = np.zeros(len(pool)), np.zeros(len(pool))
    for rank in range(relevant.shape[1]):
        seen += relevant[:, rank]
        total += seen / (rank + 1) * relevant[:, rank]
    return total / np.maximum(1, np.count_nonzero(pool >= measure.relevant, axis=1))


def err(measure: Measure, listed: Grades, pool: Grades, depth: int) -> Floats:
    satisfied = (2.0**listed - 1) / 2**HIGHEST
    unsatisfied, total = np.ones(len(pool)), np.zeros(len(pool))
    for rank in range(listed.shape[1]):
        total += unsatisfied * satisfied[:, rank] / (rank + 1)
        unsatisfied *= 1 - satisfied[:, rank]
    return total


FORMULAS: Mapping[str, Callable[[Measure, Grades, Grades, int], Floats]] = {
    "EnDCG": ndcg,
    "nDCG": ndcg,
    "sDCG": weighted,
    "RBP": weighted,
    "P": precision,
    "R": recall,
    "RR": reciprocal_rank,
    "AP": average_precision,
    "ERR": err,
}
