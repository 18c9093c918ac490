"""From scores and grades to probabilities of grades, and what they are worth on other queries.

A cumulative-link model of the score with a slope that is not negative (ordinal regression), and
cut points on the expected grade. What they are worth is measured by cross-fitting: the queries fall
into folds, and each is graded by a fit on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relevance_eval.errors import InputError, LabelerError
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.exporters.builtin.calibrate import expected_grades, query_folds
from relevance_eval.exporters.builtin.cuts import fit_cuts
from relevance_eval.exporters.ordinal import fit_ordinal
from relevance_eval.exporters.students.calibrate import BINS

__all__ = ["Fit", "calibration_error", "cross_fitted", "fit", "rises"]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
PRIOR = 0.5
"""Pairs of each grade that are added at the mean score, see `fit_ordinal`."""
FLAT = 1e-6
"""A slope up to this, of the score in standard deviations, says nothing."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Fit:
    """What becomes of a model's features.

    Attributes:
        cuts: expected grades from which grade 1, 2 and 3 are named.
    """

    head: OrdinalHead
    cuts: tuple[float, ...]

    def judgments(self, features: Floats, labeler: str) -> list[Judgment]:
        """As the finished labeler will answer; features [n, f]."""
        rows = self.head.probabilities(features).tolist()
        return [Judgment.with_cuts(labeler, row, self.cuts) for row in rows]


def fit(features: Floats, grades: Whole, names: Sequence[str]) -> Fit:
    """Head and cut points of features [n, f] and grades [n], of which there are two or more.

    Raises LabelerError if the search for the head ends nowhere.
    """
    try:
        head = fit_ordinal(features, grades, names, rising=True, prior=PRIOR)
    except ValueError as error:
        raise LabelerError(
            f"no calibration fits these scores and grades: {error}",
            remedy="grade more pairs, of high scores and of low ones",
        ) from None
    expected = expected_grades(head.probabilities(features))
    return Fit(head, between(fit_cuts([expected], [grades]), expected))


def between(cuts: Sequence[float], expected: Floats) -> tuple[float, ...]:
    """Each cut point in the middle between the expected grades on its two sides, which names the
    same grades: one that lies on an expected grade hangs on the last digit of a score."""
    values = np.unique(expected)
    places = np.searchsorted(values, cuts)
    inside = (places > 0) & (places < len(values))
    below, above = values[places - 1], values[np.minimum(places, len(values) - 1)]
    return tuple(np.where(inside, (below + above) / 2, cuts).tolist())


def rises(head: OrdinalHead) -> bool:
    """Whether a higher score means a higher grade at all."""
    return max(head.weights) > FLAT


def cross_fitted(
    features: Floats,
    grades: Whole,
    queries: Sequence[str],
    names: Sequence[str],
    *,
    folds: int,
    seed: int,
    labeler: str = "",
) -> list[Judgment]:
    """What is said of each pair by a fit on the queries of all folds but its own.

    Args:
        queries: of each pair, [n]; two or more of them.
        folds: as many as there are queries, if those are fewer.

    Raises:
        InputError: without the queries of one fold, a single grade is left.
    """
    numbers = {query: n for n, query in enumerate(sorted(set(queries)))}
    fold = query_folds(len(numbers), min(folds, len(numbers)), seed)
    of_pair = fold[[numbers[query] for query in queries]]
    judged: dict[int, Judgment] = {}
    for number in range(int(fold.max()) + 1):
        rest, here = np.flatnonzero(of_pair != number), np.flatnonzero(of_pair == number)
        if len(np.unique(grades[rest])) < 2:
            raise InputError(
                f"without the queries of one of {fold.max() + 1} folds, only grade "
                f"{grades[rest][0]} is left to learn from",
                remedy="grade relevant and irrelevant documents of more queries",
            )
        found = fit(features[rest], grades[rest], names).judgments(features[here], labeler)
        judged |= zip(here.tolist(), found, strict=True)
    return [judged[i] for i in range(len(queries))]


def calibration_error(
    probabilities: Floats, grades: Whole, queries: Sequence[str], seed: int
) -> Interval:
    """Expected calibration error of "grade k or more", averaged over k = 1, 2, 3; 0 to 1.

    Ten bins of equal width, as for students (Naeini et al. 2015). The 95 % interval comes from
    resampling queries. A gap's size can only grow by chance, so that draws lie above the value; by
    how much on average is the bias of resampling (Efron and Tibshirani 1993, chapter 10), which is
    taken off.

    Args:
        probabilities: [n, 4].
        grades, queries: of each pair, [n].
    """
    numbers = {query: n for n, query in enumerate(dict.fromkeys(queries))}
    of_pair = np.array([numbers[query] for query in queries])
    gaps = np.zeros((len(numbers), len(GRADES) - 1, BINS))
    for place, grade in enumerate(GRADES[1:]):
        said, true = probabilities[:, grade:].sum(axis=1), grades >= grade
        bins = np.minimum((said * BINS).astype(np.int64), BINS - 1)
        cells = of_pair * BINS + bins
        summed = np.bincount(cells, weights=said - true, minlength=len(numbers) * BINS)
        gaps[:, place] = summed.reshape(len(numbers), BINS)
    pairs = np.bincount(of_pair, minlength=len(numbers)).astype(np.float64)
    count = len(numbers)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    errors = of_weights(gaps, pairs, drawn.astype(np.float64))
    (value,) = of_weights(gaps, pairs, np.ones((1, count)))
    low, high = np.percentile(errors - max(errors.mean() - value, 0.0), [2.5, 97.5])
    return Interval(float(value), max(float(low), 0.0), float(high))


def of_weights(gaps: Floats, pairs: Floats, weights: Floats) -> Floats:
    """The error with each query counted so often: weights [draws, queries], the errors [draws]."""
    total = np.abs(np.tensordot(weights, gaps, axes=1)).sum(axis=2).mean(axis=1)
    return total / (weights @ pairs)
