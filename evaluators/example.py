"""A pair to learn from: where it came from and, once somebody graded it, the grades.

The file between `mine`, `teach` and `train`: JSON Lines, one pair a line with its texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import DEFAULT_FIELDS, document_from
from relevance_eval.evaluators.jsonl import read_rows, text_of, write_rows
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

__all__ = ["SEED", "Example", "read_examples", "write_examples"]

SEED = "seed"
"""Origin of the document that a query was written about."""
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Example:
    """A query, a document, and what is known of the two.

    Attributes:
        seed: id of the document that the query was written about; None for a query of people.
        origin: `seed`, or what found the document: `bm25 11-50`, `random`, `qrels`.
        rank: where its ranker had it, from 1; None for the seed and for random documents.
        score: the ranker's.
        judgment: graded by a teacher or by people; None before that.
    """

    pair: Pair
    origin: str
    seed: str | None = None
    rank: int | None = None
    score: float | None = None
    judgment: Judgment | None = None


def read_examples(path: Path) -> list[Example]:
    """Raises InputError, with the line, for a broken row or probabilities that do not fit."""
    return [example_of(row, place) for place, row in read_rows(path)]


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Raises StorageError if the file cannot be written."""
    write_rows(path, (row_of(example) for example in examples))


def row_of(example: Example) -> dict[str, Any]:
    query, document, judgment = example.pair.query, example.pair.document, example.judgment
    row: dict[str, Any] = {
        "query_id": query.id,
        "query": query.text,
        **({"tags": dict(query.tags)} if query.tags else {}),
        "document_id": document.id,
        "document": dict(document.fields),
        "origin": example.origin,
        "seed": example.seed,
        "rank": example.rank,
        "score": example.score,
    }
    if judgment is not None and judgment.graded:
        row |= {"labeler": judgment.labeler, "probabilities": list(judgment.probabilities)}
    return {key: value for key, value in row.items() if value is not None}


def example_of(row: Mapping[str, Any], place: str) -> Example:
    tags = {str(k): str(v) for k, v in mapping(row, "tags", place).items()}
    query = Query(text_of(row, "query_id", place), text_of(row, "query", place), tags)
    fields = mapping(row, "document", place)
    document = document_from(
        text_of(row, "document_id", place), fields, {role: role for role in DEFAULT_FIELDS}
    )
    return Example(
        Pair(query, document),
        origin=text_of(row, "origin", place) if "origin" in row else "file",
        seed=text_of(row, "seed", place) if "seed" in row else None,
        rank=row.get("rank"),
        score=row.get("score"),
        judgment=judgment_of(row, place),
    )


def mapping(row: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = row.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"the field {key!r} is no object", where=place)
    return cast(dict[str, Any], value)


def judgment_of(row: Mapping[str, Any], place: str) -> Judgment | None:
    if "probabilities" not in row:
        return None
    given: Any = row["probabilities"]
    shares = cast(list[Any], given) if isinstance(given, list) else []
    if len(shares) != len(GRADES) or not all(is_probability(p) for p in shares):
        raise InputError(f"'probabilities' needs {len(GRADES)} numbers of 0 to 1", where=place)
    if abs(math.fsum(shares) - 1) > SUM_TOLERANCE:
        raise InputError(f"the probabilities sum to {math.fsum(shares):g}, not to 1", where=place)
    return Judgment(str(row.get("labeler", "file")), tuple(float(p) for p in shares))


def is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
