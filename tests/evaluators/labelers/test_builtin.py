"""The built-in labeler: whatever it answers, these hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest

from relevance_eval.evaluators.document import document_from, read_corpus
from relevance_eval.evaluators.judgment import Judgment, Outcome
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.session import OPENVINO, Session, has_bfloat16
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query, read_queries

MakePair = Callable[..., Pair]
ENTERPRISE = Path(__file__).parents[3] / "fixtures" / "enterprise"


def graded(labeler: Labeler, pairs: list[Pair]) -> list[Judgment]:
    found = dict(labeler.label(pairs))
    return [found[i] for i in range(len(pairs))]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """30 pairs of the enterprise collection, some of whose texts are in several."""
    chosen = random.Random(7)
    queries = chosen.sample(read_queries(ENTERPRISE / "queries.jsonl"), 12)
    documents = chosen.sample(list(read_corpus(ENTERPRISE / "corpus.jsonl").values()), 24)
    return [Pair(queries[n % 12], documents[n % 24 if n % 5 else 0]) for n in range(30)]


@pytest.fixture(scope="module")
def judgments(builtin: Labeler, pairs: list[Pair]) -> list[Judgment]:
    return graded(builtin, pairs)


def test_probabilities_sum_to_one(builtin: Labeler, judgments: list[Judgment]) -> None:
    for judgment in judgments:
        assert judgment.outcome is Outcome.GRADED
        assert judgment.labeler == builtin.fingerprint
        assert len(judgment.probabilities) == 4
        assert min(judgment.probabilities) >= 0
        assert sum(judgment.probabilities) == pytest.approx(1, abs=1e-9)


def test_the_same_pairs_get_the_same_judgments(
    builtin: Labeler, pairs: list[Pair], judgments: list[Judgment]
) -> None:
    assert graded(builtin, pairs) == judgments
    again = load_labeler("builtin", threads=1)
    assert again.fingerprint == builtin.fingerprint
    expected = [j.expected for j in judgments]
    assert [j.expected for j in graded(again, pairs)] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_grade_does_not_depend_on_its_neighbours(
    builtin: Labeler, pairs: list[Pair], judgments: list[Judgment], size: int
) -> None:
    order = list(range(len(pairs)))
    random.Random(size).shuffle(order)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        for i, judgment in zip(part, graded(builtin, [pairs[i] for i in part]), strict=True):
            assert judgment.expected == pytest.approx(judgments[i].expected, abs=1e-3)


def test_what_answers_is_graded_above_what_does_not(builtin: Labeler, pair: MakePair) -> None:
    answers, other = graded(
        builtin,
        [
            pair("how to connect to the vpn", title="VPN setup", body="Connect to the VPN so: …"),
            pair("how to connect to the vpn", title="Canteen menu", body="Soup and bread."),
        ],
    )
    assert answers.expected > other.expected


def test_megabytes_of_text_are_graded_like_their_beginning(
    builtin: Labeler, pair: MakePair
) -> None:
    text = "The tunnel is set up in the client. " * 400
    beginning, whole = graded(builtin, [pair("vpn", body=text), pair("vpn", body=text * 500)])
    assert whole.expected == pytest.approx(beginning.expected, abs=1e-3)


@pytest.mark.parametrize("query", ["🦙🦙🦙", "vpn\x00\x07", "日本語", "?!", "a" * 4096, "́"])
def test_odd_queries_are_graded_or_refused(builtin: Labeler, pair: MakePair, query: str) -> None:
    judgment, beside = graded(builtin, [pair(query, body="vpn"), pair("vpn", body="vpn")])
    assert judgment.outcome in (Outcome.GRADED, Outcome.REFUSED)
    assert beside.graded


def test_a_document_of_control_characters_is_refused(builtin: Labeler) -> None:
    document = document_from("d", {"body": "\x00\x01\x02", "other": "vpn"})
    (judgment,) = graded(builtin, [Pair(Query("q", "vpn"), document)])
    assert judgment.outcome is Outcome.REFUSED
    assert "no text in the fields" in judgment.reason


@pytest.mark.skipif(
    OPENVINO not in onnxruntime.get_available_providers() or not has_bfloat16(),
    reason="needs the package onnxruntime-openvino and a processor with bfloat16",
)
def test_bfloat16_grades_as_float32_does_but_says_so_in_its_fingerprint(
    builtin: Labeler,
    pairs: list[Pair],
    judgments: list[Judgment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.has_bfloat16", lambda: False)
    exact = load_labeler("builtin")
    assert exact.fingerprint != builtin.fingerprint
    for ours, theirs in zip(judgments, graded(exact, pairs), strict=True):
        assert ours.expected == pytest.approx(theirs.expected, abs=0.05)
