"""Judged pairs with the features that the head sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relevance_eval.evaluators.labelers.features import FEATURES, TextEncoding, pair_features
from relevance_eval.exporters.builtin.bm25 import Bm25
from relevance_eval.exporters.builtin.corpora import Corpus

__all__ = [
    "Collection",
    "Pairs",
    "Triple",
    "candidate_pairs",
    "features_of",
    "joined",
    "load_collection",
    "save_collection",
]

Triple = tuple[str, str, int]
"""Query id, document id, human grade."""


@dataclass(frozen=True)
class Pairs:
    """n pairs: query number int [n] (0 .. queries - 1), grade int [n], features [n, f].

    The columns of `features` are all of FEATURES in its order.
    """

    queries: NDArray[np.int64]
    grades: NDArray[np.int64]
    features: NDArray[np.float64]

    def columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The named features only, float64 [n, len(names)]."""
        order = list(FEATURES)
        return self.features[:, [order.index(name) for name in names]]

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
        """The chosen rows."""
        return Pairs(self.queries[rows], self.grades[rows], self.features[rows])


@dataclass(frozen=True)
class Collection:
    """One collection's pairs with their ids, BM25 scores [n], and each query's fold [Q]."""

    triples: Sequence[Triple]
    pairs: Pairs
    lexical: NDArray[np.float64]
    fold: NDArray[np.int64]

    def of_pair(self) -> NDArray[np.int64]:
        """The fold of each pair, int [n]."""
        return self.fold[self.pairs.queries]


def save_collection(path: Path, collection: Collection) -> None:
    """Write a collection's pairs and features to a .npz file."""
    pairs = collection.pairs
    np.savez_compressed(
        path,
        names=np.array(list(FEATURES)),
        texts=np.array([(query, document) for query, document, _ in collection.triples]),
        queries=pairs.queries,
        grades=pairs.grades,
        features=pairs.features,
        lexical=collection.lexical,
        fold=collection.fold,
    )


def load_collection(path: Path) -> Collection:
    """Read what save_collection wrote. Raises ValueError if it lacks one of FEATURES."""
    with np.load(path) as data:
        stored: list[str] = data["names"].tolist()
        missing = [name for name in FEATURES if name not in stored]
        if missing:
            raise ValueError(f"{path} lacks the features {missing}; remove it")
        features = data["features"][:, [stored.index(name) for name in FEATURES]]
        grades = data["grades"]
        rows = zip(data["texts"].tolist(), grades.tolist(), strict=True)
        triples = [(str(query), str(document), int(grade)) for (query, document), grade in rows]
        pairs = Pairs(data["queries"], grades, features)
        return Collection(triples, pairs, data["lexical"], data["fold"])


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Several collections' pairs as one, their queries kept apart."""
    offsets = np.cumsum([0, *(int(part.queries.max()) + 1 for part in parts)])
    return Pairs(
        np.concatenate([p.queries + o for p, o in zip(parts, offsets, strict=False)]),
        np.concatenate([part.grades for part in parts]),
        np.concatenate([part.features for part in parts]),
    )


def features_of(
    triples: Sequence[Triple],
    queries: Mapping[str, TextEncoding],
    documents: Mapping[str, TextEncoding],
) -> Pairs:
    """Compute all features of the pairs, from encodings by id."""
    numbers = {query: number for number, query in enumerate(dict.fromkeys(t[0] for t in triples))}
    names = list(FEATURES)
    rows = [pair_features(names, queries[query], documents[doc]) for query, doc, _ in triples]
    return Pairs(
        np.array([numbers[query] for query, _, _ in triples], dtype=np.int64),
        np.array([grade for _, _, grade in triples], dtype=np.int64),
        np.stack(rows),
    )


def candidate_pairs(
    corpus: Corpus,
    bm25: Bm25,
    queries: Mapping[str, TextEncoding],
    documents: Mapping[str, TextEncoding],
    depth: int,
) -> list[Triple]:
    """Judged pairs and, at grade 0, the unjudged among the `depth` best of BM25 and of the
    cosine of the encodings given: for collections whose judgments are complete."""
    names = list(corpus.documents)
    matrix = np.stack([documents[name].embedding for name in names])
    triples: list[Triple] = []
    for query, grades in corpus.qrels.items():
        cosines = matrix @ queries[query].embedding
        nearest: list[int] = np.argsort(-cosines, kind="stable")[:depth].tolist()
        dense = [names[row] for row in nearest]
        pool = dict.fromkeys([*grades, *bm25.top(corpus.queries[query], depth), *dense])
        triples += [(query, document, grades.get(document, 0)) for document in pool]
    return triples
