"""Collections that people graded, and who else says something of their pairs without having seen
the query: held-out labelers, a language model, and mere scores."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prepared import ENTERPRISE

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import Document, read_corpus
from relevance_eval.evaluators.jsonl import read_rows, text_of
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import Qrels, read_qrels
from relevance_eval.evaluators.query import Query, read_queries
from relevance_eval.exporters.builtin.bm25 import Bm25

__all__ = ["GRADED", "Collection", "Cosine", "Judged", "by_bm25", "certain", "labelers"]

Judged = Mapping[str, Mapping[str, Judgment]]
"""Query id to document id to graded judgment."""
GRADED = ("dl20", "liveqa")
"""Collections with grades 0-3, of which people graded only a part."""
TEACHERS = {"dl20": {"GPT-4o": "judged-by-gpt-4o.txt"}}
"""Language models whose grades lie beside people's, by collection."""
COSINE = "cosine"


@dataclass(frozen=True)
class Collection:
    """Documents, the queries that people judged, and their grades of documents that are there."""

    folder: Path
    documents: Mapping[str, Document]
    queries: Sequence[Query]
    people: Qrels

    @classmethod
    def read(cls, name: str, data: Path) -> Collection:
        """`enterprise` is the project's own, any other a folder in `data`."""
        folder = ENTERPRISE if name == ENTERPRISE.name else data / name
        documents = read_corpus(folder / "corpus.jsonl")
        grades = read_qrels(folder / "qrels.txt")
        queries = [q for q in read_queries(folder / "queries.jsonl") if q.id in grades]
        known = {q.id: {d: g for d, g in grades[q.id].items() if d in documents} for q in queries}
        return cls(folder, documents, queries, known)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def partly(self) -> bool:
        """Whether a document that people did not grade may be relevant."""
        return self.name in GRADED

    @property
    def pairs(self) -> list[Pair]:
        """All that people graded, by query."""
        return [Pair(q, self.documents[d]) for q in self.queries for d in self.people[q.id]]

    def text(self, document_id: str) -> str:
        return " ".join(self.documents[document_id].fields.values())

    def words(self) -> dict[str, int]:
        """How many words each document has, by id."""
        return {i: len(self.text(i).split()) for i in self.documents}

    def common(self, judged: Judged) -> dict[str, dict[str, Judgment]]:
        """Of these judgments, those of pairs that people graded."""
        return {
            q: {d: judged[q][d] for d in row if d in judged[q]}
            for q, row in self.people.items()
            if q in judged
        }


def certain(qrels: Qrels, name: str) -> dict[str, dict[str, Judgment]]:
    """Grades that someone gave without a doubt."""
    return {q: {d: Judgment.certain(name, g) for d, g in row.items()} for q, row in qrels.items()}


# held-out labelers


def labelers(folder: Path, collection: Collection) -> dict[str, dict[str, dict[str, Judgment]]]:
    """By name, whoever graded the pairs that people graded; a language model comes last.

    Args:
        folder: holds `COLLECTION.jsonl` of the one labeler that has the folder's name, or a folder
            of each labeler's name with such a file.

    Raises InputError with the line that is no judgment.
    """
    homes = [folder, *sorted(each for each in folder.iterdir() if each.is_dir())]
    files = {home.name: home / f"{collection.name}.jsonl" for home in homes}
    found = {n: collection.common(read_grades(p, n)) for n, p in files.items() if p.is_file()}
    for name, file in TEACHERS.get(collection.name, {}).items() if found else ():
        found[name] = collection.common(certain(read_qrels(collection.folder / file), name))
    return found


def read_grades(path: Path, labeler: str) -> dict[str, dict[str, Judgment]]:
    judged: dict[str, dict[str, Judgment]] = {}
    for place, row in read_rows(path):
        query, document = text_of(row, "query", place), text_of(row, "document", place)
        judged.setdefault(query, {})[document] = judgment_of(row, labeler, place)
    return judged


def judgment_of(row: Mapping[str, Any], labeler: str, place: str) -> Judgment:
    given = row.get("probabilities")
    try:
        shares = tuple(float(p) for p in given or ())
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != len(GRADES) or not math.isclose(math.fsum(shares), 1, abs_tol=1e-3):
        raise InputError(f"not the probabilities of {len(GRADES)} grades: {given}", where=place)
    if row.get("grade") not in GRADES:
        raise InputError(f"not a grade: {row.get('grade')}", where=place)
    return replace(Judgment(labeler, shares), named=row["grade"])


# mere scores


def scored(labeler: str, score: float) -> Judgment:
    """A judgment whose expected gain is proportional to a score of 0 to 1; its grade says nothing.

    The measures of one ranked list divide by an ideal of the same labels, so scale has no part.
    """
    share = min(max(score, 0.0), 1.0)
    return Judgment(labeler, (1 - share, 0.0, 0.0, share))


class Cosine:
    """The cosine of a bi-encoder's own embeddings; implements the Labeler protocol.

    Raises ValueError if the encoder's head does not look at it.
    """

    def __init__(self, encoder: BiEncoder):
        self.name = COSINE
        self.fingerprint = hashlib.sha256(f"{COSINE} {encoder.fingerprint}".encode()).hexdigest()
        self.encoder = encoder
        self.place = list(encoder.head.features).index(COSINE)

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        for position, found in self.encoder.features(pairs):
            if isinstance(found, str):
                yield position, Judgment.refused(self.fingerprint, found)
            else:
                yield position, scored(self.fingerprint, float(found[self.place]))


def by_bm25(collection: Collection, pairs: Sequence[Pair]) -> dict[str, dict[str, Judgment]]:
    """The project's own BM25 over title and body, as a share of the highest score of the pairs."""
    index = Bm25({i: collection.text(i) for i in collection.documents})
    scores = index.pair_scores([(p.query.text, p.document.id) for p in pairs])
    judged: dict[str, dict[str, Judgment]] = {}
    for pair, score in zip(pairs, scores / max(float(scores.max()), 1e-12), strict=True):
        judged.setdefault(pair.query.id, {})[pair.document.id] = scored("bm25", float(score))
    return judged
