"""Reading the human-judged collections of the data folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

__all__ = ["Corpus", "Qrels", "read_corpus", "read_qrels"]

Qrels = dict[str, dict[str, int]]
"""Grades by query id, then document id."""

_FIELDS = {
    "title": "title",
    "author": "author",
    "file_name": "file_name",
    "folder_path": "folder_path",
    "body": "body",
}


@dataclass(frozen=True)
class Corpus:
    """One collection: documents (field name to text), queries and judged pairs."""

    name: str
    documents: Mapping[str, Mapping[str, str]]
    queries: Mapping[str, str]
    qrels: Qrels

    def pairs(self) -> list[tuple[str, str, int]]:
        """All judged pairs (query id, document id, grade), in the file's order."""
        return [
            (query, document, grade)
            for query, grades in self.qrels.items()
            for document, grade in grades.items()
        ]


def read_corpus(folder: Path) -> Corpus:
    """Read corpus.jsonl, queries.jsonl and qrels.txt of one folder.

    Judgments of documents or queries that are not there are left out. Fields that hold no
    text are left out of a document.
    """
    documents = {
        str(row["id"]): {
            field: str(row[key])
            for key, field in _FIELDS.items()
            if str(row.get(key) or "").strip()
        }
        for row in _rows(folder / "corpus.jsonl")
    }
    queries = {str(row["id"]): str(row["text"]) for row in _rows(folder / "queries.jsonl")}
    qrels: Qrels = {}
    for query, grades in read_qrels(folder / "qrels.txt").items():
        known = {document: grade for document, grade in grades.items() if document in documents}
        if query in queries and known:
            qrels[query] = known
    return Corpus(folder.name, documents, queries, qrels)


def read_qrels(path: Path) -> Qrels:
    """Read a TREC qrels file (query, 0, document, grade). Raises ValueError on a bad line."""
    qrels: Qrels = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            parts = line.split()
            if len(parts) != 4:
                raise ValueError(f"{path}, line {number}: expected 4 columns, got {line!r}")
            qrels.setdefault(parts[0], {})[parts[2]] = int(parts[3])
    return qrels


def _rows(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield cast("dict[str, object]", json.loads(line))
