"""`relevance-eval load`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import FILE, Session, agreed, common

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

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
@click.option(
    "--replace",
    is_flag=True,
    help="Delete an index of this name first; asks where it is not the embedded node's.",
)
@click.option("--yes", is_flag=True, help="With --replace: do not ask.")
def load(
    session: Session,
    corpus: str,
    index: str | None,
    mapping: Path | None,
    embedder: str | None,
    replace: bool,
    yes: bool,
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
    with project.session(task, fill=False) as client:
        if replace and not yes and not project.config.elasticsearch.embedded:
            check_agreed(client, target)
        with task("loading documents") as progress:
            held = load_documents(
                client,
                target,
                source,
                body=body,
                embedder=chosen,
                fields=project.config.documents,
                replace=replace,
                progress=progress,
            )
    result = {"index": target, "documents": held, "source": source.name}
    answer = envelope("load", project.hash, result)
    session.console.answer(
        answer, lambda out: out.print(f"{held:,} documents are in the index {target}", markup=False)
    )


def check_agreed(client: Elasticsearch, index: str) -> None:
    """Raises UsageError unless somebody agrees to the loss of an index that exists."""
    from relevance_eval.errors import UsageError
    from relevance_eval.plugin.collection import exists

    question = f"Delete the index {index} and all that it holds?"
    if exists(client, index) and not agreed(question, "say --yes with --replace"):
        raise UsageError(
            f"the index {index} is kept, and nothing was loaded",
            remedy="load into another index with --index",
        )
