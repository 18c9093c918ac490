"""A table of pairs for people to grade in any spreadsheet program, and the way back from it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relevance_eval.errors import InputError, storage_error
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run

__all__ = ["COLUMNS", "Filled", "Row", "read_sheet", "row_of", "sheet_rows", "write_sheet"]

COLUMNS = ("query_id", "query", "document_id", "title", "excerpt", "grade", "check")
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet program takes for a formula at the beginning of a cell."""
MARK = "'"
LONGEST_TEXT = 1000
LONGEST_TITLE = 300
LONGEST_EXCERPT = 700
DELIMITERS = (",", ";", "\t")
"""Spreadsheet programs save with the one of the language they are set to."""


@dataclass(frozen=True)
class Row:
    """A pair to grade. Who found it, at which rank, and what the labeler says of it is not told."""

    query_id: str
    query: str
    document_id: str
    title: str
    excerpt: str


@dataclass(frozen=True)
class Filled:
    """What people have filled in.

    Attributes:
        grades: query id to document id to grade, 0 to 3.
        empty: query id to how many of its rows have no grade yet.
    """

    grades: Mapping[str, Mapping[str, int]]
    empty: Mapping[str, int]


def sheet_rows(
    queries: Sequence[Query],
    runs: Sequence[Run],
    documents: Mapping[str, Document],
    depth: int,
    seed: int,
) -> list[Row]:
    """Every pair of a query and what a run has for it down to `depth`, in an order of chance.

    Documents of a query stay together, since it is read once for all of them; queries, and the
    documents of each, come in the order of a hash of seed and ids, which tells nothing of rankers.
    A document without a text is in it too: an audited query counts only if all of it is graded.
    """
    rows: list[Row] = []
    for query in sorted(queries, key=lambda q: lot(seed, q.id)):
        found = {h.document_id for run in runs for h in run.hits(query.id)[:depth]}
        for document_id in sorted(found, key=lambda d: lot(seed, query.id, d)):
            rows.append(row_of(query, document_id, documents.get(document_id)))
    return rows


def row_of(query: Query, document_id: str, document: Document | None) -> Row:
    fields: Mapping[str, str] = document.fields if document else {}
    title = fields.get("title") or fields.get("file_name", "")
    return Row(
        query_id=query.id,
        query=cut(query.text, LONGEST_TEXT),
        document_id=document_id,
        title=cut(title, LONGEST_TITLE),
        excerpt=cut(fields.get("body", ""), LONGEST_EXCERPT),
    )


def lot(seed: int, *ids: str) -> bytes:
    return hashlib.sha256(repr((seed, *ids)).encode("utf-8", "surrogatepass")).digest()


def cut(text: str, longest: int) -> str:
    """On one line, without what cannot be seen: a line of the file is then a row of the sheet."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def write_sheet(path: Path, rows: Iterable[Row]) -> None:
    """CSV in UTF-8 with a byte order mark, by which spreadsheet programs know the encoding.

    Raises StorageError if the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for row in rows:
                shown = (row.query_id, row.query, row.document_id, row.title, row.excerpt)
                check = check_of(row.query_id, row.document_id)
                writer.writerow([*(harmless(cell) for cell in shown), "", check])
    except OSError as error:
        raise storage_error(error, path) from error


def harmless(cell: str) -> str:
    """A cell that no program calculates; `restored` gives back what it was."""
    return MARK + cell if cell.startswith((*FORMULA, MARK)) else cell


def restored(cell: str) -> str:
    return cell.removeprefix(MARK)


def check_of(query_id: str, document_id: str) -> str:
    """Shows that a program has not rewritten an id, 007 to 7 or 3-4 to a date, say."""
    ids = repr((query_id, document_id)).encode("utf-8", "replace")
    return f"c{hashlib.sha256(ids).hexdigest()[:12]}"


def read_sheet(path: Path) -> Filled:
    """The grades of a sheet, whichever of , ; and tab the program put between its cells.

    Raises:
        InputError: with the line: no sheet, a grade that is none, ids that were changed, or a pair
            with two grades.
        StorageError: the file cannot be read.
    """
    grades: dict[str, dict[str, int]] = {}
    empty: dict[str, int] = {}
    for place, cells in table(path):
        query_id, document_id = restored(cells["query_id"]), restored(cells["document_id"])
        if cells["check"].strip() != check_of(query_id, document_id):
            raise InputError(
                f"the ids {query_id!r} and {document_id!r} are not those that were written here",
                where=place,
                remedy="a spreadsheet program has changed them: import the columns of ids as text",
            )
        grade = grade_of(cells["grade"], place)
        if grade is None:
            empty[query_id] = empty.get(query_id, 0) + 1
            continue
        known = grades.setdefault(query_id, {}).setdefault(document_id, grade)
        if known != grade:
            raise InputError(
                f"{document_id!r} has two grades for query {query_id!r}, {known} and {grade}",
                where=place,
                remedy="keep one; each person fills in a sheet of their own",
            )
    return Filled(grades, empty)


def grade_of(cell: str, place: str) -> int | None:
    text = cell.strip()
    if not text:
        return None
    if text not in {str(grade) for grade in GRADES}:
        raise InputError(
            f"the grade {text[:40]!r} is none of {', '.join(str(grade) for grade in GRADES)}",
            where=place,
            remedy="0 irrelevant, 1 related, 2 highly relevant, 3 perfectly relevant; or leave it "
            "empty",
        )
    return int(text)


def table(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(file and line, column name to cell) of each row."""
    text = text_of(path)
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader, list[str]())]
        missing = [c for c in ("query_id", "document_id", "grade", "check") if c not in names]
        if missing:
            raise InputError(
                f"there is no column {missing[0]!r}",
                where=f"{path}:1",
                remedy="keep the columns that relevance-eval audit sheet wrote",
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(names) - len(cells))]
                yield f"{path}:{reader.line_num}", dict(zip(names, padded, strict=False))
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from None


def text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError(
            "not a text file in UTF-8", where=str(path), remedy="save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        raise storage_error(error, path) from error
