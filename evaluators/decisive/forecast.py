"""What a label will say, forecast from what costs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.decisive.stakes import Stakes
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query

__all__ = ["clues_of", "fold_of", "forecast"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
FOLDS = 5
FEWEST = 20
"""Labels of other folds below which their mean is all that is forecast."""
RIDGE = 1.0
CLOSEST = 0.9
"""Correlation of a query's errors that is believed at most: few labels can show any."""
WORD = re.compile(r"\w+")
CHARACTERS = 4000
"""Of a document's text that is looked at for words of the query."""


def clues_of(
    stakes: Stakes, queries: Mapping[str, Query], documents: Mapping[str, Document]
) -> Floats:
    """Numbers that go with relevance and cost nothing, shape [u, 4].

    The best and the mean of what the rankers' ranks are worth, and the share of the query's words,
    plain and by rarity in the pool, that the document holds.
    """
    texts = {i: words(" ".join(d.fields.values())) for i, d in documents.items()}
    often: dict[str, int] = {}
    for held in texts.values():
        for word in held:
            often[word] = often.get(word, 0) + 1
    asked = [words(queries[i].text) for i in stakes.query_ids]
    rare = {w: float(np.log((1 + len(texts)) / (1 + often.get(w, 0)))) for q in asked for w in q}
    found = np.zeros((len(stakes.documents), 4))
    found[:, 0], found[:, 1] = stakes.weights.max(axis=0), stakes.weights.mean(axis=0)
    places: list[int] = stakes.query.tolist()
    for unit, (place, document) in enumerate(zip(places, stakes.documents, strict=True)):
        query, held = asked[place], texts.get(document, frozenset())
        total = sum(rare[w] for w in query)
        found[unit, 2] = len(query & held) / max(1, len(query))
        found[unit, 3] = sum(rare[w] for w in query & held) / total if total else 0.0
    return found


def words(text: str) -> frozenset[str]:
    return frozenset(m.group() for m in WORD.finditer(text[:CHARACTERS].lower()))


def forecast(
    stakes: Stakes, clues: Floats, gains: Floats, known: Bools, folds: npt.NDArray[np.int64]
) -> Floats:
    """Gains by ridge regression on the clues, and by how far off that is for the query's labels.

    No label has a part in its own forecast, so that an estimate from them stays without bias: the
    regression is that of other queries' labels, and what is added for the query is that of its
    other labels.

    Args:
        clues: shape [u, f].
        gains: shape [u], looked at where `known`.
        folds: of each query, shape [n].

    Returns:
        Shape [u], 0 to the highest gain; 0 where no label is known.
    """
    made = np.zeros(len(gains))
    of_unit = folds[stakes.query]
    for fold in np.unique(of_unit):
        own, others = of_unit == fold, known & (of_unit != fold)
        if others.any():
            plain = fitted(clues[others], gains[others], clues)
            errors = np.where(known, gains - plain, 0.0)
            made[own] = (plain + leaning(stakes, errors, known, others))[own]
    # Matrix products differ in their last bits from run to run; no forecast is that exact.
    return np.round(np.clip(made, 0.0, stakes.highest), 9)


def leaning(stakes: Stakes, errors: Floats, known: Bools, others: Bools) -> Floats:
    """How far a query's labels lie above what was forecast for them, without the unit's own.

    Labels of one query are high or low together: the mean error of its k other labels, shrunk by
    k / (k + (1 - c) / c) (the best linear prediction of a random effect; Robinson 1991), c the
    correlation of two errors of one query.

    Args:
        errors: 0 where no label is known, shape [u].
        others: units that c is taken from, shape [u].
    """
    shared = correlation(stakes, np.where(others, errors, 0.0), others)
    if shared == 0:
        return np.zeros(len(errors))
    rest = stakes.sums(errors)[stakes.query] - errors
    number = stakes.sums(known.astype(np.float64))[stakes.query] - known
    return rest / (number + (1 - shared) / shared)


def correlation(stakes: Stakes, errors: Floats, held: Bools) -> float:
    """Of two errors of one query, 0 to 0.9, among the units held; errors are 0 elsewhere."""
    counts, squares = stakes.sums(held.astype(np.float64)), stakes.sums(errors**2)
    pairs, total = float((counts * (counts - 1)).sum()), float(squares.sum())
    if pairs == 0 or total == 0:
        return 0.0
    between = float((stakes.sums(errors) ** 2 - squares).sum()) / pairs
    return min(CLOSEST, max(0.0, between / (total / float(counts.sum()))))


def fitted(clues: Floats, gains: Floats, wanted: Floats) -> Floats:
    mean = gains.mean()
    if len(gains) < FEWEST:
        return np.full(len(wanted), mean)
    middle: Floats = clues.mean(axis=0)
    spread: Floats = clues.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (clues - middle) / spread
    gram = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    slopes = cast(Floats, np.linalg.solve(gram, scaled.T @ (gains - mean)))
    found: Floats = mean + (wanted - middle) / spread @ slopes
    return found


def fold_of(query_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """A fold for each query, by the order of their ids."""
    order = np.argsort(np.argsort(np.array(query_ids, dtype=object)))
    return (order % FOLDS).astype(np.int64)
