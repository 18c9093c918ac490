"""A corrected difference of two rankers: estimated where their lists differ, 0 elsewhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.audit import Audit, stratum_of
from relevance_eval.evaluators.measures import Measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.evaluators.statistics.non_inferiority import loss_p
from relevance_eval.evaluators.statistics.prediction_powered import (
    FOLDS,
    Powered,
    Sample,
    prediction_powered,
)

__all__ = [
    "Apart",
    "Scope",
    "apart",
    "equivalence_p",
    "error",
    "non_inferiority_p",
    "sample_of",
    "unlike",
]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.bool_]
FEWEST = 5
"""Below so many audited queries, no difference at all shows nothing."""
TOO_FEW = "fewer than two audited queries have lists that differ: there is no interval"


@dataclass(frozen=True)
class Scope:
    """What a difference is estimated over.

    Attributes:
        queries: those that were measured, N of them.
        ids: of the audited ones, in the order of people's values.
        differing: bool [N], where the two lists differ.
    """

    audit: Audit
    queries: Sequence[Query]
    ids: Sequence[str]
    differing: Places


@dataclass(frozen=True)
class Apart:
    """A corrected difference of two rankers, and the labeler's error on it."""

    contrast: Powered
    error: Interval
    notes: Sequence[str]


def unlike(baseline: Run, ranker: Run, queries: Sequence[Query], measure: Measure) -> Places:
    """Where the two lists differ down to the measure's depth, bool [N]."""

    def top(run: Run, query_id: str) -> list[str]:
        return [h.document_id for h in run.hits(query_id)[: measure.depth]]

    return np.array([top(baseline, q.id) != top(ranker, q.id) for q in queries], dtype=np.bool_)


def apart(labeler: Floats, people: Floats, scope: Scope, level: float) -> Apart:
    """The difference over the queries whose lists differ, and over all by their share.

    Args:
        labeler: the labeler's differences, float64 [N].
        people: people's, for `scope.ids`.
    """
    kept = [q for q, differs in zip(scope.queries, scope.differing, strict=True) if differs]
    open_ids = {q.id for q in kept}
    places = np.array([i in open_ids for i in scope.ids], dtype=np.bool_)
    if not kept:  # the same lists everywhere
        return over_all(labeler, people, scope, level)
    if places.sum() < 2:
        whole = over_all(labeler, people, scope, level)
        wrong = Interval(whole.error.mean, None, None)
        return Apart(unknown(whole.contrast), wrong, [TOO_FEW])
    sample, notes = sample_of(scope.audit, kept, [i for i in scope.ids if i in open_ids])
    found = prediction_powered(labeler[scope.differing], people[places], sample, level=level)
    if found.interval.low is None and places.sum() >= FEWEST:
        # People see one difference in all of these: only its share of the queries is uncertain.
        return over_all(labeler, people, scope, level)
    wrong = error(labeler[scope.differing], people[places], sample)
    contrast = replace(diluted(found, len(scope.queries), level), audited=len(scope.ids))
    return Apart(contrast, diluted(wrong, len(scope.queries), 0.95).interval, notes)


def over_all(labeler: Floats, people: Floats, scope: Scope, level: float) -> Apart:
    """The difference without regard to which lists differ."""
    sample, _ = sample_of(scope.audit, scope.queries, scope.ids)
    found = prediction_powered(labeler, people, sample, level=level)
    return Apart(found, error(labeler, people, sample).interval, [])


def unknown(powered: Powered) -> Powered:
    """An estimate that nothing is known of, not even its spread."""
    mean = powered.interval.mean
    blank = Interval(mean, None, None)
    return replace(powered, interval=blank, people=blank, error=None, width=None, to_halve=None)


