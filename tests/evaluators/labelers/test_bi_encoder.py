"""Bi-encoders: a text's states are rows of a table, so that features can be worked out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import Outcome
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.pair import Pair

Complains = Callable[..., Any]
Folder = Callable[..., Path]
MakePair = Callable[..., Pair]

WORDS = {
    "vpn": [1.0, 0.0],
    "tunnel": [0.8, 0.6],
    "leave": [0.0, 1.0],
    "broken": [math.nan, 0.0],
}
HEAD = {
    "features": ["late_mean"],
    "center": [0.5],
    "scale": [0.25],
    "weights": [2.0],
    "thresholds": [-1.0, 0.0, 1.0],
}


@pytest.fixture
def folder(write_folder: Folder) -> Path:
    return write_folder(
        WORDS, architecture="bi-encoder", head=HEAD, output="states", fields=[["body", ""]]
    )


@pytest.mark.parametrize(
    ("query", "body", "late_mean"),
    [("vpn", "vpn", 1), ("vpn", "leave tunnel", 0.8), ("vpn leave", "tunnel", 0.7)],
)
def test_grades_come_of_features_by_the_head(
    folder: Path, pair: MakePair, query: str, body: str, late_mean: float
) -> None:
    ((_, judgment),) = load_labeler(str(folder)).label([pair(query, body=body)])
    score = (late_mean - 0.5) / 0.25 * 2
    at_least = [1, *(1 / (1 + math.exp(cut - score)) for cut in (-1, 0, 1)), 0]
    expected = [at_least[k] - at_least[k + 1] for k in range(4)]
    assert judgment.probabilities == pytest.approx(expected, abs=1e-5)


def test_each_pair_is_answered_once_at_its_own_position(folder: Path, pair: MakePair) -> None:
    """Texts that several pairs share are encoded once, and come back for each."""
    queries, bodies = ("vpn", "leave", "tunnel"), ("vpn", "leave leave", "tunnel vpn leave")
    pairs = [pair(q, body=b) for q in queries for b in bodies] * 2
    labeler = load_labeler(str(folder))
    found = list(labeler.label(pairs))
    assert sorted(i for i, _ in found) == list(range(18))
    together = dict(found)
    for i, one in enumerate(pairs):
        ((_, alone),) = labeler.label([one])
        assert together[i].probabilities == pytest.approx(alone.probabilities, abs=1e-6)


def test_texts_that_were_read_before_give_the_same_grades(folder: Path, pair: MakePair) -> None:
    asked = [pair(q, body=b) for q in ("vpn", "leave") for b in ("tunnel vpn", "leave")]
    again, fresh = load_labeler(str(folder)), load_labeler(str(folder))
    list(again.label(asked[:3]))
    assert sorted(again.label(asked)) == sorted(fresh.label(asked))


def test_an_answer_that_is_not_a_number_fails_that_pair_alone(folder: Path, pair: MakePair) -> None:
    pairs = [pair("vpn", body="vpn"), pair("vpn", body="broken"), pair("broken", body="vpn")]
    found = dict(load_labeler(str(folder)).label(pairs))
    assert [found[i].outcome for i in range(3)] == [
        Outcome.GRADED,
        Outcome.FAILED,
        Outcome.FAILED,
    ]
    assert found[1].reason == "the model's answer is not a number"


@pytest.mark.parametrize(
    ("query", "fields", "reason"),
    [
        ("vpn", {"title": "vpn"}, "the document has no text"),
        ("\x00", {"body": "vpn"}, "the query has no text"),
        ("\u200b \u200b", {"body": "vpn"}, "the query has no text"),
        ("\x00", {}, "the document has no text"),
    ],
)
def test_a_pair_without_text_is_refused_and_the_others_graded(
    folder: Path, pair: MakePair, query: str, fields: dict[str, str], reason: str
) -> None:
    pairs = [pair(query, **fields), pair("vpn", body="vpn")]
    found = dict(load_labeler(str(folder)).label(pairs))
    assert (found[0].outcome, found[0].probabilities) == (Outcome.REFUSED, ())
    assert found[0].reason.startswith(reason)
    assert found[1].graded


def test_a_model_whose_output_is_no_token_states(
    write_folder: Folder, pair: MakePair, complains: Complains
) -> None:
    folder = write_folder(
        WORDS, architecture="bi-encoder", head=HEAD, output="pooled", model={"summed": True}
    )
    labeler = load_labeler(str(folder))
    says, remedy = "the output has 2 axes where batch, tokens and width", "the output of token"
    with complains(LabelerError, says, code=2, where="tiny", remedy=remedy):
        list(labeler.label([pair("vpn", body="vpn")]))


COSINE = {**HEAD, "features": ["cosine"]}
TOKENS = {"[CLS]": [0.6, 0.8], "vpn": [1.0, 0.0], "leave": [0.0, 1.0], "find": [-3.0, 0.5]}


def cosine_of(folder: Path, pair: Pair) -> float:
    """Out of the expected grade, which rises with it."""
    ((_, judgment),) = load_labeler(str(folder)).label([pair])
    at_least = [sum(judgment.probabilities[k:]) for k in (1, 2, 3)]
    scores = [math.log(p / (1 - p)) + cut for p, cut in zip(at_least, (-1, 0, 1), strict=True)]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-4)
    return scores[0] / 2 * 0.25 + 0.5


def mean_cosine(*texts: list[str]) -> float:
    """Of the means of the tokens' rows; [SEP] has zeros."""
    one, other = (
        [sum(TOKENS[word][axis] for word in ["[CLS]", *text]) for axis in (0, 1)] for text in texts
    )
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [(None, mean_cosine(["vpn"], ["leave"])), ("mean", mean_cosine(["vpn"], ["leave"]))],
)
def test_a_vector_is_the_mean_of_the_token_states(
    write_folder: Folder, pair: MakePair, pooling: str | None, expected: float
) -> None:
    options = {"architecture": "bi-encoder", "head": COSINE, "output": "states"}
    folder = write_folder(TOKENS, fields=[["body", ""]], pooling=pooling, **options)
    assert cosine_of(folder, pair("vpn", body="leave")) == pytest.approx(expected, abs=1e-4)


