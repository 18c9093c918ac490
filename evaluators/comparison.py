"""From runs and judgments to what is known about each ranker against each baseline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.decisive.settle import Settled
from relevance_eval.evaluators.difference import TIE, Difference, differences, per_query, verdict_of
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.label_draws import draw_labels
from relevance_eval.evaluators.label_noise import flip_risks
from relevance_eval.evaluators.measures import measure_run
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.slices import Slice, slices
from relevance_eval.evaluators.statistics import Interval, mean_interval
from relevance_eval.evaluators.verdict import Verdict

__all__ = [
    "Change",
    "Comparison",
    "Contrast",
    "Difference",
    "Plan",
    "RankerSummary",
    "answered",
    "changes",
    "check_baselines",
    "check_names",
    "compare",
    "summary_of",
    "ungraded_of",
]

Ungraded = Mapping[str, Collection[str]]
Judged = Mapping[str, Mapping[str, Judgment]]


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
    """A ranker against a baseline on all measures, and the verdict on the primary one.

    Attributes:
        flip_risk: share of sets of labels, drawn from the grade distributions, with which the
            verdict would be another; 0 where all labels are certain, None where none were drawn
            by choice.
        slices: the primary measure by tag and value of the queries.
        settled: how few labels settled the verdict; None where all are known.
        per_query: query id to the difference as estimated by few labels, which is not always that
            of the rankers' values: these are by the first baseline. None where all are known.
    """

    baseline: str
    ranker: str
    verdict: Verdict
    differences: Mapping[str, Difference]
    changes: Sequence[Change]
    flip_risk: float | None = None
    slices: Sequence[Slice] = ()
    settled: Settled | None = None
    per_query: Mapping[str, float] | None = None

    @property
    def estimated(self) -> bool:
        """Whether values of single queries are estimates: their mean is good, they may be far
        off, and outside 0 to 1."""
        return self.settled is not None and self.settled.how != "all"


@dataclass(frozen=True)
class Comparison:
    """Everything that was computed; what was bought for it is told by the Labelling.

    Attributes:
        queries: how many of the set were measured.
        unanswered: ids of those that were left out, since a ranker's search failed for them: no
            answer is not a bad answer.
        contrasts: each ranker against each baseline, by baseline, then by ranker.
    """

    plan: Plan
    queries: int
    unanswered: Sequence[str]
    rankers: Sequence[RankerSummary]
    contrasts: Sequence[Contrast]


def compare(
    runs: Sequence[Run],
    queries: Sequence[Query],
    judged: Judged,
    plan: Plan,
    ungraded: Ungraded = MappingProxyType({}),
) -> Comparison:
    """Measures all runs on one ideal and tests each against the baseline, or each baseline.

    Args:
        runs: the baselines, then one or more rankers, each with its own name.
        queries: all of the set; one that a run lacks counts as having returned nothing.
        judged: query id to document id to graded judgment, over all runs' pools. A document that
            is not in it gains nothing, as in `trec_eval`.
        ungraded: query id to ids of documents whose label failed. They are taken out of the
            lists, since a failure is not a grade 0; Judged@k shows how many there are.

    Raises:
        UsageError: fewer than two runs, two of one name, no ranker beside the baselines, or no
            query left to measure on.
    """
    check_names([run.ranker for run in runs])
    check_baselines(plan.baselines, len(runs))
    queries, unanswered = answered(runs, queries)
    query_ids = [q.id for q in queries]
    listed = [condensed(run, ungraded) for run in runs]
    summaries = [
        summarise(run, short, query_ids, judged, plan)
        for run, short in zip(runs, listed, strict=True)
    ]
    if not summaries[0].values[str(plan.primary)]:
        raise UsageError(
            "no query is left to measure on: nothing found has any gain",
            remedy="set no_gain = 'zero', or look at the labels",
        )
    contrasts = contrast(summaries, listed, queries, judged, plan)
    return Comparison(plan, len(queries), unanswered, summaries, contrasts)


def answered(runs: Sequence[Run], queries: Sequence[Query]) -> tuple[list[Query], list[str]]:
    """The queries to measure on, and the ids of those for which a ranker's search failed.

    By id: what is drawn at random for a query must not hang on its place in the set.
    """
    failed = {q for run in runs for q, result in run.results.items() if result.failed}
    rising = sorted(queries, key=lambda q: q.id)
    return [q for q in rising if q.id not in failed], [q.id for q in rising if q.id in failed]


def check_names(names: Sequence[str]) -> None:
    """Raises UsageError unless there are two rankers or more, each with its own name."""
    if len(names) < 2:
        raise UsageError("two rankers or more are needed, the baseline first")
    if len(set(names)) < len(names):
        raise UsageError(
            f"two rankers have one name: {', '.join(names)}",
            remedy="name each once; rename one of two run files",
        )


def check_baselines(baselines: int, rankers: int) -> None:
    """Raises UsageError unless there is a baseline, and a ranker to compare with it."""
    if not 1 <= baselines < rankers:
        raise UsageError(
            f"{baselines} of {rankers} rankers cannot be baselines: "
            "one at least is, and one at least is not",
            remedy="name the baselines first, then the rankers to compare with them",
        )


def ungraded_of(runs: Sequence[Run], query_ids: Sequence[str], judged: Judged) -> Ungraded:
    """What the runs hold and nobody has graded, by query."""
    return {
        q: {h.document_id for r in runs for h in r.hits(q)} - judged.get(q, {}).keys()
        for q in query_ids
    }


def summarise(
    run: Run, listed: Run, query_ids: Sequence[str], judged: Judged, plan: Plan
) -> RankerSummary:
    """One ranker; `listed` is its run without the documents whose label failed."""
    values = {
        str(m): measure_run(
            run if m.kind == "Judged" else listed, query_ids, judged, m, plan.no_gain
        )
        for m in plan.measures
    }
    return summary_of(run, values, query_ids)


def summary_of(
    run: Run, values: Mapping[str, Mapping[str, float]], query_ids: Sequence[str]
) -> RankerSummary:
    """One ranker from its values, by measure and query."""
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


def contrast(
    summaries: Sequence[RankerSummary],
    listed: Sequence[Run],
    queries: Sequence[Query],
    judged: Judged,
    plan: Plan,
) -> list[Contrast]:
    """Each ranker against each baseline; all pairs are corrected together."""
    primary = str(plan.primary)
    pairs = list(product(summaries[: plan.baselines], summaries[plan.baselines :]))
    columns = {
        str(m): [per_query(b.values[str(m)], r.values[str(m)]) for b, r in pairs]
        for m in plan.measures
    }
    # Rankers that all find nothing of use are not shown to be equivalent by that.
    useful = any(any(s.values[primary].values()) for s in summaries)
    margin = plan.rule.margin if useful else 0.0
    measured = {s.ranker: s.values[primary] for s in summaries}
    draws = draw_labels(
        listed, judged, plan.primary, measured, draws=plan.label_draws, seed=plan.seed
    )
    drawn = [draws.differences(b.ranker, r.ranker) if draws else None for b, r in pairs]
    table = {
        name: differences(found, name, plan, margin=margin, drawn=drawn if name == primary else ())
        for name, found in columns.items()
    }
    verdicts = [verdict_of(d, plan) for d in table[primary]]
    kept = [q for q in queries if q.id in measured[summaries[0].ranker]]
    sliced = slices(columns[primary], kept, plan, margin=margin, drawn=drawn)
    risks: list[float | None] = [0.0 if plan.label_draws else None] * len(pairs)
    noisy = [d for d in drawn if d is not None]
    if noisy:
        risks = [*flip_risks(noisy, verdicts, margin, plan)]
    return [
        Contrast(
            baseline=baseline.ranker,
            ranker=ranker.ranker,
            verdict=verdicts[place],
            differences={name: found[place] for name, found in table.items()},
            changes=changes(baseline, ranker, queries, plan),
            flip_risk=risks[place],
            slices=sliced[place],
        )
        for place, (baseline, ranker) in enumerate(pairs)
    ]


def changes(
    baseline: RankerSummary, ranker: RankerSummary, queries: Sequence[Query], plan: Plan
) -> list[Change]:
    """The queries that moved most, largest first; the set's order among equals."""
    name = str(plan.primary)
    before, after = baseline.values[name], ranker.values[name]
    moved = [Change(q.id, q.text, before[q.id], after[q.id]) for q in queries if q.id in before]
    size: Callable[[Change], float] = lambda c: -abs(c.difference)  # noqa: E731
    return [c for c in sorted(moved, key=size) if abs(c.difference) >= TIE][: plan.changes]
