"""`relevance-eval gate`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from relevance_eval.cli.options import FILE, LabelOptions, Session, Sources, comparing
from relevance_eval.cli.places import check_parents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from relevance_eval.config import GateConfig
    from relevance_eval.evaluation import Evaluation
    from relevance_eval.evaluators.comparison import Plan
    from relevance_eval.evaluators.gate import Decision, Gate, Ruling
    from relevance_eval.evaluators.query import Query
    from relevance_eval.project import Project

__all__ = ["exit_code", "gate"]

CODES = {"passed": 0, "failed": 1, "inconclusive": 3, "untrusted": 4}
"""5, could not run, and 2, wrong use, are those of every verb."""


@click.command()
@comparing
@click.option(
    "--measure", help="That decides, such as nDCG@10.  [default: the configuration's primary]"
)
@click.option(
    "--direction",
    type=click.Choice(["better", "not worse"]),
    help="What is asked of each ranker.  [default: the configuration's, not worse]",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, max_open=True),
    help="A loss below it does not matter; in the measure's unit.  [default: the configuration's, "
    "0.01]",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="TAG[=VALUE]",
    help="Part of the query set on which no loss may show. May be given more than once; in place "
    "of the configuration's.  [default: the configuration's, none]",
)
@click.option(
    "--latency-ms",
    type=click.FloatRange(0, min_open=True),
    help="Highest 95th percentile of the server's time, milliseconds.  [default: the "
    "configuration's, none]",
)
@click.option(
    "--latency-ratio",
    type=click.FloatRange(0, min_open=True),
    help="Highest ratio of that to the baseline's.  [default: the configuration's, none]",
)
@click.option(
    "--zero-results",
    type=click.FloatRange(0, 1),
    help="Highest share of queries without hits, 0 to 1.  [default: the configuration's, none]",
)
@click.option(
    "--unanswered",
    type=click.FloatRange(0, 1),
    help="Share of queries, 0 to 1, that may be left out since a search failed.  [default: the "
    "configuration's, 0.05]",
)
@click.option(
    "--inconclusive",
    type=click.Choice(["exit 3", "fail", "pass"]),
    help="What a result that decides nothing means.  [default: the configuration's, exit 3]",
)
@click.option("--junit", type=FILE, help="Write the checks as JUnit XML.  [default: none]")
@click.option(
    "--summary",
    type=FILE,
    help="Write a summary in Markdown; it is added to the file that GITHUB_STEP_SUMMARY names too, "
    "if there is one.  [default: none]",
)
def gate(
    session: Session,
    given: Sources,
    buying: LabelOptions,
    baselines: int,
    audit: Path | None,
    publish: bool,
    junit: Path | None,
    summary: Path | None,
    **asked: Any,
) -> None:
    """Compare RANKERS with the first one (or ones), and decide by [gate] whether they may go on.

    Exit codes: 0 passed, 1 failed, 3 inconclusive, 4 labeler untrusted; 2 wrong use or
    configuration, 5 could not run.
    """
    from relevance_eval.answer import comparison_result, envelope, gate_result
    from relevance_eval.cli.compare import compared, published
    from relevance_eval.evaluators.gate import check_slices
    from relevance_eval.judge import ruled
    from relevance_eval.notices import slice_notices
    from relevance_eval.provenance import made_of
    from relevance_eval.results import write_evaluation

    check_parents(junit, summary)
    project = session.project(required=given.corpus is None)
    settings = project.config.gate.model_copy(update=overriding(asked))
    wanted = gate_of(settings)
    queries = project.queries(given.queries)
    check_slices(wanted.slices, queries)
    check_audit(project, audit, queries, given.qrels)
    plan = replace(plan_of(project, settings, session.seed), baselines=baselines)
    loss = wanted.direction == "not worse"
    thrift = project.thrift(buying.labels, buying.max_labels, buying.max_minutes, loss=loss)
    if thrift:
        check_whole(wanted.slices)
    evaluation = compared(
        session,
        project,
        given,
        queries,
        plan,
        thrift,
        audit=audit,
        publish=publish,
        whole=wanted.zero_results is not None,  # these it counts
    )
    ruling = ruled(evaluation.comparison, evaluation.judge, wanted)
    code = exit_code(ruling.decision, settings.inconclusive)
    result = comparison_result(evaluation, made_of(project, evaluation, given.rankers))
    measured = evaluation.comparison.rankers[0].values[str(plan.primary)].keys()
    notices = [*slice_notices(wanted.slices, evaluation.collected.queries, measured)]
    result |= {"gate": gate_result(wanted, ruling, code), "notices": [*result["notices"], *notices]}
    answer = envelope("gate", project.hash, result)
    folder: Path | None = None
    try:
        folder = write_evaluation(project.home, evaluation, answer)
    finally:  # labels and searches are paid for: the answer is shown though the disk is full
        with annotated(session, ruling):
            session.console.answer(
                answer, lambda out: show(out, ruling, evaluation, notices, folder)
            )
    write_files(ruling, answer, settings, junit, summary)
    if publish:
        published(session, project, answer)
    click.get_current_context().exit(code)


def check_audit(
    project: Project, file: Path | None, queries: Sequence[Query], people: Sequence[Path]
) -> None:
    """Raises UsageError for an audit that can correct nothing: a build would pass without it."""
    from relevance_eval.errors import UsageError
    from relevance_eval.evaluators.audit import check_random

    sample = project.audit(file)
    if sample is None:
        return
    where = str(file or project.config.compare.audit)
    check_random(sample, queries, where)
    if not people:
        raise UsageError(
            "nobody's grades of the audit were given", where=where, remedy="name them with --qrels"
        )


def check_whole(slices: Sequence[str]) -> None:
    """Raises UsageError for slices: few labels settle the verdict on the whole set alone."""
    from relevance_eval.errors import UsageError

    if slices:
        raise UsageError(
            "few labels settle the whole query set, not its slices",
            where=f"slice {slices[0]}",
            remedy="say --labels all, or ask for no slices",
        )


def overriding(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, under the configuration's keys."""
    return {key: value for key, value in options.items() if value not in (None, ())}


