"""`relevance-eval label`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import FILE, Session, Sources, common, sources
from relevance_eval.cli.places import check_parents, keep_file, keep_inputs

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["label"]


@click.command()
@common
@sources
@click.option(
    "--out",
    type=FILE,
    help="Write the grades as TREC qrels to this file too.  [default: none]",
)
@click.option("--force", is_flag=True, help="Write over a file that exists.")
def label(session: Session, given: Sources, out: Path | None, force: bool) -> None:
    """Grade what RANKERS return and the store does not hold yet.

    A ranker is a name of the configuration or a TREC run file. Stopped half-way, it goes on from
    there the next time.
    """
    from relevance_eval.answer import envelope, labels_result
    from relevance_eval.cli.tables import show_labels, show_notices
    from relevance_eval.collected import collect
    from relevance_eval.evaluation import grade
    from relevance_eval.evaluators.qrels import read_people, write_qrels
    from relevance_eval.notices import label_notices, run_notices
    from relevance_eval.results import hard_grades

    if out:
        keep_inputs(out, given.qrels)
        keep_file(out, "may hold grades of people", force)
        check_parents(out)
    project = session.project(required=given.corpus is None)
    people = read_people(given.qrels)
    chosen = project.labeler(given.labeler)
    queries = project.queries(given.queries)
    collected = collect(project, given.rankers, queries, session.console.task, given.corpus)
    labelling = grade(project, collected, session.console.task, labeler=chosen, people=people)
    if out:
        write_qrels(out, hard_grades(labelling.by_id(collected.pairs)))
    notices = [*run_notices(collected), *label_notices(labelling)]
    result = labels_result(labelling) | {"notices": notices}

    def show(console: Console) -> None:
        show_labels(console, labelling, chosen.name)
        show_notices(console, run_notices(collected))

    session.console.answer(envelope("label", project.hash, result), show)
