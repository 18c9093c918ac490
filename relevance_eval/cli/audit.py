"""`relevance-eval audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import FILE, Session, common
from relevance_eval.cli.places import keep_file, keep_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rich.console import Console

    from relevance_eval.evaluators.qrels import Qrels

__all__ = ["audit"]

QUERIES = click.option(
    "--queries", type=FILE, help="Query set, JSON Lines.  [default: the configuration's]"
)

FORCE = click.option("--force", is_flag=True, help="Write over a file that exists.")


@click.group()
def audit() -> None:
    """Have people grade a random sample, by which compare and gate judge the labeler.

    draw it, write a sheet of it, have it filled in, read it, and name both files: relevance-eval
    compare A B --audit audit.json --qrels ann.txt
    """


@audit.command()
@common
@QUERIES
@click.option(
    "--size", type=click.IntRange(min=1), default=50, help="Queries to draw.  [default: 50]"
)
@click.option(
    "--strata",
    metavar="TAG",
    help="Draw from each value of this tag in proportion, two at least.  [default: none]",
)
@click.option(
    "--out", type=FILE, default=Path("audit.json"), help="File to write.  [default: audit.json]"
)
@FORCE
def draw(
    session: Session, queries: Path | None, size: int, strata: str | None, out: Path, force: bool
) -> None:
    """Draw the queries that people shall grade.

    All of them have to be graded: queries that were chosen, or left out, by hand show nothing of
    the others. The file holds what it takes to draw them again.
    """
    from relevance_eval.evaluators.audit import draw_audit, write_audit

    keep_file(out, "is what people's grades rest on", force)
    project = session.project(required=queries is None)
    seed = project.config.compare.seed if session.seed is None else session.seed
    drawn = draw_audit(project.queries(queries), size, strata, seed)
    write_audit(out, drawn)
    result = {
        "file": str(out),
        "queries": drawn.queries,
        "drawn": list(drawn.drawn),
        "strata": drawn.strata,
        "seed": drawn.seed,
    }
    told = f"{len(drawn.drawn):,} of {drawn.queries:,} queries are drawn; the audit is in {out}"
    answered(session, project.hash, "audit draw", result, told)


@audit.command()
@common
@click.argument("file", metavar="AUDIT", type=FILE)
@click.argument("rankers", nargs=-1, required=True)
@QUERIES
@click.option(
    "--corpus", type=FILE, help="Documents of run files, JSON Lines.  [default: the index]"
)
@click.option(
    "--out", type=FILE, default=Path("sheet.csv"), help="CSV to write.  [default: sheet.csv]"
)
@FORCE
def sheet(
    session: Session,
    file: Path,
    rankers: tuple[str, ...],
    queries: Path | None,
    corpus: Path | None,
    out: Path,
    force: bool,
) -> None:
    """Write a sheet of what RANKERS return for the queries of AUDIT, for people to fill in.

    A ranker is a name of the configuration or a TREC run file; name all that will be compared.
    Each person fills in a copy: 0 irrelevant, 1 related, 2 highly relevant, 3 perfectly relevant.
    The order is one of chance, and neither rankers nor the labeler's grades are shown.
    """
    from relevance_eval.collected import collect
    from relevance_eval.evaluators.audit import check_random, read_audit
    from relevance_eval.sheet import sheet_rows, write_sheet

    keep_file(out, "may hold grades", force)
    project = session.project(required=corpus is None)
    drawn, asked = read_audit(file), project.queries(queries)
    check_random(drawn, asked, str(file))
    chosen = [q for q in asked if q.id in drawn.drawn]
    depth = project.plan().primary.depth or project.config.compare.depth
    found = collect(project, rankers, chosen, session.console.task, corpus, whole=True)
    seed = drawn.seed if session.seed is None else session.seed
    rows = sheet_rows(chosen, found.runs, found.documents, depth, seed)
    write_sheet(out, rows)
    textless = sum(row.document_id not in found.documents for row in rows)
    result = {
        "file": str(out),
        "queries": len(chosen),
        "rows": len(rows),
        "without_text": textless,
        "depth": depth,
        "seed": seed,
    }
    told = f"{len(rows):,} documents of {len(chosen):,} queries are in {out}"
    if textless:
        told += f"; {textless:,} of them have no text"
    answered(session, project.hash, "audit sheet", result, told)


@audit.command()
@common
@click.argument("file", metavar="SHEET", type=FILE)
@click.option("--name", help="Who has graded.  [default: the sheet's name, without its ending]")
@click.option("--out", type=FILE, help="Grades in TREC format.  [default: NAME.txt]")
@FORCE
def read(session: Session, file: Path, name: str | None, out: Path | None, force: bool) -> None:
    """Make TREC qrels of a filled SHEET, which compare and gate take with --qrels.

    Rows without a grade are left out and counted; a query counts once all of its rows are graded.
    A file that exists is written over if the sheet has all grades in it, as when more of a sheet is
    filled in and read again; else with --force alone.
    """
    from relevance_eval.errors import InputError, UsageError
    from relevance_eval.evaluators.qrels import write_qrels
    from relevance_eval.sheet import read_sheet

    target = out or Path(f"{name or file.stem}.txt")
    if name and target.stem != name:
        raise UsageError(
            f"the grades of {name!r} would be those of {target.stem!r}",
            where=str(target),
            remedy=f"people are told apart by their file's name: --out {name}{target.suffix}",
        )
    keep_inputs(target, [file])
    project = session.project(required=False)
    filled = read_sheet(file)
    graded = sum(len(row) for row in filled.grades.values())
    if not graded:
        raise InputError("nobody has filled in a grade", where=str(file))
    lossless = target.is_file() and holds_all(filled.grades, target)
    keep_file(target, "holds grades that this sheet does not have", force or lossless)
    write_qrels(target, filled.grades)
    empty = sum(filled.empty.values())
    finished = len(filled.grades.keys() - filled.empty.keys())
    result = {
        "file": str(target),
        "graded": graded,
        "empty": empty,
        "queries_finished": finished,
        "queries_unfinished": len(filled.empty),
    }
    told = f"{graded:,} grades are in {target}; {finished:,} queries are finished"
    if empty:
        told += f", and {empty:,} rows of {len(filled.empty):,} others have no grade"
    answered(session, project.hash, "audit read", result, told)


def holds_all(grades: Qrels, file: Path) -> bool:
    """Whether these are all grades of the file, and perhaps more."""
    from relevance_eval.errors import InputError
    from relevance_eval.evaluators.qrels import read_qrels

    try:
        held = read_qrels(file)
    except InputError:
        return False
    return all(row.items() <= grades.get(query, {}).items() for query, row in held.items())


def answered(
    session: Session, config_hash: str, command: str, result: Mapping[str, Any], told: str
) -> None:
    from relevance_eval.answer import envelope
    from relevance_eval.cli.printable import one_line

    def show(out: Console) -> None:
        out.print(one_line(told), markup=False, soft_wrap=True)

    session.console.answer(envelope(command, config_hash, result), show)
