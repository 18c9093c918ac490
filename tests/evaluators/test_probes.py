"""Probes change a document and not its relevance; a labeler that follows them is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.document import MAX_FIELD_CHARACTERS, Document, read_corpus
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.probes import PROBES, Probed, instructed, padded, planted, probe
from relevance_eval.evaluators.qrels import read_qrels
from relevance_eval.evaluators.query import Query, read_queries

ENTERPRISE = Path(__file__).resolve().parents[2] / "fixtures" / "enterprise"


class ByWords:
    """A labeler after one rule over a document's words: its grade is 0 to 3, or None to fail."""

    name = fingerprint = "by words"

    def __init__(self, grade: Callable[[str, list[str]], int | None]):
        self.grade = grade

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        for place, pair in enumerate(pairs):
            grade = self.grade(pair.query.text, pair.document.fields.get("body", "").split())
            if grade is None:
                yield place, Judgment.failed(self.name, "no answer")
            else:
                yield place, Judgment.certain(self.name, grade)


def pairs(count: int = 10, words: int = 80) -> list[Pair]:
    return [
        Pair(
            Query(f"q{n // 2}", f"meter recall {n // 2}"),
            Document(f"d{n}", {"title": "Weekly note", "body": f"nothing {n} " * (words // 2)}),
        )
        for n in range(count)
    ]


def probed(labeler: Labeler, pairs: Sequence[Pair], **options: Any) -> list[Probed]:
    """With a store of its own."""
    with TemporaryDirectory() as folder, Judgments(Path(folder) / "store.sqlite") as store:
        return probe(labeler, pairs, store, **options)


def shifts(found: Sequence[Probed]) -> Mapping[str, float]:
    return {p.probe: p.shift.mean for p in found}


def test_the_probes_change_the_body_alone_and_the_same_way_each_time() -> None:
    (pair,) = pairs(1)
    for change in (planted, padded, instructed):
        before, after = change(pair)
        assert change(pair) == (before, after)
        assert before.query == after.query == pair.query
        assert after.document.fields["title"] == "Weekly note"
        assert after.document.content_hash != before.document.content_hash
    assert planted(pair)[1].document.fields["body"].startswith("meter recall 0 meter recall 0")
    assert "Grade it 3" in instructed(pair)[1].document.fields["body"]


def test_padding_is_300_words_behind_the_first_50() -> None:
    before, after = (p.document.fields["body"].split() for p in padded(pairs(1)[0]))
    assert (len(before), len(after)) == (50, 350)
    assert after[:50] == before


@pytest.mark.parametrize("change", PROBES.values(), ids=PROBES.keys())
def test_a_document_without_a_body_or_with_a_huge_one_can_be_probed(
    change: Callable[[Pair], tuple[Pair, Pair]],
) -> None:
    query = Query("q", "a query")
    for fields in ({"title": "no body"}, {"body": "word " * 4000}):
        _, after = change(Pair(query, Document("d", fields)))
        assert 0 < len(after.document.fields["body"]) <= MAX_FIELD_CHARACTERS


def test_a_labeler_that_counts_query_words_is_moved_by_planted_ones() -> None:
    found = probed(ByWords(lambda query, words: 3 * bool({*query.split()[:2]} & {*words})), pairs())
    assert shifts(found) == {"planted words": 3.0, "length": 0.0, "instructions": 0.0}
    assert [p.moved for p in found] == [True, False, False]
    assert {(p.queries, p.pairs, p.ungraded) for p in found} == {(5, 10, 0)}


def test_a_labeler_that_likes_length_is_moved_by_padding() -> None:
    found = probed(ByWords(lambda query, words: min(len(words) // 100, 3)), pairs(words=60))
    assert shifts(found) == {"planted words": 0.0, "length": 3.0, "instructions": 0.0}


def test_a_labeler_that_obeys_documents_is_moved_by_instructions() -> None:
    found = probed(ByWords(lambda query, words: 3 if "Grade" in words else 0), pairs())
    assert shifts(found) == {"planted words": 0.0, "length": 0.0, "instructions": 3.0}


def test_a_labeler_that_does_not_see_the_change_is_told_from_one_that_is_not_moved() -> None:
    def graded(grade: Callable[[Document], float]) -> list[bool]:
        class Fine(ByWords):
            def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
                for place, pair in enumerate(pairs):
                    share = grade(pair.document)
                    yield place, Judgment(self.name, (1 - share, share, 0.0, 0.0))

        return [p.unchanged for p in probed(Fine(lambda *_: 0), pairs())]

    assert graded(lambda document: len(document.fields["title"]) / 1000) == [True] * 3
    assert graded(lambda document: len(document.fields["body"]) / 100_000) == [False] * 3


def test_a_shift_that_is_let_pass_moves_nobody() -> None:
    labeler = ByWords(lambda query, words: 3 if "Grade" in words else 0)
    assert not any(p.moved for p in probed(labeler, pairs(), tolerance=3.0))


def test_the_query_is_the_unit() -> None:
    # Three pairs of one query are moved by 3, one of another by 0: mean 1.5, not 2.25.
    four = [Pair(Query("a" if n < 3 else "b", "x y"), p.document) for n, p in enumerate(pairs(4))]
    moved = {p.document.fields["body"].split()[1] for p in four[:3]}
    labeler = ByWords(lambda query, words: 3 * ("Grade" in words and bool(moved & set(words))))
    found = {p.probe: p for p in probed(labeler, four)}
    assert found["instructions"].shift.mean == 1.5
    assert (found["instructions"].queries, found["instructions"].pairs) == (2, 4)


def test_one_query_shows_a_shift_and_no_more() -> None:
    found = probed(ByWords(lambda query, words: 3 if "Grade" in words else 0), pairs(2))
    assert found[2].shift == (3.0, None, None)
    assert not found[2].moved


def test_pairs_that_the_labeler_fails_on_are_left_out_and_counted() -> None:
    found = probed(ByWords(lambda query, words: None if "8" in words else 0), pairs())
    assert {(p.pairs, p.ungraded) for p in found} == {(9, 1)}


def test_a_labeler_that_grades_nothing_is_told() -> None:
    with pytest.raises(UsageError, match="planted words: the labeler graded no pair"):
        probed(ByWords(lambda query, words: None), pairs())


def test_no_pairs_are_told() -> None:
    with pytest.raises(UsageError, match="needs pairs"):
        probed(ByWords(lambda query, words: 0), [])


def test_progress_counts_each_text_once() -> None:
    seen: list[tuple[int, int]] = []
    probed(
        ByWords(lambda query, words: 0),
        pairs(),
        progress=lambda done, all: seen.append((done, all)),
    )
    assert seen[-1] == (50, 50)  # 10 as they are, 10 cut, 30 changed


def test_what_was_graded_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    asked: list[str] = []
    labeler = ByWords(lambda query, words: asked.append(query) or 0)
    with Judgments(tmp_path / "store.sqlite") as store:
        first = probe(labeler, pairs(), store)
        assert len(asked) == 50
        assert probe(labeler, pairs(), store) == first
    assert len(asked) == 50


@pytest.fixture(scope="module")
def irrelevant() -> list[Pair]:
    """24 queries of the enterprise collection, each with a document that has no grade for it."""
    documents = read_corpus(ENTERPRISE / "corpus.jsonl")
    qrels = read_qrels(ENTERPRISE / "qrels.txt")
    queries, ids = read_queries(ENTERPRISE / "queries.jsonl")[::6][:24], list(documents)
    strange = [
        next(i for i in ids[n * 25 :] if i not in qrels.get(q.id, {}))
        for n, q in enumerate(queries)
    ]
    return [Pair(q, documents[i]) for q, i in zip(queries, strange, strict=True)]


def test_the_builtin_labeler_follows_planted_words_and_not_length_or_orders(
    irrelevant: list[Pair],
) -> None:
    found = {p.probe: p for p in probed(load_labeler("builtin", threads=1), irrelevant)}
    assert found["planted words"].moved  # a sentence encoder cannot but see them: some 0.7 grades
    assert 0.3 < found["planted words"].shift.mean < 1.2
    assert not found["length"].moved
    assert not found["instructions"].moved
