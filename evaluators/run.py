"""What a ranker returned for a set of queries, and its TREC file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from relevance_eval.errors import InputError, storage_error

__all__ = ["Hit", "Result", "Run", "order_hits", "read_lines", "read_run", "write_run"]

# All white space of Unicode, and the percent sign itself, so that every id comes back as it was.
QUOTED = "quoted:"
"""Stands before an id that a TREC file cannot hold as it is. Without it an id is taken as it
stands, so that other tools' ids, URLs with %20 among them, come back unchanged."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found; scores of one result never increase from hit to hit."""

    document_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one query.

    Attributes:
        hits: best first.
        took: milliseconds spent by the server, if it said so.
        problem: why the hits may be incomplete (failed shards, a time-out, an error), or None.
        failed: there is no answer at all; the ranker may not be judged by this query.
    """

    hits: tuple[Hit, ...]
    took: int | None = None
    problem: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class Run:
    """A ranker's results by query id. A query without an entry returned nothing."""

    ranker: str
    results: Mapping[str, Result] = field(default_factory=dict[str, Result])

    def hits(self, query_id: str) -> tuple[Hit, ...]:
        result = self.results.get(query_id)
        return result.hits if result else ()

    def problems(self) -> dict[str, str]:
        """Query id to what went wrong, for the queries whose result may be incomplete."""
        return {i: r.problem for i, r in self.results.items() if r.problem}


def order_hits(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """By falling score; equal scores by falling document id, as `trec_eval` breaks ties.

    A server breaks ties by where a document happens to lie, which changes with every reindexing;
    this order does not, and any tool that reads the TREC file sees the same one.
    """
    by_id = sorted(hits, key=lambda h: h.document_id, reverse=True)
    return tuple(sorted(by_id, key=lambda h: h.score, reverse=True))


def write_run(path: Path, run: Run) -> None:
    """TREC lines `query Q0 document rank score tag`; an id with white space is written as
    `quoted:` and its percent-encoding.

    Raises StorageError if the disk is full or the folder cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8") as out:
            for query_id, result in run.results.items():
                for rank, hit in enumerate(result.hits, start=1):
                    name = escape(hit.document_id)
                    out.write(f"{query_id} Q0 {name} {rank} {hit.score!r} {escape(run.ranker)}\n")
    except OSError as error:
        raise storage_error(error, path) from error


def read_run(path: Path) -> Run:
    """A run named after its file. Raises InputError with the line where it is not a TREC run."""
    scored: dict[str, dict[str, float]] = {}
    for place, columns in read_lines(path, 6, "query Q0 document rank score tag"):
        query_id, _, name, _, score, _ = columns
        hits = scored.setdefault(query_id, {})
        document_id = unescape(name)
        if document_id in hits:
            raise InputError(f"{document_id!r} is ranked twice for query {query_id!r}", where=place)
        hits[document_id] = number(score, place)
    results = {
        q: Result(order_hits(Hit(d, s) for d, s in hits.items())) for q, hits in scored.items()
    }
    if not results:
        raise InputError("the run holds no hits", where=str(path))
    return Run(path.stem, results)


def read_lines(path: Path, width: int, form: str) -> Iterable[tuple[str, Sequence[str]]]:
    """Yields (place, columns) of a file in one of TREC's white-space formats."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for count, line in enumerate(lines, start=1):
                columns = line.split()
                if columns and len(columns) != width:
                    raise InputError(
                        f"{len(columns)} columns where {width} are needed",
                        where=f"{path}:{count}",
                        remedy=f"each line reads: {form}",
                    )
                if columns:
                    yield f"{path}:{count}", columns
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error


def number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"the score {text!r} is not a number", where=place) from None
    if value != value:
        raise InputError("the score is not a number (NaN)", where=place)
    return value


def escape(text: str) -> str:
    plain = text and not text.startswith(QUOTED) and not re.search(r"\s", text)
    return text if plain else QUOTED + quote(text, safe="/:")


def unescape(text: str) -> str:
    return unquote(text.removeprefix(QUOTED)) if text.startswith(QUOTED) else text
