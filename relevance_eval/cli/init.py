"""`relevance-eval init`."""

from __future__ import annotations

from pathlib import Path

import click

from relevance_eval.cli.options import FOLDER, Session, common

__all__ = ["init"]


@click.command()
@common
@click.argument("folder", type=FOLDER, default=Path("."))
def init(session: Session, folder: Path) -> None:
    """Write a commented configuration and a first ranker into FOLDER (default: here).

    Files that exist are never written over.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.config import read_config
    from relevance_eval.scaffold import write_scaffold

    written = write_scaffold(folder)
    config = read_config(folder / "relevance-eval.toml")
    result = {"written": [str(path) for path in written]}

    session.console.answer(
        envelope("init", config.hash, result),
        lambda out: out.print(
            "\n".join(f"wrote {path}" for path in written)
            + "\nnext: set [elasticsearch] in relevance-eval.toml, import queries with "
            "relevance-eval queries import FILE, then relevance-eval attach",
            markup=False,
            soft_wrap=True,
        ),
    )
