"""`relevance-eval synthesize`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import FILE, Session, common
from relevance_eval.cli.spending import told

if TYPE_CHECKING:
    import rich.console

    from relevance_eval.exporters.queries.asking import Asking
    from relevance_eval.exporters.settings import SynthesizeSettings
    from relevance_eval.exporters.synthesize import Foresight, Report, Synthesis
    from relevance_eval.project import Project

__all__ = ["synthesize"]

NO_ENDPOINT = "none"
SHOWN = 8
"""Strata of one dimension, and reasons, that a summary names."""


@click.command()
@common
@click.option(
    "--endpoint",
    help="Endpoint that writes, or none for the documents' own words.  "
    "[default: the configuration's, none]",
)
@click.option(
    "--documents",
    type=click.IntRange(min=1),
    help="Documents to write queries about.  [default: the configuration's, 100]",
)
@click.option(
    "--per-document",
    type=click.IntRange(min=1),
    help="Queries wanted of each document.  [default: the configuration's, 3]",
)
@click.option(
    "--out",
    type=FILE,
    help="Queries, JSON Lines; written over.  [default: queries.jsonl in the training folder]",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what it would take at the most, and ask nothing."
)
def synthesize(
    session: Session,
    endpoint: str | None,
    documents: int | None,
    per_document: int | None,
    out: Path | None,
    dry_run: bool,
) -> None:
    """Write queries about documents of the index, as somebody would type who needs them.

    A language model writes them, where an endpoint is named; every answer is kept beside the
    queries as it comes, and paid for once. Without one they are made of the documents' words.
    """
    project = session.project()
    settings = chosen(project, endpoint, documents, per_document)
    target = out or project.training / "queries.jsonl"
    if dry_run:
        look_ahead(session, project, settings, target)
    else:
        write(session, project, settings, target)


def chosen(
    project: Project, endpoint: str | None, documents: int | None, per_document: int | None
) -> SynthesizeSettings:
    """The configuration's settings with what options say in their place."""
    changes: dict[str, Any] = {"documents": documents, "per_document": per_document}
    given = {name: value for name, value in changes.items() if value is not None}
    if endpoint is not None:
        given["endpoint"] = None if endpoint == NO_ENDPOINT else endpoint
    return project.config.training.synthesize.model_copy(update=given)


def write(session: Session, project: Project, settings: SynthesizeSettings, out: Path) -> None:
    from relevance_eval.answer import envelope
    from relevance_eval.synthesis import synthesize_project

    task = session.console.task
    synthesis = synthesize_project(project, task, out=out, settings=settings, seed=session.seed)
    asking = synthesis.report.asking
    if asking and asking.changed:
        session.console.notice(
            "settings or seed have changed: this is a new start; answers to the same questions "
            "are used again"
        )
    result = {
        "queries": len(synthesis.queries),
        "file": str(out),
        **synthesis.report.result(),
    }
    answer = envelope("synthesize", project.hash, result)
    session.console.answer(answer, lambda console: show(console, synthesis, out))


def look_ahead(session: Session, project: Project, settings: SynthesizeSettings, out: Path) -> None:
    """Raises UsageError if no endpoint is named: nothing is asked then, and nothing costs."""
    from dataclasses import asdict

    from relevance_eval.answer import envelope
    from relevance_eval.errors import UsageError
    from relevance_eval.synthesis import foresee_project

    name = settings.endpoint
    if name is None:
        raise UsageError(
            "no endpoint is named, so nothing is asked and nothing costs",
            where="[training.synthesize] endpoint",
            remedy="leave --dry-run out, or name an endpoint",
        )
    task = session.console.task
    found = foresee_project(project, task, name, out=out, settings=settings, seed=session.seed)
    answer = envelope("synthesize", project.hash, asdict(found))
    session.console.answer(answer, lambda console: show_foresight(console, found, name))


def show(console: rich.console.Console, synthesis: Synthesis, out: Path) -> None:
    from relevance_eval.cli.printable import one_line

    report = synthesis.report
    console.print(
        f"{len(synthesis.queries):,} queries about {report.documents:,} documents, "
        f"by {one_line(report.by)}",
        markup=False,
    )
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in report.kinds.items())
    console.print(f"queries by kind: {kinds or 'none'}", markup=False)
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in report.dropped.items() if count)
    console.print(f"dropped of {report.drafts:,}: {dropped or 'none'}", markup=False)
    show_sample(console, report)
    if report.asking:
        show_asking(console, report.asking)
    console.print(f"queries are in {one_line(out)}", markup=False, soft_wrap=True)


def show_sample(console: rich.console.Console, found: Report | Foresight) -> None:
    """What was drawn, by each dimension of its strata."""
    short = f", {found.short:,} left out as too short" if found.short else ""
    console.print(f"{found.documents:,} of {found.held:,} documents drawn{short}", markup=False)
    for dimension, counts in found.strata.items():
        console.print(f"  by {dimension}: {listed(counts)}", markup=False)


def listed(counts: Mapping[str, int]) -> str:
    from relevance_eval.cli.printable import one_line

    first = [f"{one_line(name, 40)} {count:,}" for name, count in list(counts.items())[:SHOWN]]
    more = [f"{len(counts) - SHOWN:,} more"] if len(counts) > SHOWN else []
    return ", ".join(first + more)


def show_asking(console: rich.console.Console, asking: Asking) -> None:
    from relevance_eval.cli.printable import one_line

    console.print(
        f"answers: {asking.asked:,} now, {asking.reused:,} from before; "
        f"{sum(asking.failures.values()):,} of no use",
        markup=False,
    )
    for reason, count in list(asking.failures.items())[:SHOWN]:
        console.print(f"  {count:,}: {one_line(reason, 200)}", markup=False)
    if asking.unasked:
        console.print(
            f"[yellow]the budget is spent: {asking.unasked:,} documents were not asked about; "
            "raise it and run again, nothing is paid twice[/]"
        )
    console.print(f"spent: {told(asking.spent)}", markup=False)


def show_foresight(console: rich.console.Console, found: Foresight, endpoint: str) -> None:
    from relevance_eval.cli.printable import one_line

    show_sample(console, found)
    console.print(f"answers from before: {found.reused:,}", markup=False)
    console.print(f"at the most {told(found.most)}, by {one_line(endpoint)}", markup=False)
