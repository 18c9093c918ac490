"""From runs and judgments to what is known about each ranker against the baseline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Measure, measure_run, parse_measure
from relevance_eval.evaluators.measures.measure import NoGain
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.statistics import (
    Interval,
    equivalence_p,
    holm,
    mean_interval,
    paired_t_p,
    sign_flip_p,
    smallest_detectable,
)
from relevance_eval.evaluators.verdict import Rule, Verdict, decide

__all__ = [
    "Change",
    "Comparison",
    "Contrast",
    "Difference",
    "Plan",
    "RankerSummary",
    "check_names",
    "compare",
]

Ungraded = Mapping[str, Collection[str]]
TIE = 1e-9
"""Per-query values that are closer than this count as a tie: they differ by rounding alone."""


@dataclass(frozen=True)
class Plan:
    """What to measure and how to decide, fixed before the runs are seen.

    Attributes:
        primary: the one measure that the verdict rests on.
        others: measures shown beside it, without a verdict.
        rule: level and margin.
        no_gain: "zero" or "skip", for queries for which nothing found has any gain.
        seed: of the permutation test.
        permutations: random sign patterns where there are too many queries for all.
        changes: how many of the queries that changed most are listed.
    """

    primary: Measure = field(default_factory=lambda: parse_measure("EnDCG@10"))
    others: tuple[Measure, ...] = ()
    rule: Rule = field(default_factory=Rule)
    no_gain: NoGain = "zero"
    seed: int = 0
    permutations: int = 10_000
    changes: int = 10

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.primary, *(m for m in self.others if str(m) != str(self.primary)))


@dataclass(frozen=True)
class RankerSummary:
    """One ranker alone.

    Attributes:
        measures: measure name to mean over queries with its 95 % interval.
        values: measure name to query id to value.
        empty: ids of queries for which it returned nothing.
        problems: query id to why its result may be incomplete.
        took_p50, took_p95: milliseconds that the server spent on a query, or None if unknown.
    """

    ranker: str
    measures: Mapping[str, Interval]
    values: Mapping[str, Mapping[str, float]]
    empty: Sequence[str]
    problems: Mapping[str, str]
    took_p50: float | None
    took_p95: float | None


@dataclass(frozen=True)
class Difference:
    """A ranker against the baseline on one measure; differences are ranker minus baseline.

    Attributes:
        mean, low, high: mean difference and its 95 % interval (None with one query).
        p_t: of the paired t-test, two-sided.
        p_sign_flip: of the permutation test, two-sided.
        p_corrected: of the permutation test, corrected over the rankers compared (Holm).
        wins, ties, losses: queries on which the ranker is better, the same, worse.
        detectable: the true difference that this set finds with 80 % power at level alpha.
    """

    measure: str
    queries: int
    mean: float
    low: float | None
    high: float | None
    p_t: float
    p_sign_flip: float
    p_corrected: float
    wins: int
    ties: int
    losses: int
    detectable: float | None


@dataclass(frozen=True)
class Change:
    """A query whose primary measure moved."""

    query_id: str
    text: str
    baseline: float
    ranker: float

    @property
    def difference(self) -> float:
        return self.ranker - self.baseline


@dataclass(frozen=True)
class Contrast:
    """A ranker against the baseline on all measures, and the verdict on the primary one."""

    baseline: str
    ranker: str
    verdict: Verdict
    differences: Mapping[str, Difference]
    changes: Sequence[Change]


@dataclass(frozen=True)
class Comparison:
    """Everything that was computed; what was bought for it is told by the Labelling.

    Attributes:
        queries: how many of the set were measured.
        unanswered: ids of those that were left out, since a ranker's search failed for them: no
            answer is not a bad answer.
    """

    plan: Plan
    queries: int
    unanswered: Sequence[str]
    rankers: Sequence[RankerSummary]
    contrasts: Sequence[Contrast]


def compare(
    runs: Sequence[Run],
    queries: Sequence[Query],
    judged: Mapping[str, Mapping[str, Judgment]],
    plan: Plan,
    ungraded: Ungraded = MappingProxyType({}),
) -> Comparison:
    """Measures all runs on one ideal and tests each against the first.

    Args:
        runs: the baseline, then one or more rankers, each with its own name.
        queries: all of the set; one that a run lacks counts as having returned nothing.
        judged: query id to document id to graded judgment, over all runs' pools. A document that
            is not in it gains nothing, as in `trec_eval`.
        ungraded: query id to ids of documents whose label failed. They are taken out of the
            lists, since a failure is not a grade 0; Judged@k shows how many there are.

    Raises:
        UsageError: fewer than two runs, two of one name, or no query left to measure on.
    """
    check_names([run.ranker for run in runs])
    failed = {q for run in runs for q, result in run.results.items() if result.failed}
    unanswered = [q.id for q in queries if q.id in failed]
    queries = [q for q in queries if q.id not in failed]
    query_ids = [q.id for q in queries]
    summaries = [summarise(run, query_ids, judged, plan, ungraded) for run in runs]
    if not summaries[0].values[str(plan.primary)]:
        raise UsageError(
            "no query is left to measure on: nothing found has any gain",
            remedy="set no_gain = 'zero', or look at the labels",
        )
    table = {str(m): differences(summaries, m, plan) for m in plan.measures}
    contrasts = contrast(summaries, queries, table, plan)
    return Comparison(plan, len(queries), unanswered, summaries, contrasts)


def check_names(names: Sequence[str]) -> None:
    """Raises UsageError unless there are two rankers or more, each with its own name."""
    if len(names) < 2:
        raise UsageError("two rankers or more are needed, the baseline first")
    if len(set(names)) < len(names):
        raise UsageError(
            f"two rankers have one name: {', '.join(names)}",
            remedy="name each once; rename one of two run files",
        )


def summarise(
    run: Run,
    query_ids: Sequence[str],
    judged: Mapping[str, Mapping[str, Judgment]],
    plan: Plan,
    ungraded: Ungraded,
) -> RankerSummary:
    listed = condensed(run, ungraded)
    values = {
        str(m): measure_run(
            run if m.kind == "Judged" else listed, query_ids, judged, m, plan.no_gain
        )
        for m in plan.measures
    }
    asked = set(query_ids)
    took = [r.took for q, r in run.results.items() if q in asked and r.took is not None]
    return RankerSummary(
        ranker=run.ranker,
        measures={m: mean_interval(array(v)) for m, v in values.items() if v},
        values=values,
        empty=[q for q in query_ids if not run.hits(q)],
        problems={q: p for q, p in run.problems().items() if q in asked or run.results[q].failed},
        took_p50=float(np.percentile(took, 50)) if took else None,
        took_p95=float(np.percentile(took, 95)) if took else None,
    )


def condensed(run: Run, ungraded: Ungraded) -> Run:
    """The run without these documents: a condensed list (Sakai, SIGIR 2007)."""
    results = {
        q: replace(r, hits=tuple(h for h in r.hits if h.document_id not in ungraded.get(q, ())))
        for q, r in run.results.items()
    }
    return Run(run.ranker, results)


def array(values: Mapping[str, float]) -> npt.NDArray[np.float64]:
    return np.fromiter(values.values(), dtype=np.float64, count=len(values))


def per_query(
    baseline: RankerSummary, ranker: RankerSummary, measure: Measure
) -> npt.NDArray[np.float64]:
    """Ranker minus baseline for each query, shape [n]; differences of rounding alone are 0."""
    name = str(measure)
    found = array(ranker.values[name]) - array(baseline.values[name])
    return np.where(np.abs(found) < TIE, 0.0, found)


def differences(
    summaries: Sequence[RankerSummary], measure: Measure, plan: Plan
) -> list[Difference]:
    """One for each ranker but the baseline, corrected together."""
    baseline, *others = summaries
    columns = [per_query(baseline, other, measure) for other in others]
    p_values = [sign_flip_p(c, seed=plan.seed, permutations=plan.permutations) for c in columns]
    corrected = holm(p_values)
    return [
        difference(measure, column, p, adjusted, plan)
        for column, p, adjusted in zip(columns, p_values, corrected, strict=True)
    ]


def difference(
    measure: Measure, column: npt.NDArray[np.float64], p: float, adjusted: float, plan: Plan
) -> Difference:
    interval = mean_interval(column) if len(column) else Interval(0.0, None, None)
    return Difference(
        measure=str(measure),
        queries=len(column),
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        p_t=paired_t_p(column),
        p_sign_flip=p,
        p_corrected=adjusted,
        wins=int(np.count_nonzero(column > 0)),
        ties=int(np.count_nonzero(column == 0)),
        losses=int(np.count_nonzero(column < 0)),
        detectable=smallest_detectable(column, alpha=plan.rule.alpha),
    )


def contrast(
    summaries: Sequence[RankerSummary],
    queries: Sequence[Query],
    table: Mapping[str, Sequence[Difference]],
    plan: Plan,
) -> list[Contrast]:
    baseline, *others = summaries
    # Rankers that all find nothing of use are not shown to be equivalent by that.
    useful = any(any(s.values[str(plan.primary)].values()) for s in summaries)
    margin = plan.rule.margin if useful else 0.0
    equivalence = holm(
        [equivalence_p(per_query(baseline, o, plan.primary), margin) for o in others]
    )
    contrasts: list[Contrast] = []
    for place, other in enumerate(others):
        primary = table[str(plan.primary)][place]
        verdict = decide(
            difference=primary.mean,
            p=primary.p_corrected,
            equivalence_p=equivalence[place],
            rule=plan.rule,
        )
        found = {name: column[place] for name, column in table.items()}
        moved = changes(baseline, other, queries, plan)
        contrasts.append(Contrast(baseline.ranker, other.ranker, verdict, found, moved))
    return contrasts


def changes(
    baseline: RankerSummary, ranker: RankerSummary, queries: Sequence[Query], plan: Plan
) -> list[Change]:
    """The queries that moved most, largest first; the set's order among equals."""
    name = str(plan.primary)
    before, after = baseline.values[name], ranker.values[name]
    moved = [Change(q.id, q.text, before[q.id], after[q.id]) for q in queries if q.id in before]
    size: Callable[[Change], float] = lambda c: -abs(c.difference)  # noqa: E731
    return [c for c in sorted(moved, key=size) if abs(c.difference) >= TIE][: plan.changes]
