"""One ranker against another on one measure: the difference, its interval and its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.label_noise import LabelNoise, label_noise, widened
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import (
    Interval,
    bca_interval,
    equivalence_p,
    holm,
    max_t,
    mean_interval,
    non_inferiority_p,
    paired_t_p,
    queries_needed,
    sign_flip_p,
    smallest_detectable,
)
from relevance_eval.evaluators.statistics.spread import standard_deviation
from relevance_eval.evaluators.verdict import Verdict, decide

__all__ = [
    "TIE",
    "Column",
    "Difference",
    "differences",
    "per_query",
    "verdict_of",
    "without_rounding",
]

TIE = 1e-9
"""Per-query values that are closer than this count as a tie: they differ by rounding alone."""
Column = npt.NDArray[np.float64]
"""Ranker minus baseline for each query, shape [n]."""


@dataclass(frozen=True)
class Difference:
    """A ranker against a baseline on one measure; differences are ranker minus baseline.

    Attributes:
        mean: mean difference.
        low, high: its 95 % interval: of `low_queries` and `high_queries`, widened by label noise;
            None with one query.
        low_queries, high_queries: for the choice of queries alone: at each end the farther one of
            the BCa bootstrap's and Student's.
        low_bca, high_bca: the BCa bootstrap's.
        low_t, high_t: Student's, which goes with the paired t-test.
        p_t: of the paired t-test, two-sided.
        p_sign_flip: of the permutation test, two-sided.
        p_corrected: of the permutation test, corrected over all that is tested together.
        p_equivalent: of a difference of the rule's margin or more, corrected likewise by Holm.
        p_non_inferior: of a ranker that is worse by the rule's margin or more, one-sided, alone.
        wins, ties, losses: queries on which the ranker is better, the same, worse.
        detectable: the true difference that this set finds with 80 % power or more, at the level
            alpha over the number of differences that are tested together (Bonferroni's; the other
            corrections find more).
        queries_for_target: queries to find a true difference of the plan's target likewise, going
            by the spread seen here; None below two queries.
        noise: of the labels, or None if they are certain or not drawn for this measure.
    """

    measure: str
    queries: int
    mean: float
    low: float | None
    high: float | None
    low_queries: float | None
    high_queries: float | None
    low_bca: float | None
    high_bca: float | None
    low_t: float | None
    high_t: float | None
    p_t: float
    p_sign_flip: float
    p_corrected: float
    p_equivalent: float
    p_non_inferior: float
    wins: int
    ties: int
    losses: int
    detectable: float | None
    queries_for_target: int | None
    noise: LabelNoise | None

    @property
    def more_queries(self) -> int | None:
        """Beyond those measured, to find a true difference of the plan's target."""
        if self.queries_for_target is None:
            return None
        return max(0, self.queries_for_target - self.queries)

    def in_doubt(self, verdict: Verdict) -> bool:
        """Whether the labeler's own doubt could undo a better or worse.

        p-values take the labels as they are: the interval of queries alone goes with them, and the
        wider one that has label noise in it may hold 0 where that one does not.
        """
        if verdict not in (Verdict.BETTER, Verdict.WORSE):
            return False
        alone = holds_zero(self.low_queries, self.high_queries)
        return holds_zero(self.low, self.high) and not alone


def holds_zero(low: float | None, high: float | None) -> bool:
    """Whether the interval has 0 in it."""
    return low is not None and high is not None and low <= 0 <= high


def per_query(baseline: Mapping[str, float], ranker: Mapping[str, float]) -> Column:
    """Ranker minus baseline; differences of rounding alone are 0."""
    found = np.array([ranker[q] - before for q, before in baseline.items()], dtype=np.float64)
    return without_rounding(found)


def without_rounding(column: Column) -> Column:
    """Differences of rounding alone are 0."""
    return np.where(np.abs(column) < TIE, 0.0, column)


