"""What a bi-encoder labeler knows about a (query, document) pair, as a few named numbers.

The same function computes the features when the head is fitted and when it labels, so
that the two can never drift apart. Nothing here loads a model: an engine (or the training
code) encodes each text once and passes the encodings in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEATURES", "TextEncoding", "pair_features", "text_encoding"]

_SPECIAL_IDS = (0, 100, 101, 102, 103)  # [PAD] [UNK] [CLS] [SEP] [MASK] of the BERT vocabulary
_FIRST_WORD_ID = 1996  # "the": from here on the vocabulary is ordered by falling frequency
_EPSILON = 1e-12


@dataclass(frozen=True)
class TextEncoding:
    """One text after one pass of the encoder.

    token_ids: int [T], special tokens included.
    states: float32 [T, D], the last layer's state of each token, each row of L2 norm 1.
    embedding: float32 [D], the mean of the raw states over all T tokens, of L2 norm 1.
    """

    token_ids: NDArray[np.int64]
    states: NDArray[np.float32]
    embedding: NDArray[np.float32]


def text_encoding(token_ids: NDArray[np.int64], states: NDArray[np.float32]) -> TextEncoding:
    """Pool and normalise the encoder's raw output for one text, padding already cut off.

    token_ids: int [T]. states: float32 [T, D], not normalised.
    """
    if states.shape[0] != token_ids.shape[0]:
        raise ValueError(f"{token_ids.shape[0]} token ids but {states.shape[0]} states")
    raw = states.astype(np.float32, copy=False)
    pooled = raw.mean(axis=0)
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    return TextEncoding(
        token_ids=token_ids,
        states=raw / np.maximum(norms, _EPSILON),
        embedding=pooled / max(float(np.linalg.norm(pooled)), _EPSILON),
    )


@dataclass(frozen=True)
class _Pair:
    """A query and a document with the parts that several features share."""

    query: TextEncoding
    document: TextEncoding
    query_content: NDArray[np.bool_]  # [Tq], True where the token is not special
    best: NDArray[np.float32]  # [content tokens of the query], best cosine in the document
    distinct: NDArray[np.int64]  # the query's distinct content token ids
    present: NDArray[np.bool_]  # which of them occur in the document


def _pair(query: TextEncoding, document: TextEncoding) -> _Pair:
    query_content = ~np.isin(query.token_ids, _SPECIAL_IDS)
    document_content = ~np.isin(document.token_ids, _SPECIAL_IDS)
    if query_content.any() and document_content.any():
        similarity = query.states[query_content] @ document.states[document_content].T
        best = similarity.max(axis=1).astype(np.float32)
    else:
        best = np.zeros(1, dtype=np.float32)
    distinct = np.unique(query.token_ids[query_content])
    present = np.isin(distinct, document.token_ids)
    return _Pair(query, document, query_content, best, distinct, present)


def _rarity(token_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """A token's weight by its rank in the vocabulary, >= 0.1: Zipf's law as a cheap idf."""
    ranks = np.maximum(token_ids - _FIRST_WORD_ID, 0)
    return 0.1 + np.log1p(ranks.astype(np.float64))


def _cosine(pair: _Pair) -> float:
    """Cosine of the pooled embeddings, -1 to 1."""
    return float(pair.query.embedding @ pair.document.embedding)


def _late_mean(pair: _Pair) -> float:
    """Mean over the query's tokens of the best cosine with a document token, -1 to 1."""
    return float(pair.best.mean())


def _late_square(pair: _Pair) -> float:
    """late_mean times its magnitude, -1 to 1: a step near 1 counts for more than one near 0."""
    mean = _late_mean(pair)
    return mean * abs(mean)


def _late_min(pair: _Pair) -> float:
    """The query token worst matched: the smallest of those best cosines, -1 to 1."""
    return float(pair.best.min())


def _late_low(pair: _Pair) -> float:
    """As late_mean, over the third of the query's tokens that is matched worst, -1 to 1."""
    count = max(1, -(-pair.best.shape[0] // 3))
    return float(np.sort(pair.best)[:count].mean())


def _late_rare(pair: _Pair) -> float:
    """As late_mean, the tokens weighted by rarity, -1 to 1."""
    if not pair.query_content.any():
        return 0.0
    weights = _rarity(pair.query.token_ids[pair.query_content])
    if weights.shape != pair.best.shape:
        return 0.0
    return float(np.average(pair.best, weights=weights))


def _overlap(pair: _Pair) -> float:
    """Share of the query's distinct wordpieces that occur in the document, 0 to 1."""
    return float(pair.present.mean()) if pair.present.size else 0.0


def _rare_overlap(pair: _Pair) -> float:
    """As overlap, the wordpieces weighted by rarity, 0 to 1."""
    if not pair.present.size:
        return 0.0
    return float(np.average(pair.present, weights=_rarity(pair.distinct)))


def _query_length(pair: _Pair) -> float:
    """Natural logarithm of 1 + the query's tokens without special ones, >= 0."""
    return float(np.log1p(pair.query_content.sum()))


def _document_length(pair: _Pair) -> float:
    """Natural logarithm of the document's tokens, special ones included, >= 0."""
    return float(np.log(max(pair.document.token_ids.shape[0], 1)))


FEATURES: Mapping[str, Callable[[_Pair], float]] = {
    "cosine": _cosine,
    "late_mean": _late_mean,
    "late_square": _late_square,
    "late_min": _late_min,
    "late_low": _late_low,
    "late_rare": _late_rare,
    "overlap": _overlap,
    "rare_overlap": _rare_overlap,
    "query_length": _query_length,
    "document_length": _document_length,
}
"""Each feature by name; the docstring of its function says what it is and its range."""


def pair_features(
    names: Sequence[str], query: TextEncoding, document: TextEncoding
) -> NDArray[np.float64]:
    """The named features of one pair, float64 [len(names)], in the order of `names`.

    Raises ValueError for a name that is not in FEATURES.
    """
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        raise ValueError(f"unknown features {unknown}; known are {sorted(FEATURES)}")
    pair = _pair(query, document)
    return np.array([FEATURES[name](pair) for name in names], dtype=np.float64)
