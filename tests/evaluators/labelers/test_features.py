"""What a bi-encoder knows of a pair, each against a value worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from relevance_eval.evaluators.labelers.features import (
    FEATURES,
    TextEncoding,
    pair_features,
    text_encoding,
)

EAST, NORTH, BETWEEN = [2.0, 0.0], [0.0, 3.0], [0.8, 0.6]
CLS, SEP, UNK = (101, [0.0, 0.0]), (102, [0.0, 0.0]), (100, [5.0, 5.0])
THE, RARE, OTHER = 1996, 1996 + 1000, 1996 + 10


def text(*tokens: tuple[int, Sequence[float]]) -> TextEncoding:
    framed = [CLS, *tokens, SEP]
    ids = np.array([identifier for identifier, _ in framed], np.int64)
    return text_encoding(ids, np.array([state for _, state in framed], np.float32))


def value(name: str, query: TextEncoding, document: TextEncoding) -> float:
    return float(pair_features([name], query, document)[0])


def test_an_encoding_is_normalised() -> None:
    found = text((THE, EAST), (RARE, NORTH))
    assert np.linalg.norm(found.states, axis=1) == pytest.approx([0, 1, 1, 0])
    assert found.embedding == pytest.approx(np.array([2, 3]) / math.sqrt(13))


def test_a_text_whose_states_are_nothing_has_no_direction() -> None:
    assert text().embedding.tolist() == [0, 0]


def test_ids_and_states_must_match() -> None:
    with pytest.raises(ValueError, match="2 token ids but 3 states"):
        text_encoding(np.zeros(2, np.int64), np.zeros((3, 4), np.float32))


QUERY = text((THE, EAST), (RARE, NORTH))
DOCUMENT = text((RARE, BETWEEN), (OTHER, EAST), (OTHER, EAST))
WEIGHTS = {THE: 0.1, RARE: 0.1 + math.log1p(1000)}


EXPECTED = {
    "cosine": (2 * 4.8 + 3 * 0.6) / math.sqrt(13) / math.hypot(4.8, 0.6),
    "late_mean": (1 + 0.6) / 2,
    "late_square": 0.8**2,
    "late_min": 0.6,
    "late_low": 0.6,
    "late_rare": (WEIGHTS[THE] * 1 + WEIGHTS[RARE] * 0.6) / (WEIGHTS[THE] + WEIGHTS[RARE]),
    "overlap": 1 / 2,
    "rare_overlap": WEIGHTS[RARE] / (WEIGHTS[THE] + WEIGHTS[RARE]),
    "query_length": math.log(3),
    "document_length": math.log(5),
}


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_each_feature(name: str) -> None:
    assert value(name, QUERY, DOCUMENT) == pytest.approx(EXPECTED[name], abs=1e-6)


@pytest.mark.parametrize("empty", ["query", "document", "both"])
def test_a_side_without_words_gives_numbers_all_the_same(empty: str) -> None:
    nothing = text(UNK)
    query = QUERY if empty == "document" else nothing
    document = DOCUMENT if empty == "query" else nothing
    found = pair_features(list(FEATURES), query, document)
    assert np.isfinite(found).all()
    assert dict(zip(FEATURES, found, strict=True))["late_mean"] == 0


def test_a_word_that_is_repeated_overlaps_once() -> None:
    query = text((THE, EAST), (THE, EAST), (RARE, NORTH))
    assert value("overlap", query, DOCUMENT) == 0.5


def test_the_third_matched_worst_is_rounded_up() -> None:
    query = text((THE, EAST), (RARE, NORTH), (OTHER, [3, 4]), (OTHER, [0, -1]))
    cosines = sorted([1, 0.6, 0.96, 0])  # of the best match of each token in the document
    assert value("late_low", query, DOCUMENT) == pytest.approx(sum(cosines[:2]) / 2, abs=1e-6)


def test_features_come_in_the_order_asked_for() -> None:
    found = pair_features(["overlap", "late_min"], QUERY, DOCUMENT)
    assert found == pytest.approx([0.5, 0.6])


def test_an_unknown_feature_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown features \['cosin'\]; known are \['cosine'"):
        pair_features(["cosin"], QUERY, DOCUMENT)
