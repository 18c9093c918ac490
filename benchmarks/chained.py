"""A pair of rankers of which a labeler buys few labels, and people grade fewer queries still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from decision import Decision

from relevance_eval.evaluators.statistics.prediction_powered import (
    Powered,
    Sample,
    prediction_powered,
)

__all__ = ["Chain", "Corrected", "corrected", "drawn"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Chain:
    """A pair of rankers.

    Attributes:
        one: with every label that the labeler could be asked for.
        people: each query's difference by people's grades, shape [n].
    """

    one: Decision
    people: Floats


@dataclass(frozen=True)
class Corrected:
    """A difference corrected by one audit, with all labels and with few.

    Attributes:
        truth: mean of people's differences over the queries that populations are drawn from.
        all_labels, few: the corrected figure from each.
        bought: share of the pool's labels that the few are.
        graded: the same with those of the audited queries, which say how far the labeler is to be
            trusted.
    """

    audit: int
    truth: float
    all_labels: Powered
    few: Powered
    bought: float
    graded: float


def corrected(
    chain: Chain, queries: int, audits: Sequence[int], seed: Sequence[int]
) -> Iterator[Corrected]:
    """One for each size of audit, from one population and one way of buying few labels.

    Args:
        queries: in the population, drawn with replacement.
        audits: queries that people grade, drawn from it without.
    """
    generator = np.random.default_rng(seed)
    picked = generator.integers(0, len(chain.people), queries)
    population, people = drawn(chain.one, picked), chain.people[picked]
    settled, book = population.settle("decisive", int(generator.integers(2**31)))
    every = population.column(population.gains)
    for size in audits:
        rows = generator.choice(queries, size, replace=False)
        sample = Sample.simple(queries, rows)
        audited = np.isin(population.stakes.query, rows)
        yield Corrected(
            audit=size,
            truth=float(chain.people.mean()),
            all_labels=prediction_powered(every, people[rows], sample),
            few=prediction_powered(settled.estimate.column, people[rows], sample),
            bought=float(np.mean(book.known)),
            graded=float(np.mean(book.known | audited)),
        )


def drawn(one: Decision, picked: Integers) -> Decision:
    """Of these queries, each as often as it was drawn: copies are queries of their own, whose
    labels are bought anew."""
    stakes, places = one.stakes, np.arange(len(one.stakes.query_ids) + 1)
    first = np.searchsorted(stakes.query, places)
    counts = np.diff(first)[picked]
    shifts = np.cumsum(counts) - counts - first[picked]
    units: Integers = np.arange(int(counts.sum())) - np.repeat(shifts, counts)
    copied: list[int] = units.tolist()
    moved: list[tuple[int, int]] = list(zip(picked.tolist(), shifts.tolist(), strict=True))
    return replace(
        one,
        stakes=replace(
            stakes,
            query_ids=[f"{place:06d}" for place in range(len(picked))],
            query=np.repeat(np.arange(len(picked)), counts),
            documents=[stakes.documents[u] for u in copied],
            lists=[[[u + by for u in row[q]] for q, by in moved] for row in stakes.lists],
            weights=stakes.weights[:, units],
            gone=stakes.gone[units],
        ),
        gains=one.gains[units],
        clues=one.clues[units],
    )