def test_a_vector_may_be_the_first_tokens_state(write_folder: Folder, pair: MakePair) -> None:
    """Where the states are those of single words, as here, that is the same for all texts."""
    options = {"architecture": "bi-encoder", "head": COSINE, "output": "states"}
    folder = write_folder(TOKENS, fields=[["body", ""]], pooling="first", **options)
    assert cosine_of(folder, pair("vpn", body="leave")) == pytest.approx(1, abs=1e-4)


def test_prefixes_are_read_before_texts_and_make_no_text_of_nothing(
    write_folder: Folder, pair: MakePair
) -> None:
    options = {"architecture": "bi-encoder", "head": COSINE, "output": "states"}
    prefixes = {"query": "find ", "document": "leave leave"}
    folder = write_folder(TOKENS, fields=[["body", ""]], prefixes=prefixes, **options)
    expected = mean_cosine(["find", "vpn"], ["leave", "leave", "vpn"])
    assert cosine_of(folder, pair("vpn", body="vpn")) == pytest.approx(expected, abs=1e-4)
    labeler = load_labeler(str(folder))
    outcomes = dict(labeler.label([pair("\u200b", body="vpn"), pair("vpn", title="vpn")]))
    assert [outcomes[i].outcome for i in (0, 1)] == [Outcome.REFUSED] * 2


def test_a_frame_of_its_own_stands_around_each_text(write_folder: Folder, pair: MakePair) -> None:
    options = {"architecture": "bi-encoder", "head": COSINE, "output": "states"}
    frame = ["find", "[SEP]", "[SEP]"]
    folder = write_folder(TOKENS, fields=[["body", ""]], frame=frame, **options)
    (one, other) = ([TOKENS["find"][k] + TOKENS[w][k] for k in (0, 1)] for w in ("vpn", "leave"))
    expected = sum(a * b for a, b in zip(one, other, strict=True))
    expected /= math.hypot(*one) * math.hypot(*other)
    assert cosine_of(folder, pair("vpn", body="leave")) == pytest.approx(expected, abs=1e-4)
