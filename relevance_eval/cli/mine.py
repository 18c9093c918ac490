"""`relevance-eval mine`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from relevance_eval.cli.options import FILE, Session, common

if TYPE_CHECKING:
    from relevance_eval.evaluators.query import Query
    from relevance_eval.plugin.mine import Mining
    from relevance_eval.plugin.settings import MineSettings
    from relevance_eval.project import Project

__all__ = ["mine"]

WINDOW = re.compile(r"(\d+)-(\d+):(\d+)")
NO_GUARD = "none"
Format = Literal["examples", "pairs", "triples", "tuples"]


def windows_of(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, int]] | None:
    """`FIRST-LAST:TAKE` in parts; None where the option is not given."""
    matches = [WINDOW.fullmatch(value) for value in values]
    for value, match in zip(values, matches, strict=True):
        if match is None:
            raise click.BadParameter(
                f"{value!r} is not of the form FIRST-LAST:TAKE, such as 11-50:3", ctx, parameter
            )
    parts = [[int(part) for part in match.groups()] for match in matches if match]
    return [{"first": first, "last": last, "take": take} for first, last, take in parts] or None


@click.command()
@common
@click.option(
    "--queries",
    type=FILE,
    help="Queries, JSON Lines with a tag seed, or any with --qrels.  "
    "[default: the training folder's; with --qrels, or without such, the configuration's]",
)
@click.option(
    "--qrels",
    type=FILE,
    help="TREC qrels: what is judged relevant is a positive, and never mined.  [default: none]",
)
@click.option(
    "--relevant",
    type=click.IntRange(1, 3),
    help="Lowest grade of --qrels that is relevant.  [default: the configuration's, 2]",
)
@click.option(
    "--ranker",
    "rankers",
    multiple=True,
    help="Ranker of the configuration to mine with.  [default: [training.mine] rankers, else BM25]",
)
@click.option(
    "--window",
    "windows",
    multiple=True,
    callback=windows_of,
    metavar="FIRST-LAST:TAKE",
    help="Ranks, from 1, and documents taken of them, a query and ranker.  "
    "[default: the configuration's, 1-10:4, 11-50:3 and 51-200:2]",
)
@click.option(
    "--random",
    type=click.IntRange(min=0),
    help="Documents drawn from the whole index, a query.  [default: the configuration's, 2]",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    help="Leave out scores above 1 - MARGIN of the positive's; 0 for no rule.  "
    "[default: the configuration's, 0]",
)
@click.option(
    "--near-duplicate",
    type=click.FloatRange(0, 1, min_open=True),
    help="Shingle similarity, 0 to 1, from which a document is a copy.  "
    "[default: the configuration's, 0.8]",
)
@click.option(
    "--guard",
    help="Labeler that takes out likely false negatives: builtin, a folder, owner/name, or none.  "
    "[default: the configuration's, none]",
)
@click.option(
    "--guard-grade",
    type=click.FloatRange(0, 3, min_open=True),
    help="Expected grade, 0 to 3, from which the guard does so.  [default: the configuration's, "
    "0.8]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["examples", "pairs", "triples", "tuples"]),
    default="examples",
    help="examples for teach; for sentence-transformers pairs (anchor, passage, label 1 or 0), "
    "triples (anchor, positive, negative) or tuples (anchor, positive, negative_1 and on).  "
    "[default: examples]",
)
@click.option(
    "--negatives",
    type=click.IntRange(min=1),
    default=5,
    help="Negatives in a row of tuples; positives with fewer are left out.  [default: 5]",
)
@click.option(
    "--out",
    type=FILE,
    help="File to write, JSON Lines.  [default: pairs.jsonl of the training folder]",
)
def mine(
    session: Session,
    queries: Path | None,
    qrels: Path | None,
    relevant: int | None,
    rankers: tuple[str, ...],
    form: Format,
    negatives: int,
    out: Path | None,
    **changes: Any,
) -> None:
    """Find hard negatives: documents that rank high and do not answer the query.

    Drawn by rank windows and at random, without the known positives and copies of them. What a
    teacher grades next needs no guard; what a retriever learns from does.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.cli.mining_table import show_mining

    project = session.project()
    settings = changed(project.config.training.mine, {**changes, "rankers": rankers or None})
    asked = project.queries(queries or default_queries(project, qrels))
    mining = run(session, project, settings, asked, qrels, relevant)
    path = out or project.training / "pairs.jsonl"
    written = write(path, mining, form, negatives)
    answer = envelope("mine", project.hash, {**written, **mining.report.as_dict()})
    session.console.answer(
        answer, lambda console: show_mining(console, mining.report, written, settings.margin)
    )


def changed(settings: MineSettings, changes: dict[str, Any]) -> MineSettings:
    """The settings with what options say in their place. Raises UsageError if they do not fit."""
    from pydantic import ValidationError

    from relevance_eval.errors import UsageError
    from relevance_eval.plugin.settings import MineSettings

    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("guard") == NO_GUARD:
        given["guard"] = None
    try:
        return MineSettings.model_validate(settings.model_dump() | given)
    except ValidationError as error:
        problem = error.errors()[0]
        what = problem["msg"].removeprefix("Value error, ")
        where = ".".join(str(part) for part in problem["loc"])
        raise UsageError(what, where=where or None) from None


def default_queries(project: Project, qrels: Path | None) -> Path | None:
    """What `synthesize` wrote; None for the configuration's, which qrels are about."""
    written = project.training / "queries.jsonl"
    return written if qrels is None and written.is_file() else None


def run(
    session: Session,
    project: Project,
    settings: MineSettings,
    queries: list[Query],
    qrels: Path | None,
    relevant: int | None,
) -> Mining:
    from relevance_eval.evaluators.qrels import read_qrels
    from relevance_eval.mining import mine_project
    from relevance_eval.plugin.positives import known_positives

    judged = read_qrels(qrels) if qrels else None
    positives = known_positives(queries, judged, relevant or project.config.compare.relevant)
    task = session.console.task
    return mine_project(project, queries, positives, task, settings=settings, seed=session.seed)


def write(path: Path, mining: Mining, form: Format, negatives: int) -> dict[str, Any]:
    """Returns what the file holds."""
    from relevance_eval.errors import storage_error
    from relevance_eval.evaluators.example import write_examples
    from relevance_eval.evaluators.jsonl import write_rows
    from relevance_eval.plugin.retriever_rows import retriever_rows

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    if form == "examples":
        rows, short = len(mining.examples), 0
        write_examples(path, mining.examples)
    else:
        made = retriever_rows(mining.examples, form, negatives)
        rows, short = len(made.rows), made.short
        write_rows(path, made.rows)
    return {"file": str(path), "format": form, "rows": rows, "short": short}
