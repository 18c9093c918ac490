"""Grades of pairs whose query the labeler never saw, kept for whoever measures further."""

from __future__ import annotations

import json
from pathlib import Path

from relevance_eval.exporters.builtin.evaluation import Given
from relevance_eval.exporters.builtin.pairs import Collection

__all__ = ["write_held_out"]

_DIGITS = 6


def write_held_out(path: Path, collection: Collection, given: Given) -> None:
    """Write what is said of each of n pairs, a JSON object a line, in the collection's order.

    Its keys: query and document (ids), probabilities (of the four grades), grade (the one named).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for (query, document, _), shares, grade in zip(
            collection.triples, given.probabilities.tolist(), given.named.tolist(), strict=True
        ):
            row = {
                "query": query,
                "document": document,
                "probabilities": [round(share, _DIGITS) for share in shares],
                "grade": grade,
            }
            file.write(json.dumps(row) + "\n")
