"""The order of batches, and what is left out of documents."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.exporters.students.lessons import Lessons

FIELDS = {"title": "t", "author": "a", "file_name": "f", "folder_path": "p", "body": "b"}
Make = Callable[..., list[Example]]


def test_each_example_is_read_once_in_an_epoch(overlapping: Make) -> None:
    lessons = Lessons(overlapping(7, 5), batch=8, field_dropout=0, seed=0)
    batches = list(lessons.batches(0))
    assert sorted(p for batch in batches for p in batch) == list(range(35))
    assert len(batches) == lessons.steps == 5
    assert [len(b) for b in batches] == [8, 8, 8, 8, 3]


def test_documents_of_a_query_are_side_by_side(overlapping: Make) -> None:
    lessons = Lessons(overlapping(20, 8), batch=32, field_dropout=0, seed=0)
    for batch in lessons.batches(3):
        assert len({lessons.queries[p] for p in batch}) == 4


def test_an_epoch_has_an_order_of_its_own_that_its_number_and_the_seed_decide(
    overlapping: Make,
) -> None:
    examples = overlapping(10, 4)
    orders = [
        list(Lessons(examples, batch=8, field_dropout=0, seed=seed).batches(epoch))
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2] != orders[3] != orders[0]


def lessons_of(fields: dict[str, str], chance: float, count: int = 400) -> Lessons:
    pair = Pair(Query("q", "query"), Document("d", fields))
    return Lessons([Example(pair, "seed")] * count, batch=8, field_dropout=chance, seed=0)


def test_metadata_is_dropped_as_often_as_said_and_the_text_never() -> None:
    lessons = lessons_of(FIELDS, 0.3)
    kept = [lessons.pair(p, epoch=0).document.fields for p in range(400)]
    assert all(fields["body"] == "b" for fields in kept)
    shares = {role: sum(role in fields for fields in kept) / 400 for role in FIELDS}
    for role in ("title", "author", "file_name", "folder_path"):
        assert shares[role] == pytest.approx(0.7, abs=0.08)


def test_a_document_of_metadata_alone_keeps_one_field_at_least() -> None:
    lessons = lessons_of({"title": "t", "author": "a"}, 0.9)
    kept = [set(lessons.pair(p, epoch=0).document.fields) for p in range(400)]
    assert all(kept)
    assert {frozenset(k) for k in kept} >= {frozenset({"title"}), frozenset({"author"})}


def test_the_same_epoch_drops_the_same_and_the_next_one_drops_anew() -> None:
    lessons, again = lessons_of(FIELDS, 0.5), lessons_of(FIELDS, 0.5)

    def seen(of: Lessons, epoch: int) -> list[Document]:
        return [of.pair(p, epoch).document for p in range(50)]

    assert seen(lessons, 0) == seen(again, 0) != seen(lessons, 1)


def test_without_dropout_documents_stay_as_they_are() -> None:
    lessons = lessons_of(FIELDS, 0.0)
    assert lessons.pair(0, 0) is lessons.examples[0].pair
