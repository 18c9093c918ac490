"""A query, and a set of them as a JSON Lines file of `id`, `text` and any tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relevance_eval.errors import InputError
from relevance_eval.evaluators.jsonl import read_rows, text_of, write_rows

__all__ = [
    "MAX_QUERY_CHARACTERS",
    "Query",
    "check_queries",
    "read_queries",
    "repeated",
    "wording",
    "write_queries",
]

MAX_QUERY_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Query:
    """What a person typed.

    Attributes:
        id: unique within a set, of characters that can be shown, without white space.
        text: 1 to 4,096 characters, as typed.
        tags: what slices are made of, such as `{"kind": "author", "band": "tail"}`.
    """

    id: str
    text: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def read_queries(path: Path) -> list[Query]:
    """Raises InputError, with the line, for whatever cannot be evaluated."""
    places: list[str] = []
    queries: list[Query] = []
    for place, row in read_rows(path):
        tags = {k: str(v) for k, v in row.items() if k not in ("id", "text") and is_tag(v)}
        places.append(place)
        queries.append(Query(text_of(row, "id", place), text_of(row, "text", place), tags))
    check_queries(queries, places)
    if not queries:
        raise InputError("the file holds no queries", where=str(path))
    return queries


def is_tag(value: object) -> bool:
    return isinstance(value, str | int | float)


def check_queries(queries: Sequence[Query], places: Sequence[str]) -> None:
    """Raises InputError at the first query that is empty, too long, or has an id used before."""
    seen: dict[str, str] = {}
    for query, place in zip(queries, places, strict=True):
        check_query(query, place)
        first = seen.setdefault(query.id, place)
        if first != place:
            raise InputError(
                f"the query id {query.id!r} is used twice, first at {first}",
                where=place,
                remedy="give each query its own id, or remove one",
            )


def check_query(query: Query, place: str) -> None:
    if not query.text.strip():
        raise InputError(f"query {query.id!r} is empty", where=place, remedy="remove this line")
    if len(query.text) > MAX_QUERY_CHARACTERS:
        raise InputError(
            f"query {query.id!r} has {len(query.text):,} characters; "
            f"{MAX_QUERY_CHARACTERS:,} is the limit",
            where=place,
            remedy="nobody types this: shorten or remove it",
        )
    if not query.id or any(c.isspace() for c in query.id):
        raise InputError(
            f"the query id {query.id!r} is empty or holds white space",
            where=place,
            remedy="TREC files cannot hold such an id: rename it",
        )
    if not query.id.isprintable():
        raise InputError(
            f"the query id {query.id!r} holds characters that cannot be shown",
            where=place,
            remedy="rename it",
        )


def wording(text: str) -> str:
    """What two queries share that differ in nothing but case and white space."""
    return " ".join(text.casefold().split())


def repeated(queries: Iterable[Query]) -> int:
    """How many have the wording of another one before them.

    What a ranker gains on one it gains on the other, where statistics take them for independent.
    """
    texts = [wording(query.text) for query in queries]
    return len(texts) - len(set(texts))


def write_queries(path: Path, queries: Iterable[Query]) -> None:
    write_rows(path, ({"id": q.id, "text": q.text, **q.tags} for q in queries))
