"""The way of the data, from rankers to a comparison: collect runs, grade them, compare."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from relevance_eval.collected import Collected, collect, is_file
from relevance_eval.errors import UsageError
from relevance_eval.evaluators.audit import Audit
from relevance_eval.evaluators.circularity import Kinship
from relevance_eval.evaluators.comparison import Comparison, Plan, check_names, compare, ungraded_of
from relevance_eval.evaluators.correction import Audited, audited
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelling import Labeler, Labelling, check_graded, label
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query, repeated
from relevance_eval.judge import Judge, judge_labeler
from relevance_eval.people import People
from relevance_eval.project import Project, Task, untold
from relevance_eval.thrift import Thrift, check_thrift, compare_thriftily

__all__ = ["Evaluation", "Judged", "evaluate", "grade"]

QRELS = "person:qrels"
Judged = Mapping[str, Mapping[str, Judgment]]
"""Query id to document id to graded judgment."""


@dataclass(frozen=True)
class Evaluation:
    """A comparison and what it was made from.

    Attributes:
        comparison: by the labeler's grades, and people's where there are some.
        seconds: wall-clock time by step: pulling, labelling, measuring.
        judge: how far the labeler may be believed; `judge.verdict(contrast)` is the verdict that
            counts.
    """

    collected: Collected
    labeler: Labeler
    labelling: Labelling
    judged: Judged
    comparison: Comparison
    seconds: Mapping[str, float]
    judge: Judge = field(default_factory=Judge)

    @property
    def repeated(self) -> int:
        """Compared queries that have the wording of another one."""
        left_out = set(self.comparison.unanswered)
        return repeated(q for q in self.collected.queries if q.id not in left_out)


def check_people(people: Mapping[str, Qrels], queries: Sequence[Query]) -> None:
    """Raises UsageError for grades of other queries alone: they would count for nothing."""
    known = {q.id for q in queries}
    for name, qrels in people.items():
        if qrels and known.isdisjoint(qrels):
            raise UsageError(
                f"these grades are of no query of the set, but of {min(qrels)}",
                where=name,
                remedy="name the query set that people graded: --queries FILE",
            )


def grade(
    project: Project,
    collected: Collected,
    task: Task,
    *,
    labeler: Labeler,
    people: Mapping[str, Qrels] | None = None,
) -> Labelling:
    """Grades the pool; what the store holds is reused, what is bought is stored as it comes.

    Args:
        people: grades given by people, by name; they are stored, and win over the labeler's.
    """
    pairs = collected.pairs
    with project.store() as store, task("labelling") as progress:
        for name, qrels in (people or {}).items():
            store.add_people(name, pairs, qrels)
        labelling = label(pairs, labeler, store, progress)
    check_graded(labelling, labeler)
    return labelling


def heard(
    project: Project,
    collected: Collected,
    comparison: Comparison,
    found: Audited,
    people: Mapping[str, Qrels],
    task: Task,
    *,
    labeler: Labeler,
    few: bool = False,
) -> Judge:
    """What people's grades of the audit say of the labeler and of the comparison.

    The labeler grades what people graded too. With few labels it does so last, and for trust
    alone: labels bought since a query was drawn would set that query's value apart from the others'
    that it is to correct.

    Args:
        few: the comparison did without a part of the pool.
    """
    pairs = collected.pairs
    if few:
        pairs = [p for p in pairs if p.document.id in found.people.get(p.query.id, ())]
    with project.store() as store, task("labelling what people graded") as progress:
        alone = label(pairs, labeler, store, progress, people=False)
    judge = judge_labeler(
        found,
        people,
        collected.runs,
        collected.queries,
        alone.by_id(pairs),
        comparison,
        bar=project.config.labelling.bar,
        relevant=project.config.compare.relevant,
    )
    return replace(judge, labelling=alone)


def with_ideal(judged: Judged, people: Iterable[Qrels]) -> Judged:
    """The judgments, and people's grades of documents that no ranker found: the ideal has them."""
    votes: dict[str, dict[str, list[Judgment]]] = {}
    for qrels in people:
        for query_id, grades in qrels.items():
            for document_id, grade in grades.items():
                given = votes.setdefault(query_id, {}).setdefault(document_id, [])
                given.append(Judgment.certain(QRELS, grade))
    shared = {
        q: {i: Judgment.shared(QRELS, given) for i, given in documents.items()}
        for q, documents in votes.items()
    }
    return {q: shared.get(q, {}) | dict(judged.get(q, {})) for q in {**judged, **shared}}


