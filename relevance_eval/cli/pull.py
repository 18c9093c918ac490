"""`relevance-eval pull`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import FILE, FOLDER, Session, common
from relevance_eval.cli.places import keep_folder

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["pull"]


@click.command()
@common
@click.argument("rankers", nargs=-1, required=True)
@click.option("--queries", type=FILE, help="Query set, JSON Lines.  [default: the configuration's]")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for runs and documents.  [default: a new one in .relevance-eval/runs]",
)
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
def pull(
    session: Session,
    rankers: tuple[str, ...],
    queries: Path | None,
    out: Path | None,
    force: bool,
) -> None:
    """Pull what RANKERS return into TREC run files, with the documents as they are now.

    All are pulled from one state of the index. The files compare offline later:
    relevance-eval compare A.run B.run --corpus documents.jsonl --queries queries.jsonl
    """
    from relevance_eval.answer import envelope, pull_result
    from relevance_eval.cli.tables import show_notices, show_pull
    from relevance_eval.collected import collect
    from relevance_eval.notices import run_notices
    from relevance_eval.results import check_file_names, new_folder, run_names, write_collected

    if out:
        keep_folder(out, force)
    project = session.project()
    check_file_names(run_names(rankers, project.config.rankers))
    collected = collect(project, rankers, project.queries(queries), session.console.task)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    folder = out or new_folder(project.home / "runs", created, collected)
    write_collected(folder, collected)
    notices = [*run_notices(collected)]
    result = pull_result(collected, folder) | {"notices": notices}

    def show(console: Console) -> None:
        show_notices(console, notices)
        show_pull(console, collected, folder)

    session.console.answer(envelope("pull", project.hash, result), show)
