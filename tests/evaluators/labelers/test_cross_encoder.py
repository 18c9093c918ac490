"""Cross-encoders whose logits are known: they add up one row for each word of the pair."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import Judgment, Outcome
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair

Complains = Callable[..., Any]
Folder = Callable[..., Path]
MakePair = Callable[..., Pair]

NAN, INF = math.nan, math.inf
WORDS = {
    "vpn": [0.0, 0.0, 1.0, 2.0],
    "leave": [3.0, 0.0, 0.0, 0.0],
    "broken": [NAN, 0.0, 0.0, 0.0],
    "endless": [INF, 0.0, 0.0, 0.0],
}
SCORES = {"vpn": [0.5], "leave": [-2.0], "broken": [NAN], "endless": [INF]}


def graded(labeler: Labeler, *pairs: Pair) -> list[Judgment]:
    found = dict(labeler.label(pairs))
    assert sorted(found) == list(range(len(pairs)))
    return [found[i] for i in range(len(pairs))]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_four_logits_become_their_softmax(
    write_folder: Folder, pair: MakePair, temperature: float
) -> None:
    labeler = load_labeler(str(write_folder(WORDS, temperature=temperature)))
    (judgment,) = graded(labeler, pair("vpn", title="vpn", body="leave other"))
    powers = [math.exp(x / temperature) for x in (3, 0, 2, 4)]
    assert judgment.probabilities == pytest.approx([p / sum(powers) for p in powers], abs=1e-6)
    assert judgment.labeler == labeler.fingerprint
    assert labeler.name == "tiny"


def test_one_logit_is_graded_by_the_head(
    write_folder: Folder, pair: MakePair, head: dict[str, Any]
) -> None:
    labeler = load_labeler(str(write_folder(SCORES, head=head)))
    judgments = graded(labeler, pair("vpn", body="vpn"), pair("vpn", body="leave"))
    for judgment, score in zip(judgments, (1.0, -1.5), strict=True):
        at_least = [1, *(1 / (1 + math.exp(cut - score)) for cut in (-1, 0, 1)), 0]
        expected = [at_least[k] - at_least[k + 1] for k in range(4)]
        assert judgment.probabilities == pytest.approx(expected, abs=1e-6)
        assert sum(judgment.probabilities) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("words", [WORDS, SCORES])
@pytest.mark.parametrize("word", ["broken", "endless"])
def test_an_answer_that_is_not_a_number_fails_that_pair_alone(
    write_folder: Folder,
    pair: MakePair,
    head: dict[str, Any],
    words: dict[str, list[float]],
    word: str,
) -> None:
    one = len(words["vpn"]) == 1
    labeler = load_labeler(str(write_folder(words, head=head if one else None)))
    fine, broken, also = graded(
        labeler, pair("vpn", body="vpn"), pair("vpn", body=word), pair("leave", body="vpn")
    )
    assert (broken.outcome, broken.probabilities) == (Outcome.FAILED, ())
    assert broken.reason == "the model's answer is not a number"
    assert fine.graded
    assert also.graded


@pytest.mark.parametrize(
    ("query", "fields", "reason"),
    [
        ("vpn", {}, "the document has no text"),
        ("vpn", {"author": "vpn"}, "the document has no text"),
        ("\x00\x01", {"title": "vpn"}, "the query has no text"),
        ("\u200b", {"title": "vpn"}, "the query has no text"),
    ],
)
def test_a_pair_without_text_is_refused_and_the_others_graded(
    write_folder: Folder, pair: MakePair, query: str, fields: dict[str, str], reason: str
) -> None:
    labeler = load_labeler(str(write_folder(WORDS)))
    first, second = graded(labeler, pair(query, **fields), pair("vpn", body="vpn"))
    assert (first.outcome, first.probabilities) == (Outcome.REFUSED, ())
    assert first.reason.startswith(reason)
    assert second.graded


def test_a_query_of_emoji_alone_is_graded(write_folder: Folder, pair: MakePair) -> None:
    labeler = load_labeler(str(write_folder(WORDS)))
    assert graded(labeler, pair("🦙🦙", body="vpn"))[0].graded


def test_the_document_is_cut_to_its_caps_before_it_is_read(
    write_folder: Folder, pair: MakePair
) -> None:
    labeler = load_labeler(str(write_folder(WORDS)))
    cut, long = graded(
        labeler, pair("vpn", body="vpn " * 6), pair("vpn", body="vpn " * 6 + "leave " * 500_000)
    )
    assert cut.probabilities == long.probabilities


def test_no_pairs_are_no_judgments(write_folder: Folder) -> None:
    assert graded(load_labeler(str(write_folder(WORDS)))) == []


@pytest.mark.parametrize(("width", "with_head"), [(1, False), (3, False), (2, True), (5, True)])
def test_another_number_of_logits(
    write_folder: Folder,
    pair: MakePair,
    complains: Complains,
    head: dict[str, Any],
    width: int,
    with_head: bool,
) -> None:
    folder = write_folder({"vpn": [1.0] * width}, head=head if with_head else None)
    labeler = load_labeler(str(folder))
    says, remedy = f"{width} logits where 4 are needed", "an ordinal 'head' in labeler.json"
    with complains(LabelerError, says, code=2, where="tiny", remedy=remedy):
        list(labeler.label([pair("vpn", body="vpn")]))
