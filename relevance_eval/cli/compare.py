"""`relevance-eval compare`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import LabelOptions, Session, Sources, comparing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from relevance_eval.evaluation import Evaluation
    from relevance_eval.evaluators.comparison import Plan
    from relevance_eval.evaluators.query import Query
    from relevance_eval.project import Project
    from relevance_eval.thrift import Thrift

__all__ = ["compare", "compared", "published"]

FIGURES = ("mean", "low", "high", "p_corrected", "queries")


@click.command()
@comparing
def compare(
    session: Session,
    given: Sources,
    buying: LabelOptions,
    baselines: int,
    audit: Path | None,
    publish: bool,
) -> None:
    """Say whether RANKERS are better than the first one (or ones), and how sure that is.

    A ranker is a name of the configuration or a TREC run file. Exits 0 whenever there is a
    result, whatever it says; a labeler that people show to be no good gets no verdict.
    """
    from relevance_eval.answer import comparison_result, envelope
    from relevance_eval.cli.tables import show_comparison
    from relevance_eval.provenance import made_of
    from relevance_eval.results import write_evaluation

    project = session.project(required=given.corpus is None)
    queries = project.queries(given.queries)
    plan = replace(project.plan(session.seed), baselines=baselines)
    thrift = project.thrift(buying.labels, buying.max_labels, buying.max_minutes)
    evaluation = compared(
        session, project, given, queries, plan, thrift, audit=audit, publish=publish
    )
    origin = made_of(project, evaluation, given.rankers)
    answer = envelope("compare", project.hash, comparison_result(evaluation, origin))
    folder: Path | None = None
    try:
        folder = write_evaluation(project.home, evaluation, answer)
    finally:  # labels and searches are paid for: the answer is shown though the disk is full
        session.console.answer(answer, lambda out: show_comparison(out, evaluation, folder))
    if publish:
        published(session, project, answer)


def compared(
    session: Session,
    project: Project,
    given: Sources,
    queries: Sequence[Query],
    plan: Plan,
    thrift: Thrift | None,
    *,
    audit: Path | None,
    publish: bool,
    whole: bool = False,
) -> Evaluation:
    """The evaluation; what could hinder it later is raised before anything is bought.

    Args:
        whole: queries that no run file has are queries without hits, and not left out.
    """
    from relevance_eval.evaluation import evaluate
    from relevance_eval.evaluators.comparison import check_baselines
    from relevance_eval.evaluators.qrels import read_people
    from relevance_eval.relatives import relatives
    from relevance_eval.results import check_file_names, run_names

    sample = project.audit(audit)
    people = read_people(given.qrels)
    check_file_names(run_names(given.rankers, project.config.rankers))
    if plan.baselines > 1:  # of a lone ranker something better is said below
        check_baselines(plan.baselines, len(given.rankers))
    if publish:
        published(session, project, None)
    labeler = project.labeler(given.labeler)
    return evaluate(
        project,
        given.rankers,
        queries,
        plan,
        session.console.task,
        labeler=labeler,
        corpus=given.corpus,
        people=people,
        audit=sample,
        kin=relatives(project, given.rankers, given.labeler),
        thrift=thrift,
        whole=whole,
    )


def published(session: Session, project: Project, answer: Mapping[str, Any] | None) -> None:
    """Publishes the answer; without one, raises what would hinder it before anything is bought."""
    from relevance_eval.plugin.publish import check_set_up, publish

    with project.session(session.console.task, fill=False) as client:
        if answer is None:
            check_set_up(client)
        else:
            publish(client, counted(answer))


def counted(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer with the figures that its verdicts rest on: corrected ones where there are any."""
    result = answer["result"]
    primary = result["plan"]["primary"]
    contrasts: list[dict[str, Any]] = []
    for contrast in result["comparisons"]:
        found = contrast["differences"][primary]
        corrected: dict[str, Any] = contrast["corrected"] or {}
        found = found | {k: corrected[k] for k in FIGURES if k in corrected}
        contrasts.append(contrast | {"differences": contrast["differences"] | {primary: found}})
    return {**answer, "result": result | {"comparisons": contrasts}}
