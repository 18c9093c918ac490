"""Query sets out of other people's files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relevance_eval.errors import InputError, storage_error
from relevance_eval.evaluators.jsonl import read_rows, text_of
from relevance_eval.evaluators.query import Query, check_queries
from relevance_eval.plugin import datasets

__all__ = ["Imported", "import_queries"]

IDS = ("id", "_id", "qid", "query_id")
"""Names of an id, the first that a file has: other tools write the others."""

Row = tuple[str, str | None, str, dict[str, str]]
"""Place, id if the file has one, text, tags."""


@dataclass(frozen=True)
class Imported:
    """Queries, each text once, and how many rows were left out."""

    queries: list[Query]
    repeated: int
    empty: int


def import_queries(source: str) -> Imported:
    """Reads a file by its ending, or `irds:NAME`.

    Texts that differ only in case and spaces are one query: the first row stands. A file without
    ids (under a name of `IDS`, where it has names) gets `q1`, `q2` and so on, by row.

    Raises:
        InputError: the file is missing or broken, has columns that nobody knows the meaning of, a
            query is too long, or one id has two texts.
    """
    if source.startswith(datasets.PREFIX):
        return gather(source, from_dataset(source))
    path = Path(source)
    readers = {".jsonl": from_jsonl, ".tsv": from_tsv, ".csv": from_csv, ".txt": from_text}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"cannot tell the format from the ending {path.suffix!r}",
            where=source,
            remedy=f"use one of {', '.join(readers)}, or irds:NAME",
        )
    return gather(source, reader(path))


def from_dataset(name: str) -> Iterator[Row]:
    for query in datasets.queries(name):
        yield f"{name} query {query.id}", query.id, query.text, {}


def gather(source: str, rows: Iterable[Row]) -> Imported:
    places: list[str] = []
    queries: list[Query] = []
    seen: set[str] = set()
    repeated = empty = 0
    for number, (place, identifier, text, tags) in enumerate(rows, start=1):
        plain = " ".join(text.split())
        if not plain:
            empty += 1
        elif plain.casefold() in seen:
            repeated += 1
        else:
            seen.add(plain.casefold())
            places.append(place)
            queries.append(Query(identifier or f"q{number}", plain, tags))
    if not queries:
        raise InputError("holds no queries", where=source)
    check_queries(queries, places)
    return Imported(queries, repeated, empty)


def from_jsonl(path: Path) -> Iterator[Row]:
    for place, row in read_rows(path):
        text = text_of(row, "query" if "query" in row and "text" not in row else "text", place)
        key = next((name for name in IDS if row.get(name) is not None), None)
        identifier = None if key is None else text_of(row, key, place)
        tags = {
            k: str(v)
            for k, v in row.items()
            if k not in (key, "id") and not is_text(k) and isinstance(v, str | int | float)
        }
        yield place, identifier, text, tags


def from_tsv(path: Path) -> Iterator[Row]:
    for number, (place, line) in enumerate(text_lines(path), start=1):
        identifier, tab, text = line.partition("\t")
        if not tab and line.strip():
            raise InputError("there is no tab between id and text", where=place)
        columns = len(line.rstrip().split("\t"))
        if columns > 2:
            raise InputError(
                f"there are {columns:,} columns",
                where=place,
                remedy="keep two columns, id and text, or make it a CSV file with a header",
            )
        if number == 1 and is_id(identifier) and is_text(text):
            continue  # it names the columns, as that of a CSV file does
        yield place, identifier.strip(), text, {}


def from_text(path: Path) -> Iterator[Row]:
    for place, line in text_lines(path):
        yield place, None, line, {}


def from_csv(path: Path) -> Iterator[Row]:
    lines = (line + "\n" for _, line in text_lines(path))
    reader = csv.DictReader(lines, strict=True)  # a stray quote would make one text of many rows
    try:
        yield from csv_rows(path, reader)
    except csv.Error as error:
        raise InputError(
            f"not CSV: {error}",
            where=f"{path}:{reader.reader.line_num}",
            remedy="put a text that begins with a quote in quotes, and double those in it",
        ) from None


def csv_rows(path: Path, reader: csv.DictReader[str]) -> Iterator[Row]:
    names = reader.fieldnames or []
    column = next((n for n in names if is_text(n)), None)
    key = next((n for name in IDS for n in names if n.strip().lower() == name), "id")
    if column is None:
        raise InputError("no column is named text or query", where=f"{path}:1")
    for row in reader:
        place = f"{path}:{reader.line_num}"
        if any(row.pop(None, ())):
            raise InputError(
                "there are more cells than the first row has",
                where=place,
                remedy="put a text with a comma in quotes",
            )
        tags = {k: v for k, v in row.items() if k not in (key, "id") and not is_text(k) and v}
        yield place, row.get(key) or None, row[column] or "", tags


def is_id(name: str) -> bool:
    """Whether a column holds the query's id, by the names that files without a format use."""
    return name.strip().lower() in IDS


def is_text(name: str) -> bool:
    """Whether a column holds the query; as a tag, it would take the text's place when written."""
    return name.strip().lower() in ("text", "query")


def text_lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                yield f"{path}:{number}", line.rstrip("\n")
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
