"""`relevance-eval queries`."""

from __future__ import annotations

from pathlib import Path

import click

from relevance_eval.cli.options import FILE, Session, common

__all__ = ["queries"]


@click.group()
def queries() -> None:
    """Make a query set: JSON Lines with id, text and any tags."""


@queries.command("import")
@common
@click.argument("source")
@click.option("--out", type=FILE, help="File to write.  [default: the configuration's queries]")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
def import_(session: Session, source: str, out: Path | None, force: bool) -> None:
    """Make a query set from SOURCE.

    SOURCE is JSON Lines (.jsonl), tab-separated id and text (.tsv), CSV with a text column and
    perhaps an id (.csv), one query a line (.txt), or irds:NAME. A text that occurs again is left
    out and counted.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.errors import UsageError
    from relevance_eval.evaluators.query import write_queries
    from relevance_eval.plugin.queries import import_queries

    project = session.project(required=False)
    target = out or project.base / project.config.queries.file
    imported = import_queries(source)
    if target.exists() and not force:
        raise UsageError("the file exists", where=str(target), remedy="say --force, or --out FILE")
    write_queries(target, imported.queries)
    counts = {
        "queries": len(imported.queries),
        "repeated": imported.repeated,
        "empty": imported.empty,
        "file": str(target),
    }
    session.console.answer(
        envelope("queries import", project.hash, counts),
        lambda console: console.print(
            f"{len(imported.queries):,} queries are in {target} "
            f"({imported.repeated:,} repeated and {imported.empty:,} empty ones left out)",
            markup=False,
            soft_wrap=True,
        ),
    )
