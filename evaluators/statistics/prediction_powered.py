"""A mean over queries from a labeler's values for all of them and people's for a random part."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.interval import Interval
from relevance_eval.evaluators.statistics.spread import beyond_rounding

__all__ = ["FOLDS", "Powered", "Sample", "prediction_powered"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FOLDS = 10
"""Parts of the audit that the labeler's weight is fitted around."""
FEWEST_FITTED = 4
"""Below so many queries to fit it on, the labeler's weight is 0: people alone."""
HIGHEST_WEIGHT = 1.0


@dataclass(frozen=True)
class Sample:
    """Which queries people graded, and how probable it was that these would be.

    Attributes:
        rows: int64 [n], where the audited queries stand among all, each once.
        probability: float64 [n], chance of each to be drawn, above 0 and at most 1.
        fold: int64 [n], part that each falls in while the labeler's weight is fitted. It may not
            depend on any grade.
        stratum: int64 [N], 0, 1, ...: the stratum of every query; each holds two or more audited
            queries.
    """

    rows: Integers
    probability: Floats
    fold: Integers
    stratum: Integers

    @classmethod
    def simple(cls, count: int, rows: Integers) -> Sample:
        """`rows` of `count` queries, drawn without replacement, all sets being equally likely."""
        probability = np.full(len(rows), len(rows) / count)
        fold = np.arange(len(rows), dtype=np.int64) % FOLDS
        return cls(rows, probability, fold, np.zeros(count, dtype=np.int64))


@dataclass(frozen=True)
class Powered:
    """A corrected mean.

    Attributes:
        interval: the estimate and its interval, for the queries' population: like a paired t
            interval, it covers the choice of the query set, and that of the audit besides.
        people: the same from people's values alone.
        error: standard error of the estimate; None where the audit has no spread to tell it by.
        degrees: of freedom of its t distribution.
        weight: mean weight of the labeler, 0 (people alone) to 1.
        correlation: of people's and the labeler's values over the audit, -1 to 1; None without
            spread.
        width: of the interval, as a share of that of people alone; below 1 is a gain.
        audited: queries that people graded.
        queries: all of them.
        to_halve: how many more graded queries would halve the interval; None if grading the whole
            set would not, so that more queries are needed.
    """

    interval: Interval
    people: Interval
    error: float | None
    degrees: int
    weight: float
    correlation: float | None
    width: float | None
    audited: int
    queries: int
    to_halve: int | None

    @property
    def p(self) -> float:
        """Two-sided p of a mean of 0; 1 where there is no spread to tell."""
        if not self.error:
            return 1.0
        return float(2 * special.stdtr(self.degrees, -abs(self.interval.mean) / self.error))


def prediction_powered(
    labeler: Floats,
    people: Floats,
    sample: Sample,
    *,
    level: float = 0.95,
    weight: float | None = None,
) -> Powered:
    """The mean that people would give all queries, from their values for a random sample.

    PPI++ (Angelopoulos, Duchi & Zrnic 2023) in the form of two-phase sampling. With f the
    labeler's value, y people's, M_h queries in stratum h of M, and π the chance to be drawn, the
    mean of a stratum is that of

        e = y - λ (f - mean of f over the whole stratum)

    over its audited queries, weighted by 1/π (Hájek 1971), and strata count by M_h / M. λ = 0 is
    people alone. On a simple random sample of n, this is PPI++ with its own λ scaled by
    (M - n) / M; λ = 1 is plain PPI with the audited queries among the predictions.

    λ is the slope of y on f within strata, 0 to 1, fitted for each fold on the other folds
    (cross-fitting), so that no query's own grades choose the weight it is corrected with. The
    variance is

        s²(y) / M  +  Σ_h (M_h / M)² · (n_h - 1) / n_h · Σ (1 - π) (u (e - ē_h) / (1 - u))²

    with u the weights, normalised within the stratum: the spread of queries, then the jackknife's
    of the draw, which is (1/n_h - 1/M_h) s²(e) where all of a stratum are equally likely. The
    quantile is Student's, with n less the number of strata degrees of freedom.

    Args:
        labeler: float64 [N], one value a query.
        people: float64 [n], for the queries of `sample.rows`.
        level: confidence, above 0 and below 1.
        weight: λ, if it is not to be fitted.
    """
    values = labeler[sample.rows]
    fitted = fit_weights(people, values, sample) if weight is None else np.full(len(people), weight)
    centre = stratum_means(labeler, sample.stratum)[sample.stratum[sample.rows]]
    corrected = Draw.of(people - fitted * (values - centre), people, sample)
    alone = Draw.of(people, people, sample)
    still = not np.ptp(people) and np.ptp(labeler - labeler[0]) > 0
    degrees = len(people) - len(np.unique(sample.stratum))
    known = degrees > 0 and not still
    narrow, wide = (d.half_width(degrees, level) if known else None for d in (corrected, alone))
    return Powered(
        interval=around(corrected.mean, narrow),
        people=around(alone.mean, wide),
        error=beyond_rounding(math.sqrt(corrected.variance), people) if known else None,
        degrees=degrees,
        weight=float(fitted.mean()) if len(fitted) else 0.0,
        correlation=correlation(people, values, sample.probability),
        width=narrow / wide if narrow is not None and wide else None,
        audited=len(people),
        queries=len(labeler),
        to_halve=corrected.to_halve(degrees, level, len(labeler)) if known else None,
    )


