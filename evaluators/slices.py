"""The comparison again for parts of the query set, by the queries' tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.difference import Column, Difference, differences, verdict_of
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.verdict import Verdict

__all__ = ["FEWEST_QUERIES", "MOST_VALUES", "Slice", "slice_places", "slices"]

FEWEST_QUERIES = 5
"""A slice with fewer is left out: no pattern of its wins could be significant."""
MOST_VALUES = 20
"""A tag with more values is an identifier, not a kind of query."""
Places = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """A pair of rankers on the queries of one value of a tag, by the primary measure.

    Attributes:
        tag, value: such as `band` and `tail`.
        verdict: by p-values corrected over all slices of the tag and all pairs of rankers.
    """

    tag: str
    value: str
    verdict: Verdict
    difference: Difference

    @property
    def in_doubt(self) -> bool:
        """Whether the labeler's own doubt could undo its verdict."""
        return self.difference.in_doubt(self.verdict)


def slices(
    columns: Sequence[Column],
    queries: Sequence[Query],
    plan: Plan,
    *,
    margin: float,
    drawn: Sequence[npt.NDArray[np.float64] | None],
) -> list[list[Slice]]:
    """For each pair of rankers its slices, by tag and value in the order of the alphabet.

    Args:
        columns: one for each pair of rankers, shape [n].
        queries: those of the columns, in their order, n of them.
        margin: of equivalence; 0 for none.
        drawn: of each column, its differences under many sets of labels, or None.
    """
    found: list[list[Slice]] = [[] for _ in columns]
    for tag, places in slice_places(queries).items():
        tested = differences(
            [column for _ in places for column in columns],
            str(plan.primary),
            plan,
            margin=margin,
            places=[p for p in places.values() for _ in columns],
            drawn=[d for _ in places for d in drawn],
        )
        values = [value for value in places for _ in columns]
        for number, (value, difference) in enumerate(zip(values, tested, strict=True)):
            one = Slice(tag, value, verdict_of(difference, plan), difference)
            found[number % len(columns)].append(one)
    return found


def slice_places(queries: Sequence[Query]) -> dict[str, dict[str, Places]]:
    """Tag to value to which of the queries have it, shape [n], for the slices worth a test."""
    found: dict[str, dict[str, Places]] = {}
    for tag in sorted({tag for query in queries for tag in query.tags}):
        given = [query.tags.get(tag) for query in queries]
        values = sorted({value for value in given if value is not None})
        if len(values) > MOST_VALUES:
            continue
        places = {v: np.array([g == v for g in given], dtype=np.bool_) for v in values}
        large = {v: p for v, p in places.items() if np.count_nonzero(p) >= FEWEST_QUERIES}
        if large:
            found[tag] = large
    return found
