"""`relevance-eval report`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import FILE, FOLDER, Session, common

if TYPE_CHECKING:
    from rich.console import Console

    from relevance_eval.changed import Changes
    from relevance_eval.saved import Saved

__all__ = ["report"]


@click.command()
@common
@click.argument("folder", type=FOLDER, required=False)
@click.option(
    "--against",
    type=FOLDER,
    help="Folder of an older comparison: say what has changed since.  [default: none]",
)
@click.option("--out", type=FILE, help="The page.  [default: report.html in the folder]")
def report(session: Session, folder: Path | None, against: Path | None, out: Path | None) -> None:
    """Make one page, which needs nothing beside itself, of a saved comparison.

    FOLDER is what compare or gate has written: the newest one of .relevance-eval/results, unless
    named. With --against it says which of queries, judge, corpus, index and rankers are the same,
    and which numbers may be put side by side.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.changed import changes_between
    from relevance_eval.errors import storage_error
    from relevance_eval.report import report_html
    from relevance_eval.saved import newest, read_saved

    project = session.project(required=False)
    saved = read_saved(folder or newest(project.home / "results"))
    changes = changes_between(read_saved(against), saved) if against else None
    page = out or saved.folder / "report.html"
    text = report_html(saved, changes, against.name if against else "")
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise storage_error(error, page) from error
    answer = envelope("report", project.hash, told(saved, page, changes))
    session.console.answer(answer, lambda console: show(console, page, changes))


def told(saved: Saved, page: Path, changes: Changes | None) -> dict[str, Any]:
    return {
        "folder": str(saved.folder),
        "page": str(page),
        "changes": asdict(changes) if changes else None,
    }


def show(console: Console, page: Path, changes: Changes | None) -> None:
    from relevance_eval.cli.printable import one_line

    if changes:
        for aspect in changes.aspects:
            line = f"{aspect.name}: {aspect.state.value} ({aspect.detail})"
            console.print(one_line(line), markup=False)
        for line in changes.conclusion:
            console.print(one_line(line), markup=False)
    console.print(f"the page is {one_line(page)}", markup=False, soft_wrap=True)
