"""`relevance-eval attach`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import Session, agreed, common
from relevance_eval.cli.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from relevance_eval.plugin.attach import Ability

__all__ = ["attach"]


@click.command()
@common
@click.option(
    "--setup", is_flag=True, help="Create the index relevance-eval-comparisons; asks first."
)
@click.option("--yes", is_flag=True, help="With --setup: do not ask.")
def attach(session: Session, setup: bool, yes: bool) -> None:
    """Say what this deployment can do and which configured rankers it can run.

    Everything is tried, nothing is changed, unless --setup is given.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.plugin.attach import abilities, try_ranker
    from relevance_eval.plugin.publish import COMPARISONS, set_up
    from relevance_eval.plugin.server import server_version

    project = session.project()
    config = project.config
    fields = [*config.documents.values()] if "documents" in config.model_fields_set else []
    with project.session(session.console.task) as client:
        version = server_version(client)
        can = abilities(client, config.elasticsearch.index, fields)
        rankers = [
            try_ranker(
                client,
                name,
                lambda name=name: project.ranker(name),
                project.embedders,
                config.documents,
            )
            for name in config.rankers
        ]
        created = set_up(client) if setup and (yes or wanted(COMPARISONS)) else False
    result = {
        "version": version,
        "abilities": {a.name: {"works": a.works, "detail": a.detail} for a in can},
        "rankers": {a.name: {"works": a.works, "detail": a.detail} for a in rankers},
        "created": [COMPARISONS] if created else [],
    }

    def show(out: Console) -> None:
        out.print(f"Elasticsearch {one_line(version)}", markup=False)
        show_abilities(out, can)
        out.print("rankers")
        show_abilities(out, rankers)
        if created:
            out.print(f"created {COMPARISONS}", markup=False)

    session.console.answer(envelope("attach", project.hash, result), show)


def wanted(index: str) -> bool:
    return agreed(f"Create the index {index}?", "say --yes with --setup")


def show_abilities(out: Console, found: Sequence[Ability]) -> None:
    for ability in found:
        sign = "yes" if ability.works else "no "
        detail = f"  {ability.detail}" if ability.detail else ""
        text = one_line(f"{ability.name}{detail}")
        out.print(f"  {sign}  {text}", markup=False, soft_wrap=True)
