"""`relevance-eval load`."""

from __future__ import annotations

from pathlib import Path

import click

from relevance_eval.cli.options import FILE, Session, common

__all__ = ["load"]


@click.command()
@common
@click.argument("corpus")
@click.option("--index", help="Index to create.  [default: the configuration's]")
@click.option(
    "--mapping", type=FILE, help="JSON with settings and mappings.  [default: the server's]"
)
@click.option(
    "--embedder",
    help="Embedder of the configuration whose vectors are added.  [default: none]",
)
@click.option("--replace", is_flag=True, help="Delete an index of this name first.")
def load(
    session: Session,
    corpus: str,
    index: str | None,
    mapping: Path | None,
    embedder: str | None,
    replace: bool,
) -> None:
    """Load CORPUS (JSON Lines with an id, or irds:NAME) into an index of its own.

    Every line is checked before the first document is sent. For demonstrations, tests and
    offline collections: your own index is filled by your own pipeline.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.plugin.collection import load_documents, open_source, read_mapping

    project = session.project(required=False)
    source = open_source(corpus)
    target = index or project.config.elasticsearch.index
    body = read_mapping(mapping) if mapping else None
    chosen = project.embedder(embedder) if embedder else None
    task = session.console.task
    with project.session(task, fill=False) as client, task("loading documents") as progress:
        held = load_documents(
            client, target, source, body=body, embedder=chosen, replace=replace, progress=progress
        )
    result = {"index": target, "documents": held, "source": source.name}
    answer = envelope("load", project.config.hash, result)
    session.console.answer(
        answer, lambda out: out.print(f"{held:,} documents are in the index {target}", markup=False)
    )