def measured(collected: Collected, judged: Judged, plan: Plan) -> Comparison:
    ungraded = ungraded_of(collected.runs, [q.id for q in collected.queries], judged)
    return compare(collected.runs, collected.queries, judged, plan, ungraded)


def thrifty(
    project: Project,
    collected: Collected,
    plan: Plan,
    thrift: Thrift,
    task: Task,
    labeler: Labeler,
    people: Mapping[str, Qrels],
    found: Audited | None,
) -> Evaluation:
    """Labels and measures by turns; people's grades are labels, or those of an audit."""
    started = time.perf_counter()
    with project.store() as store, task("labelling") as progress:
        for name, qrels in people.items() if not found else ():
            store.add_people(name, collected.pairs, qrels)
        comparison, labelling = compare_thriftily(
            collected.runs,
            collected.queries,
            collected.documents,
            collected.pairs,
            plan,
            thrift,
            labeler=labeler,
            store=store,
            progress=progress,
            people=found is None,
        )
    judged = labelling.by_id(collected.pairs)
    if not labelling.skipped:  # then every measure can be told
        comparison = measured(collected, judged, plan)
    judge = Judge()
    if found:
        few = labelling.skipped > 0
        judge = heard(project, collected, comparison, found, people, task, labeler=labeler, few=few)
    seconds = steps(collected, labelling, judge, started + labelling.seconds)
    return Evaluation(collected, labeler, labelling, judged, comparison, seconds, judge)


def wholly(
    project: Project,
    collected: Collected,
    plan: Plan,
    task: Task,
    labeler: Labeler,
    people: Mapping[str, Qrels],
    found: Audited | None,
) -> Evaluation:
    """All labels, then the measures; people's grades win over the labeler's."""
    labelling = grade(project, collected, task, labeler=labeler, people=people)
    started = time.perf_counter()
    judged = with_ideal(labelling.by_id(collected.pairs), people.values())
    comparison = measured(collected, judged, plan)
    judge = Judge()
    if found:
        judge = heard(project, collected, comparison, found, people, task, labeler=labeler)
    seconds = steps(collected, labelling, judge, started)
    return Evaluation(collected, labeler, labelling, judged, comparison, seconds, judge)


def steps(
    collected: Collected, labelling: Labelling, judge: Judge, since: float
) -> dict[str, float]:
    """Seconds by step; `since`: the clock when the labels of the comparison were there."""
    alone = judge.labelling.seconds if judge.labelling else 0.0
    return {
        "pulling": collected.seconds,
        "labelling": labelling.seconds + alone,
        "measuring": time.perf_counter() - since - alone,
    }


def evaluate(
    project: Project,
    names: Sequence[str],
    queries: Sequence[Query],
    plan: Plan,
    task: Task = untold,
    *,
    labeler: Labeler,
    corpus: Path | None = None,
    people: Mapping[str, Qrels] | None = None,
    audit: Audit | None = None,
    kin: Sequence[Kinship] = (),
    thrift: Thrift | None = None,
    whole: bool = False,
) -> Evaluation:
    """Pull, label, measure, test: the first name is the baseline.

    Args:
        audit: the random sample that `people` graded. The labeler then grades what they graded too.
            With thrift, people's grades are used for nothing else, and what the labeler grades for
            it is beyond the budget.
        kin: rankers that use a relative of the labeler's model.
        thrift: how to buy no more labels than the verdicts hang on; None for all labels.
        whole: keep queries that no run file has, as with an audit, which was drawn from all.

    Raises UsageError, before anything is pulled or bought, for fewer than two rankers or two of
    one name, for grades of other queries, or where the plan or people's grades do not go with
    thrift.
    """
    check_names([Path(n).stem if is_file(project, n) else n for n in names])
    if thrift:
        check_thrift(plan, thrift, labeler, people, audit)
    if audit and isinstance(labeler, People):
        raise UsageError("people are the labeler: there is nobody to correct", where="audit")
    grades, found = people or {}, None
    check_people(grades, queries)
    collected = collect(project, names, queries, task, corpus, whole=whole or audit is not None)
    if audit:
        found = audited(audit, collected.queries, collected.runs, grades, plan.primary)
    if thrift:
        made = thrifty(project, collected, plan, thrift, task, labeler, grades, found)
    else:
        made = wholly(project, collected, plan, task, labeler, grades, found)
    return replace(made, judge=replace(made.judge, kin=kin, mixed=thrift is None))