def gate_of(settings: GateConfig) -> Gate:
    from relevance_eval.evaluators.gate import Gate

    return Gate(
        direction=settings.direction,
        slices=tuple(settings.slices),
        latency_ms=settings.latency_ms,
        latency_ratio=settings.latency_ratio,
        zero_results=settings.zero_results,
        unanswered=settings.unanswered,
    )


def plan_of(project: Project, settings: GateConfig, seed: int | None) -> Plan:
    """The plan of `compare`, with the gate's measure as the primary one and the gate's margin."""
    usual = project.config.compare
    measure, margin = settings.measure or usual.primary, settings.margin
    changed = {
        "primary": measure,
        "measures": [m for m in (usual.primary, *usual.measures) if m != measure],
        "margin": usual.margin if margin is None else margin,
    }
    config = project.config.model_copy(update={"compare": usual.model_copy(update=changed)})
    return replace(project, config=config).plan(seed)


def exit_code(decision: Decision, inconclusive: str) -> int:
    """0 passed, 1 failed, 3 inconclusive, 4 untrusted; `inconclusive` may turn a 3 into 0 or 1."""
    code = CODES[decision.value]
    return {"exit 3": 3, "fail": 1, "pass": 0}[inconclusive] if code == 3 else code


@contextmanager
def annotated(session: Session, ruling: Ruling) -> Generator[None]:
    """In GitHub Actions, annotations after the answer; the runner obeys nothing inside it.

    What a query or a document says stands in the answer, and may begin with `::`.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true" or session.console.as_json:
        yield
        return
    from relevance_eval.github import commands

    token = secrets.token_hex(16)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"::{token}::")
    for line in commands(ruling):
        click.echo(line)


def show(
    out: Console,
    ruling: Ruling,
    evaluation: Evaluation,
    notices: Sequence[str],
    folder: Path | None,
) -> None:
    from relevance_eval.cli.ruling_table import show_ruling
    from relevance_eval.cli.tables import show_comparison, show_notices

    show_ruling(out, ruling)
    show_notices(out, notices)
    out.print()
    show_comparison(out, evaluation, folder)


def write_files(
    ruling: Ruling,
    answer: Mapping[str, Any],
    settings: GateConfig,
    junit: Path | None,
    summary: Path | None,
) -> None:
    """Raises StorageError for a file that cannot be written."""
    from relevance_eval.github import summary as markdown_summary
    from relevance_eval.junit import junit_xml

    result = answer["result"]
    if junit:
        seconds = sum(result["seconds"].values())
        xml = junit_xml(
            ruling, created=answer["created"], seconds=seconds, inconclusive=settings.inconclusive
        )
        write(junit, xml, "w")
    text = markdown_summary(ruling, result)
    if summary:
        write(summary, text, "w")
    of_job = os.environ.get("GITHUB_STEP_SUMMARY")
    if of_job:
        write(Path(of_job), text, "a")


def write(path: Path, text: str, mode: Literal["a", "w"]) -> None:
    from relevance_eval.errors import storage_error

    try:
        with path.open(mode, encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise storage_error(error, path) from error
