"""A small BM25, for the figures beside the labeler's and for pools of candidates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bm25"]

_WORD = re.compile(r"[a-z0-9]+")
_K1 = 0.9
_B = 0.4


class Bm25:
    """BM25 (k1 = 0.9, b = 0.4, idf of Lucene) over whole documents, no stemming."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self.ids = list(documents)
        counts = [Counter(_WORD.findall(text.lower())) for text in documents.values()]
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
        self._norm = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1.0))
        self._postings: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        rows: dict[str, list[tuple[int, int]]] = {}
        for row, count in enumerate(counts):
            for word, times in count.items():
                rows.setdefault(word, []).append((row, times))
        for word, pairs in rows.items():
            self._postings[word] = (
                np.array([row for row, _ in pairs], dtype=np.int64),
                np.array([times for _, times in pairs], dtype=np.float64),
            )

    def scores(self, query: str) -> NDArray[np.float64]:
        """Scores >= 0 of all documents, float64 [documents], in the order of `ids`."""
        scores = np.zeros(len(self.ids))
        for word in _WORD.findall(query.lower()):
            if word not in self._postings:
                continue
            rows, times = self._postings[word]
            idf = np.log(1 + (len(self.ids) - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += idf * times / (times + self._norm[rows])
        return scores

    def top(self, query: str, count: int) -> Sequence[str]:
        """The ids of the `count` best documents that share a word with the query."""
        scores = self.scores(query)
        order: list[int] = np.argsort(-scores, kind="stable")[:count].tolist()
        return [self.ids[row] for row in order if scores[row] > 0]

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Scores of (query text, document id) pairs, float64 [n]."""
        rows = {name: row for row, name in enumerate(self.ids)}
        by_query = {query: self.scores(query) for query in dict.fromkeys(q for q, _ in pairs)}
        return np.array([by_query[query][rows[document]] for query, document in pairs])
