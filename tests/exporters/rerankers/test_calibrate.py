"""Scores that are the same, that are no numbers, or that are not there."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import DependencyError, ExportError, InputError, LabelerError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment, Outcome
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.session import Session
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.exporters.calibrate import Calibrated, calibrate, one_voice
from relevance_eval.exporters.rerankers.form import in_form, ranged
from relevance_eval.exporters.rerankers.reranker import Reading, open_reranker

Complains = Callable[..., Any]
Summing = Callable[[Mapping[str, float]], Path]
VALUES = {"word0": -1.0, "word1": 0.5, "word2": 1.5, "word3": 3.0}
"""Of the words that make a document of grade 0, 1, 2 and 3."""


def graded(queries: int, more: Sequence[str] = ()) -> list[Example]:
    """Eight documents a query, two of each grade, and one of grade 0 with each of `more`."""
    texts = [(f"word{n % 4} word{10 + n}", n % 4) for n in range(8)] + [(word, 0) for word in more]
    return [
        Example(
            Pair(Query(f"q{q}", f"word{20 + q}"), Document(f"q{q}d{n}", {"body": text})),
            "file",
            judgment=Judgment.certain("teacher", grade),
        )
        for q in range(queries)
        for n, (text, grade) in enumerate(texts)
    ]


def made(folder: Path, examples: Sequence[Example]) -> Calibrated:
    out, scores = folder.parent / "mine", folder.parent / "scores"
    return calibrate(open_reranker(str(folder), Reading()), examples, out, scores, threads=1)


def test_a_known_score_is_calibrated_to_the_grades_that_it_means(summing: Summing) -> None:
    examples = graded(10)
    found = made(summing(VALUES), examples)
    labeler = load_labeler(str(found.folder), threads=1)
    judged = dict(labeler.label([e.pair for e in examples]))
    assert [judged[i].grade for i in range(len(examples))] == [
        e.judgment.grade for e in examples if e.judgment
    ]
    assert found.record["held_out"]["quadratic_kappa"]["value"] == pytest.approx(1)
    assert found.record["notes"] == []


def test_a_model_that_tells_no_pair_from_another(summing: Summing, complains: Complains) -> None:
    says = "gives all 80 pairs the same score"
    with complains(LabelerError, says, code=2, where="summing", remedy="weights are whole"):
        made(summing({}), graded(10))


def test_pairs_without_a_number_are_left_out_and_counted(summing: Summing) -> None:
    examples = graded(10, more=["word4"])
    empty = replace(examples[0], pair=Pair(examples[0].pair.query, Document("no", {"author": "a"})))
    found = made(summing({**VALUES, "word4": math.nan}), [*examples, empty])
    data = found.record["data"]
    assert (data["examples"], data["pairs"], data["left_out"]) == (91, 80, 11)
    assert data["reasons"] == {
        "the document has no text in the fields that this labeler reads": 1,
        "the model's answer is not a number": 10,
    }
    text = (found.folder / "README.md").read_text()
    assert "91 graded pairs were given, 11 of them without a score; 80 pairs of" in text
    # what was left out is left out by the labeler too, and is no grade 0
    judged = dict(load_labeler(str(found.folder)).label([examples[8].pair, empty.pair]))
    assert [judged[i].outcome for i in (0, 1)] == [Outcome.FAILED, Outcome.REFUSED]


def test_a_model_that_gives_no_numbers(summing: Summing, complains: Complains) -> None:
    says = "80 of 80 pairs have no score (80: the model's answer is not a number)"
    with complains(LabelerError, says, code=2, where="summing", remedy="--field"):
        made(summing(dict.fromkeys(VALUES, math.nan)), graded(10))


def test_what_is_left_may_be_too_little(summing: Summing, complains: Complains) -> None:
    """Where no grade but 0 has a score, nothing can be fitted."""
    broken = {word: math.nan for word in VALUES if word != "word0"}
    examples = graded(10, more=["word5", "word6"])
    with complains(InputError, "all 40 pairs have the grade 0", code=2, remedy="irrelevant"):
        made(summing({**VALUES, **broken}), examples)


def test_a_graph_that_cannot_be_rounded(
    summing: Summing, complains: Complains, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantize = pytest.importorskip(
        "relevance_eval.exporters.quantize", reason="needs relevance-eval[train]"
    )

    def refuse(source: Path, target: Path) -> None:
        raise RuntimeError("no such operator\nin this version")

    monkeypatch.setitem(quantize.FORMS, "int8", refuse)
    reranker = open_reranker(str(summing(VALUES)), Reading())
    says = "its graph has no form int8: no such operator"
    with (
        complains(ExportError, says, code=5, where="summing", remedy="leave out --precision"),
        in_form(reranker, "int8", []),
    ):
        pass


def test_ranges_hang_on_the_pairs_and_not_on_their_order_or_a_few_more(summing: Summing) -> None:
    pytest.importorskip("relevance_eval.exporters.quantize", reason="needs relevance-eval[train]")
    reranker = open_reranker(str(summing(VALUES)), Reading())
    pairs = [e.pair for e in graded(12)]
    found = ranged(reranker, pairs)
    assert len(found) == 64
    assert ranged(reranker, pairs[::-1]) == found
    more = ranged(reranker, [*pairs, *(e.pair for e in graded(13)[-2:])])
    assert sum(item in found for item in more) >= 62


@pytest.mark.parametrize("model", ["cross_encoder", "embedder"])
def test_scores_are_computed_without_openvino(
    request: pytest.FixtureRequest, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def providers(available: Sequence[str], hint: str | None, workers: int) -> list[str]:
        asked.append(hint)
        return ["CPUExecutionProvider"]

    monkeypatch.setattr(f"{Session.__module__}.has_bfloat16", lambda: True)
    monkeypatch.setattr(f"{Session.__module__}.providers_for", providers)
    open_reranker(str(request.getfixturevalue(model).folder), Reading()).scorer()
    assert asked == [None]


def test_rounding_needs_the_extra(
    summing: Summing, complains: Complains, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "relevance_eval.exporters.quantize", None)
    reranker = open_reranker(str(summing(VALUES)), Reading())
    with (
        complains(DependencyError, "precision int8 needs", code=2, remedy="relevance-eval[train]"),
        in_form(reranker, "int8", []),
    ):
        pass


def test_a_calibration_may_be_made_anew_in_its_place(summing: Summing) -> None:
    folder, examples = summing(VALUES), graded(10)
    first = made(folder, examples)
    again = made(folder, examples[:72])
    assert again.folder == first.folder
    assert again.fingerprint != first.fingerprint
    assert (first.reused, again.reused) == (0, 72)
    assert [p.name for p in folder.parent.iterdir() if "mine" in p.name] == ["mine"]


def test_a_pair_that_several_graded_counts_once() -> None:
    (one, *_) = graded(1)

    def by(labeler: str, grade: int) -> Example:
        return replace(one, judgment=Judgment.certain(labeler, grade))

    teachers = [by("gpt", 0), by("llama", 2)]
    (shared,) = one_voice(teachers)
    assert shared.judgment
    assert (shared.judgment.grade, shared.judgment.labeler) == (1, "gpt and llama")
    (people,) = one_voice([*teachers, by("person:ann", 3)])
    assert people.judgment
    assert (people.judgment.grade, people.judgment.labeler) == (3, "person:ann")
    assert one_voice([replace(one, judgment=None)]) == []
