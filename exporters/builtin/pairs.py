"""Judged pairs with the features that the head sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relevance_eval.evaluators.labelers.features import FEATURES, TextEncoding, pair_features
from relevance_eval.exporters.builtin.bm25 import Bm25
from relevance_eval.exporters.builtin.corpora import Corpus

__all__ = ["Pairs", "candidate_pairs", "features_of", "lexical_scores"]

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
    queries: Mapping[str, TextEncoding],
    documents: Mapping[str, TextEncoding],
    depth: int,
) -> list[Triple]:
    """Judged pairs and, at grade 0, the unjudged among the `depth` best of BM25 and of the
    cosine of the encodings given: for collections whose judgments are complete."""
    bm25 = Bm25({name: " ".join(doc.values()) for name, doc in corpus.documents.items()})
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


def lexical_scores(corpus: Corpus, triples: Sequence[Triple]) -> NDArray[np.float64]:
    """BM25 of each pair, float64 [n], the collection's documents as the background."""
    bm25 = Bm25({name: " ".join(doc.values()) for name, doc in corpus.documents.items()})
    rows = {name: row for row, name in enumerate(bm25.ids)}
    by_query = {query: bm25.scores(corpus.queries[query]) for query, _, _ in triples}
    return np.array([by_query[query][rows[document]] for query, document, _ in triples])