def differences(
    columns: Sequence[Column],
    measure: str,
    plan: Plan,
    *,
    margin: float,
    places: Sequence[npt.NDArray[np.bool_]] = (),
    drawn: Sequence[npt.NDArray[np.float64] | None] = (),
) -> list[Difference]:
    """One for each column, corrected together.

    Args:
        columns: one for each pair of rankers, queries in one order.
        margin: of equivalence and non-inferiority; 0 for none.
        places: bool [n], the queries that a column is about; all of them if empty.
        drawn: of each column, its differences under many sets of labels, shape [draws, n].
    """
    kept = list(places) or [np.ones(len(c), dtype=np.bool_) for c in columns]
    noisy = list(drawn) or [None] * len(columns)
    level = plan.rule.alpha / max(len(columns), 1)
    found = [
        alone(column[k], measure, plan, margin, None if d is None else d[:, k], level)
        for column, k, d in zip(columns, kept, noisy, strict=True)
    ]
    p_values = [d.p_sign_flip for d in found]
    corrected = holm(p_values)
    if plan.correction == "maxt":
        masked = [np.where(k, c, 0.0) for c, k in zip(columns, kept, strict=True)]
        stepped = max_t(masked, seed=plan.seed, permutations=plan.permutations)
        # Both are drawn at random where there are many queries: luck must not undo the correction.
        corrected = [max(p, q) for p, q in zip(p_values, stepped, strict=True)]
    equivalent = holm([d.p_equivalent for d in found])
    return [
        replace(d, p_corrected=p, p_equivalent=e)
        for d, p, e in zip(found, corrected, equivalent, strict=True)
    ]


def alone(
    column: Column,
    measure: str,
    plan: Plan,
    margin: float,
    drawn: npt.NDArray[np.float64] | None,
    level: float,
) -> Difference:
    """The difference before any correction, but for what could be found: that is at `level`."""
    student = resampled = Interval(0.0, None, None)
    if len(column):
        student = mean_interval(column)
        resampled = bca_interval(column, seed=plan.seed, resamples=plan.resamples)
    queries = farther(student, resampled)
    noise = None if drawn is None else label_noise(drawn, column)
    total = widened(queries, noise)
    needed = None
    if len(column) > 1:
        needed = queries_needed(standard_deviation(column), plan.target, alpha=level)
    p = sign_flip_p(column, seed=plan.seed, permutations=plan.permutations)
    return Difference(
        measure=measure,
        queries=len(column),
        mean=student.mean,
        low=total.low,
        high=total.high,
        low_queries=queries.low,
        high_queries=queries.high,
        low_bca=resampled.low,
        high_bca=resampled.high,
        low_t=student.low,
        high_t=student.high,
        p_t=paired_t_p(column),
        p_sign_flip=p,
        p_corrected=p,
        p_equivalent=equivalence_p(column, margin),
        p_non_inferior=non_inferiority_p(column, margin),
        wins=int(np.count_nonzero(column > 0)),
        ties=int(np.count_nonzero(column == 0)),
        losses=int(np.count_nonzero(column < 0)),
        detectable=smallest_detectable(column, alpha=level),
        queries_for_target=needed,
        noise=noise,
    )


def farther(student: Interval, resampled: Interval) -> Interval:
    """At each end the one that is farther from the mean.

    Either falls short where the other does not. Simulated with 50 queries, the bootstrap covers the
    mean of heavy-tailed differences in 92 % and Student's interval that of skewed ones in 92 %;
    this one covers them in 95 % and 96 %, and is 5 % to 10 % wider than the wider of both.
    """
    if student.low is None or student.high is None:
        return student
    lows, highs = (student.low, resampled.low), (student.high, resampled.high)
    low, high = min(x for x in lows if x is not None), max(x for x in highs if x is not None)
    return Interval(student.mean, low, high)


def verdict_of(difference: Difference, plan: Plan) -> Verdict:
    return decide(
        difference=difference.mean,
        p=difference.p_corrected,
        equivalence_p=difference.p_equivalent,
        rule=plan.rule,
    )
