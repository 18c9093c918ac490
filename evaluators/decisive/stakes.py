"""What each label can do to the differences between rankers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.measures.definition import Measure
from relevance_eval.evaluators.measures.positions import has_ideal, highest_gain, position_weights
from relevance_eval.evaluators.run import Run

__all__ = ["Stakes", "stakes_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stakes:
    """The pool of all rankers, as arrays; a unit is a query with a document of its pool.

    Attributes:
        query_ids: of the n queries measured.
        query: place of each unit's query, rising, shape [u].
        documents: id of each unit's document, u of them.
        lists: of each ranker, for each query, its units, best first.
        worth: of ranks 1 to the measure's depth.
        weights: what a gain of 1 adds to a ranker's sum for the query, shape [rankers, u].
        highest: highest gain of a label.
        depth: ranks of the ideal; 0 for a measure without one.
        gone: units that were taken out, shape [u]: no list and no ideal holds them.
    """

    query_ids: Sequence[str]
    query: Ints
    documents: Sequence[str]
    lists: Sequence[Sequence[Sequence[int]]]
    worth: Floats
    weights: Floats
    highest: float
    depth: int
    gone: npt.NDArray[np.bool_]

    def without(self, gone: npt.NDArray[np.bool_]) -> Stakes:
        """With these units, shape [u], taken out of the lists: the others move up."""
        lists = [[[u for u in ranked if not gone[u]] for ranked in row] for row in self.lists]
        weights = weighed(lists, self.worth, len(self.documents))
        return replace(self, lists=lists, weights=weights, gone=self.gone | gone)

    def sums(self, values: Floats) -> Floats:
        """Σ over each query's units of values, shape [n]."""
        summed = np.bincount(self.query, weights=values, minlength=len(self.query_ids))
        return summed.astype(np.float64)

    def ideals(self, gains: Floats) -> Floats:
        """What each query's sum is divided by: the best order's DCG, shape [n]; 1 without ideal."""
        if not self.depth:
            return np.ones(len(self.query_ids))
        held = np.where(self.gone, 0.0, gains)
        return self.sums(self.ideal_weights(held) * held)

    def ideal_weights(self, gains: Floats) -> Floats:
        """What each unit's rank in the best order is worth, shape [u]; 0 without an ideal."""
        order = np.lexsort((-gains, self.query))
        first = np.searchsorted(self.query, np.arange(len(self.query_ids)))
        rank = np.arange(len(order)) - first[self.query]
        weights = np.zeros(len(order))
        weights[order] = np.where(rank < self.depth, 1 / np.log2(rank + 2), 0.0)
        return weights

    def column(self, weights: Floats, gains: Floats) -> Floats:
        """Σ weights · gains / ideal of each query, shape [n]; 0 where nothing has any gain."""
        return divided(self.sums(weights * gains), self.ideals(gains))


def divided(sums: Floats, ideals: Floats) -> Floats:
    return np.divide(sums, ideals, out=np.zeros(len(sums)), where=ideals > 0)


def stakes_of(
    runs: Sequence[Run],
    query_ids: Sequence[str],
    pool: Mapping[str, Sequence[str]],
    measure: Measure,
) -> Stakes:
    """Joins runs with what there is to label.

    Args:
        runs: lists as they are measured.
        pool: query id to ids of documents that have a text; the lists are without others.
    """
    counts = [len(pool.get(q, ())) for q in query_ids]
    # Without a depth an ideal ranks the whole pool, which is longer than any list.
    depth = measure.depth or max(counts, default=0) or 1
    documents = [d for q in query_ids for d in pool.get(q, ())]
    firsts = np.concatenate([[0], np.cumsum(counts)]).tolist()
    places = [
        {d: first + i for i, d in enumerate(pool.get(q, ()))}
        for q, first in zip(query_ids, firsts, strict=False)
    ]
    lists = [
        [
            [known[h.document_id] for h in run.hits(q) if h.document_id in known]
            for q, known in zip(query_ids, places, strict=True)
        ]
        for run in runs
    ]
    worth = position_weights(measure, depth)
    return Stakes(
        query_ids=query_ids,
        query=np.repeat(np.arange(len(query_ids)), counts),
        documents=documents,
        lists=lists,
        worth=worth,
        weights=weighed(lists, worth, len(documents)),
        highest=highest_gain(measure),
        depth=depth if has_ideal(measure) else 0,
        gone=np.zeros(len(documents), dtype=np.bool_),
    )


def weighed(lists: Sequence[Sequence[Sequence[int]]], worth: Floats, units: int) -> Floats:
    """What each unit's rank in each ranker's list is worth, shape [rankers, units]."""
    weights = np.zeros((len(lists), units))
    for row, ranker in enumerate(lists):
        for ranked in ranker:
            shown = ranked[: len(worth)]
            weights[row, shown] = worth[: len(shown)]
    return weights
