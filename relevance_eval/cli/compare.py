"""`relevance-eval compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import FILE, Session, common

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relevance_eval.project import Project

__all__ = ["compare"]


@click.command()
@common
@click.argument("rankers", nargs=-1, required=True)
@click.option("--queries", type=FILE, help="Query set, JSON Lines.  [default: the configuration's]")
@click.option(
    "--corpus",
    type=FILE,
    help="Documents of run files, JSON Lines.  [default: the index]",
)
@click.option(
    "--qrels",
    type=FILE,
    multiple=True,
    help="Grades by people, TREC format; they win over the labeler's. May be given more than once."
    "  [default: none]",
)
@click.option("--labeler", help="builtin, a folder or owner/name.  [default: the configuration's]")
@click.option(
    "--baselines",
    type=click.IntRange(min=1),
    default=1,
    help="How many of the first rankers are baselines; each of the others is compared with each of "
    "them.  [default: 1]",
)
@click.option("--publish", is_flag=True, help="Store the result in relevance-eval-comparisons too.")
def compare(
    session: Session,
    rankers: tuple[str, ...],
    queries: Path | None,
    corpus: Path | None,
    qrels: tuple[Path, ...],
    labeler: str | None,
    baselines: int,
    publish: bool,
) -> None:
    """Say whether RANKERS are better than the first one (or ones), and how sure that is.

    A ranker is a name of the configuration or a TREC run file. Exits 0 whenever there is a
    result, whatever it says.
    """
    from relevance_eval.answer import comparison_result, envelope
    from relevance_eval.cli.tables import show_comparison
    from relevance_eval.evaluation import evaluate
    from relevance_eval.evaluators.comparison import check_baselines
    from relevance_eval.evaluators.qrels import read_people
    from relevance_eval.results import check_file_names, run_names, write_evaluation

    project = session.project(required=corpus is None)
    check_file_names(run_names(rankers, project.config.rankers))
    if baselines > 1:  # of a lone ranker something better is said below
        check_baselines(baselines, len(rankers))
    if publish:
        published(session, project, None)
    evaluation = evaluate(
        project,
        rankers,
        project.queries(queries),
        replace(project.plan(session.seed), baselines=baselines),
        session.console.task,
        labeler=project.labeler(labeler),
        corpus=corpus,
        people=read_people(qrels),
    )
    answer = envelope("compare", project.hash, comparison_result(evaluation))
    folder: Path | None = None
    try:
        folder = write_evaluation(project.home, evaluation, answer)
    finally:  # labels and searches are paid for: the answer is shown though the disk is full
        session.console.answer(answer, lambda out: show_comparison(out, evaluation, folder))
    if publish:
        published(session, project, answer)


def published(session: Session, project: Project, answer: Mapping[str, Any] | None) -> None:
    """Publishes the answer; without one, raises what would hinder it before anything is bought."""
    from relevance_eval.plugin.publish import check_set_up, publish

    with project.session(session.console.task, fill=False) as client:
        if answer is None:
            check_set_up(client)
        else:
            publish(client, answer)
