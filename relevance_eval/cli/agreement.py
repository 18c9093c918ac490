"""`relevance-eval agreement`."""

from __future__ import annotations

from pathlib import Path

import click

from relevance_eval.cli.options import FILE, Session, common

__all__ = ["agreement"]


@click.command()
@common
@click.argument("qrels")
@click.option(
    "--queries", help="Query set, JSON Lines or irds:NAME.  [default: the configuration's]"
)
@click.option("--corpus", help="Documents, JSON Lines or irds:NAME.  [default: [load] documents]")
@click.option("--labeler", help="builtin, a folder or owner/name.  [default: the configuration's]")
@click.option(
    "--run",
    "runs",
    type=FILE,
    multiple=True,
    help="TREC runs whose order is compared, two or more.  [default: none]",
)
@click.option(
    "--relevant",
    type=click.IntRange(1, 3),
    help="Lowest grade that is relevant.  [default: the configuration's, 2]",
)
def agreement(
    session: Session,
    qrels: str,
    queries: str | None,
    corpus: str | None,
    labeler: str | None,
    runs: tuple[Path, ...],
    relevant: int | None,
) -> None:
    """Measure a labeler against people's grades in QRELS (TREC format, or irds:NAME).

    Needs no Elasticsearch. Grades 0 to 3; labels are reused and stored as in compare.
    """
    from relevance_eval.answer import agreement_result, envelope
    from relevance_eval.cli.tables import show_agreement
    from relevance_eval.meeting import meet

    project = session.project(required=corpus is None or queries is None)
    meeting = meet(
        project,
        qrels,
        session.console.task,
        queries=queries,
        corpus=corpus,
        labeler=project.labeler(labeler),
        runs=runs,
        relevant=relevant or project.config.compare.relevant,
        seed=project.config.compare.seed if session.seed is None else session.seed,
    )
    answer = envelope("agreement", project.hash, agreement_result(meeting))
    session.console.answer(answer, lambda out: show_agreement(out, meeting))