def diluted(powered: Powered, queries: int, level: float) -> Powered:
    """The mean over `queries`, of which those that `powered` is not about are 0.

    With q = M₁ / M the share of the others, m their mean and v its variance, the mean is q m and
    its variance q² v + q (1 - q) m² / M: how many queries differ is itself a matter of which were
    asked. Degrees of freedom stay, since the zeros tell nothing of the others' spread. Random
    further queries differ at the rate q, so that halving takes 1 / q times as many.
    """
    share = powered.queries / queries
    if share == 1:
        return powered
    quantile = float(special.stdtrit(powered.degrees, (1 + level) / 2)) if powered.degrees else 0.0

    def spread(mean: float, error: float) -> float:
        return math.sqrt((share * error) ** 2 + share * (1 - share) * mean**2 / queries)

    def wide(interval: Interval) -> Interval:
        mean, low, high = interval
        if low is None or high is None:
            return Interval(share * mean, None, None)
        half = quantile * spread(mean, (high - low) / 2 / quantile)
        return Interval(share * mean, share * mean - half, share * mean + half)

    interval, people = wide(powered.interval), wide(powered.people)
    return replace(
        powered,
        interval=interval,
        people=people,
        error=None if powered.error is None else spread(powered.interval.mean, powered.error),
        width=ratio(interval, people),
        queries=queries,
        to_halve=None if powered.to_halve is None else math.ceil(powered.to_halve / share),
    )


def ratio(one: Interval, other: Interval) -> float | None:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return None
    return (one.high - one.low) / (other.high - other.low) if other.high > other.low else None


def sample_of(
    audit: Audit, queries: Sequence[Query], ids: Sequence[str]
) -> tuple[Sample, list[str]]:
    """The audited queries as a sample of those measured, and what was given up for it.

    Queries that were drawn and not graded in full are taken to be missing at random: chances
    shrink to the share of a stratum that was graded. Where a stratum is left with one graded
    query of several, strata are given up, and the inverse chances alone weigh.
    """
    place = {q.id: n for n, q in enumerate(queries)}
    rows = np.array([place[i] for i in ids], dtype=np.int64)
    labels = [stratum_of(q, audit.strata) for q in queries]
    stratum = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    held, graded = np.bincount(stratum), np.bincount(stratum[rows], minlength=stratum.max() + 1)
    if audit.weights is None:
        probability = (graded / held)[stratum[rows]]
    else:
        share = len(ids) / sum(i in place for i in audit.drawn)
        probability = np.array([audit.drawn[i] for i in ids]) * share
    notes: list[str] = []
    if np.any(graded < np.minimum(held, 2)):
        stratum = np.zeros_like(stratum)
        notes.append(
            f"too few queries of some value of {audit.strata} were graded: the estimate is "
            "weighted by chances, not by strata, and values without graded queries stay uncorrected"
        )
    return Sample(rows, probability, folds(ids), stratum), notes


def folds(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Parts of equal size, by the order of the ids' hashes."""
    order = sorted(range(len(ids)), key=lambda n: hashlib.sha256(ids[n].encode()).digest())
    found = np.empty(len(ids), dtype=np.int64)
    found[order] = np.arange(len(ids)) % FOLDS
    return found


def error(labeler: Floats, people: Floats, sample: Sample) -> Powered:
    """Mean of people's minus the labeler's values, from the audited queries alone (95 %)."""
    wrong = people - labeler[sample.rows]
    return prediction_powered(np.zeros(len(labeler)), wrong, sample, weight=0.0)


def equivalence_p(difference: Powered, margin: float) -> float:
    """p that a corrected difference is `margin` or more away from 0 (two one-sided tests).

    Where no query differs from another there is no spread to judge by: p is 0 within the margin,
    but 1 below five audited queries, as in the test of uncorrected differences.
    """
    if difference.error is None or margin <= 0:
        return 1.0
    mean, count = difference.interval.mean, difference.audited
    return loss_p(-abs(mean), difference.error, count, margin, difference.degrees)


def non_inferiority_p(difference: Powered, margin: float) -> float:
    """p that the ranker is worse by `margin` or more, one-sided; without spread as above."""
    if difference.error is None:
        return 1.0
    mean, count = difference.interval.mean, difference.audited
    return loss_p(mean, difference.error, count, margin, difference.degrees)
