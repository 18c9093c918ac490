"""`relevance-eval agreement`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import FILE, Session, common

if TYPE_CHECKING:
    from rich.console import Console

    from relevance_eval.evaluators.probes import Probed

__all__ = ["agreement"]


@click.command()
@common
@click.argument("qrels")
@click.option(
    "--queries", help="Query set, JSON Lines or irds:NAME.  [default: the configuration's]"
)
@click.option("--corpus", help="Documents, JSON Lines or irds:NAME.  [default: [load] documents]")
@click.option(
    "--labeler",
    help="builtin, a folder, owner/name or endpoint:NAME.  [default: the configuration's]",
)
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
@click.option(
    "--probes",
    is_flag=True,
    help="Change documents that people graded 0 (planted words, padding, an order to the labeler) "
    "and show what that does to its grades: up to 200 pairs, five labels each.",
)
def agreement(
    session: Session,
    qrels: str,
    queries: str | None,
    corpus: str | None,
    labeler: str | None,
    runs: tuple[Path, ...],
    relevant: int | None,
    probes: bool,
) -> None:
    """Measure a labeler against people's grades in QRELS (TREC format, or irds:NAME).

    Needs no Elasticsearch. Grades 0 to 3; labels are reused and stored as in compare.
    """
    from relevance_eval.answer import agreement_result, envelope, probe_result
    from relevance_eval.cli.probes_table import show_probes
    from relevance_eval.cli.tables import show_agreement
    from relevance_eval.errors import UsageError
    from relevance_eval.evaluators.probes import probe
    from relevance_eval.meeting import meet
    from relevance_eval.people import People
    from relevance_eval.probing import pairs_to_probe

    project = session.project(required=corpus is None or queries is None)
    chosen = project.labeler(labeler)
    if isinstance(chosen, People):  # or they would fill in a sheet that is compared with nothing
        raise UsageError(
            "people are no labeler that could be measured against people",
            where=f"labeler {chosen.name}",
            remedy="name another with --labeler",
        )
    seed = project.config.compare.seed if session.seed is None else session.seed
    # Looked for first: what is wrong with them is told before anything is bought.
    probing = (
        pairs_to_probe(project, qrels, queries=queries, corpus=corpus, seed=seed) if probes else []
    )
    meeting = meet(
        project,
        qrels,
        session.console.task,
        queries=queries,
        corpus=corpus,
        labeler=chosen,
        runs=runs,
        relevant=relevant or project.config.compare.relevant,
        seed=seed,
    )
    found: list[Probed] = []
    if probing:
        with project.store() as store, session.console.task("probing") as progress:
            found = probe(chosen, probing, store, progress=progress)
    result = agreement_result(meeting) | {"probes": [probe_result(p) for p in found]}

    def show(out: Console) -> None:
        show_agreement(out, meeting)
        if found:
            show_probes(out, found)

    session.console.answer(envelope("agreement", project.hash, result), show)
