"""The figures of the labeler and of what it is compared with, on queries it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.calibrate import expected_grades, fit_head
from relevance_eval.exporters.builtin.corpora import Qrels
from relevance_eval.exporters.builtin.cuts import fit_cuts, named_grades
from relevance_eval.exporters.builtin.metrics import (
    Figure,
    QuerySums,
    bootstrap,
    difference,
    order_sums,
    sums,
)
from relevance_eval.exporters.builtin.pairs import Collection, Pairs

__all__ = [
    "Given",
    "Row",
    "cross_fitted",
    "fitted_cuts",
    "head_rows",
    "order_row",
    "teacher_row",
    "transfer_row",
]

_ORDER = ("pairwise accuracy", "nDCG@10", "average precision")


@dataclass(frozen=True)
class Row:
    """One labeler's figures; `against` is the paired difference to the bar, if there is one."""

    name: str
    figures: Mapping[str, Figure]
    against: Mapping[str, Figure]


@dataclass(frozen=True)
class Given:
    """What a labeler says of n pairs: probabilities [n, 4], and the grade it names [n]."""

    probabilities: NDArray[np.float64]
    named: NDArray[np.int64]

    def sums(self, pairs: Pairs) -> QuerySums:
        expected = expected_grades(self.probabilities)
        relevant = self.probabilities[:, 2:].sum(axis=1)
        return sums(pairs.queries, pairs.grades, self.named, expected, relevant)


def fitted_cuts(head: OrdinalHead, parts: Sequence[Pairs]) -> tuple[float, ...]:
    """Cut points of a head, fitted on the pairs that it was fitted on."""
    expected = [expected_grades(head.probabilities(p.columns(head.features))) for p in parts]
    return fit_cuts(expected, [p.grades for p in parts])


def given_by(head: OrdinalHead, cuts: Sequence[float], pairs: Pairs) -> Given:
    probabilities = head.probabilities(pairs.columns(head.features))
    return Given(probabilities, named_grades(expected_grades(probabilities), cuts))


def cross_fitted(collections: Sequence[Collection], names: Sequence[str]) -> list[Given]:
    """What is said of each collection's pairs by heads and cut points fitted on all collections
    without the fold that the pair's query is in."""
    sizes = [len(part.pairs.grades) for part in collections]
    out = [Given(np.zeros((n, 4)), np.zeros(n, dtype=np.int64)) for n in sizes]
    for number in np.unique(collections[0].fold):
        rest = [part.pairs.take(part.of_pair() != number) for part in collections]
        head = fit_head(rest, names)
        cuts = fitted_cuts(head, rest)
        for place, part in enumerate(collections):
            test = part.of_pair() == number
            given = given_by(head, cuts, part.pairs.take(test))
            out[place].probabilities[test] = given.probabilities
            out[place].named[test] = given.named
    return out


def head_rows(
    collections: Sequence[Collection], given: Mapping[str, Sequence[Given]]
) -> list[list[Row]]:
    """For each collection, a row for each head, from what it says of each; the first is the bar."""
    tables: list[list[Row]] = []
    for place, part in enumerate(collections):
        own = {name: said[place].sums(part.pairs) for name, said in given.items()}
        bar = next(iter(own.values()))
        tables.append(
            [Row(name, bootstrap(each), difference(each, bar)) for name, each in own.items()]
        )
    return tables


def transfer_row(name: str, names: Sequence[str], other: Pairs, pairs: Pairs) -> Row:
    """A head and cut points fitted on another collection."""
    head = fit_head([other], names)
    given = given_by(head, fitted_cuts(head, [other]), pairs)
    return Row(name, bootstrap(given.sums(pairs)), {})


def teacher_row(part: Collection, teacher: Qrels) -> Row:
    """A language model's grades beside them; its grade counts as certain."""
    given = np.array([teacher[query][document] for query, document, _ in part.triples])
    certain = (given >= 2).astype(float)
    own = sums(part.pairs.queries, part.pairs.grades, given, given.astype(float), certain)
    return Row("GPT-4o, UMBRELA prompt", bootstrap(own), {})


def order_row(name: str, pairs: Pairs, score: NDArray[np.float64]) -> Row:
    """A mere order of the documents, by falling score [n]: only figures of orders."""
    count = int(pairs.queries.max()) + 1
    order = QuerySums(
        np.ones((count, 4, 4)),
        np.ones((count, 10, 3)),
        *order_sums(pairs.queries, pairs.grades, score),
    )
    figures = bootstrap(order)
    return Row(name, {key: figures[key] for key in _ORDER}, {})