@dataclass(frozen=True)
class Draw:
    """A weighted mean of a sample and its variance in parts.

    Attributes:
        spread: of the queries themselves.
        drawn: of the draw, had it been with replacement; in inverse proportion to its size.
        finite: what that is too large by, since no query is drawn twice.
    """

    mean: float
    spread: float
    drawn: float
    finite: float
    size: int

    @classmethod
    def of(cls, values: Floats, people: Floats, sample: Sample) -> Draw:
        """Of `values` [n]; the queries' own spread is that of `people` [n]."""
        shares = np.bincount(sample.stratum) / len(sample.stratum)
        mean = drawn = finite = within = 0.0
        means: list[float] = []
        for share, part in zip(shares, strata(sample), strict=True):
            weights = 1 / sample.probability[part]
            weights /= weights.sum()
            local, level = values[part], float(weights @ values[part])
            mean += share * level
            means.append(float(weights @ people[part]))
            if len(local) < 2:
                continue
            # The jackknife's: what the mean of a few moves by without one of them.
            moves = weights * (local - level) / (1 - weights)
            squares = (1 - 1 / len(local)) * (share * moves) ** 2
            drawn += float(squares.sum())
            finite += float(squares @ sample.probability[part])
            unbiased = 1 / (1 - weights @ weights)
            within += share * unbiased * float(weights @ (people[part] - means[-1]) ** 2)
        between = float(shares @ (np.array(means) - shares @ np.array(means)) ** 2)
        spread = (within + between) / len(sample.stratum)
        return cls(mean, spread, drawn, finite, len(values))

    @property
    def variance(self) -> float:
        return self.spread + max(self.drawn - self.finite, 0.0)

    def half_width(self, degrees: int, level: float) -> float:
        return float(special.stdtrit(degrees, (1 + level) / 2)) * math.sqrt(self.variance)

    def to_halve(self, degrees: int, level: float, queries: int) -> int | None:
        """More audited queries, spread as these are, until the interval is half as wide."""
        goal = self.half_width(degrees, level) / 2
        if goal == 0:
            return None

        def enough(more: int) -> bool:
            drawn = self.drawn * self.size / (self.size + more)
            return replace(self, drawn=drawn).half_width(degrees + more, level) <= goal

        # The more queries, the narrower: the first number that is enough lies between.
        candidates = range(1, queries - self.size + 1)
        place = bisect_left(candidates, True, key=enough)
        return candidates[place] if place < len(candidates) else None


def fit_weights(people: Floats, labeler: Floats, sample: Sample) -> Floats:
    """λ of each audited query, shape [n], from the audited queries of the other folds.

    Least squares with an intercept for each stratum; 0 where the labeler's values are all one.
    """
    group, fold = sample.stratum[sample.rows], sample.fold
    shape = (int(sample.stratum.max()) + 1, int(fold.max(initial=0)) + 1)
    cell = group * shape[1] + fold
    importance = 1 / sample.probability

    def others(values: Floats) -> Floats:
        """Weighted sums over the other folds, shape [strata, folds]."""
        sums = np.bincount(cell, importance * values, shape[0] * shape[1]).reshape(shape)
        return sums.sum(axis=1, keepdims=True) - sums

    # Centred first, so that the differences of sums below keep their digits.
    y, f = people - people.mean(), labeler - labeler.mean()
    size = np.maximum(others(np.ones(len(y))), np.finfo(float).tiny)
    power = (others(f * f) - others(f) ** 2 / size).sum(axis=0)
    shared = (others(y * f) - others(y) * others(f) / size).sum(axis=0)
    rest = len(y) - np.bincount(fold, minlength=shape[1])
    sure = (rest >= FEWEST_FITTED) & (power > 1e-12 * float(importance @ f**2))
    slopes = np.divide(shared, power, out=np.zeros(shape[1]), where=sure)
    return np.clip(slopes, 0.0, HIGHEST_WEIGHT)[fold]


def strata(sample: Sample) -> Iterator[Integers]:
    """The places of each stratum's queries within the audit, stratum 0 first."""
    group = sample.stratum[sample.rows]
    for stratum in range(int(sample.stratum.max()) + 1):
        yield np.flatnonzero(group == stratum)


def stratum_means(values: Floats, stratum: Integers) -> Floats:
    return np.bincount(stratum, values) / np.bincount(stratum)


def correlation(people: Floats, labeler: Floats, probability: Floats) -> float | None:
    """Pearson's, weighted by 1/π."""
    if len(people) < 2 or not np.ptp(people) or not np.ptp(labeler):
        return None
    weights = 1 / probability
    y, f = (v - weights @ v / weights.sum() for v in (people, labeler))
    return float(weights @ (y * f) / math.sqrt((weights @ y**2) * (weights @ f**2)))


def around(mean: float, half: float | None) -> Interval:
    return Interval(mean, None, None) if half is None else Interval(mean, mean - half, mean + half)
