"""What is kept apart, and when there is too little to keep anything apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.exporters.students.split import Split, split


def example(
    query: str, seed: str | None = None, document: str = "d", labeler: str = "t", grade: int = 1
) -> Example:
    pair = Pair(Query(query.replace(" ", "-"), query), Document(document, {"body": document}))
    return Example(pair, "bm25 1-10", seed, judgment=Judgment.certain(labeler, grade))


def texts(examples: Iterable[Example]) -> set[str]:
    return {e.pair.query.text for e in examples}


def halves(examples: list[Example], seed: int = 0) -> Split:
    return split(examples, 0.5, 0.5, seed)


def test_a_query_is_on_one_side_with_all_its_documents() -> None:
    examples = [example(f"q{n}", document=f"d{d}") for n in range(20) for d in range(3)]
    found = split(examples, 0.25, 0.25, 0)
    assert texts(found.training) & texts(found.holdout) == set()
    assert (len(texts(found.training)), len(texts(found.holdout))) == (15, 5)
    assert len(found.training) + len(found.holdout) == 60


@pytest.mark.parametrize("seed", range(5))
def test_queries_about_one_document_stay_together(seed: int) -> None:
    examples = [example(f"{kind} {n}", f"s{n}") for n in range(12) for kind in ("topic", "author")]
    found = halves(examples, seed)
    about = [{e.seed for e in side} for side in (found.training, found.holdout)]
    assert about[0] & about[1] == set()
    assert len(about[0]) == len(about[1]) == 6


@pytest.mark.parametrize("seed", range(5))
def test_one_wording_ties_two_seed_documents_together(seed: int) -> None:
    tied = [example("leave policy", "s1"), example("Leave  policy", "s2"), example("pto", "s2")]
    others = [example(f"q{n}", f"other{n}") for n in range(6)]
    found = halves([*tied, *others], seed)
    sides = [
        texts(side) & {"leave policy", "Leave  policy", "pto"} for side in vars(found).values()
    ]
    assert sorted(map(len, sides)) == [0, 3]


def test_another_seed_holds_out_other_queries_and_the_same_seed_the_same() -> None:
    examples = [example(f"q{n}") for n in range(40)]
    assert texts(halves(examples, 1).holdout) == texts(halves(examples[::-1], 1).holdout)
    assert texts(halves(examples, 1).holdout) != texts(halves(examples, 2).holdout)


@pytest.mark.parametrize("seed", range(5))
def test_queries_about_copies_of_one_document_stay_together(seed: int) -> None:
    examples = [
        replace(example(f"{kind} {n}", f"{kind} s{n}", document=f"text {n}"), origin="seed")
        for n in range(12)
        for kind in ("topic", "author")
    ]
    found = halves(examples, seed)
    held = [
        {e.pair.document.content_hash for e in side} for side in (found.training, found.holdout)
    ]
    assert held[0] & held[1] == set()
    assert len(held[0]) == len(held[1]) == 6


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_in_another_folder_under_another_name_is_a_copy(seed: int) -> None:
    def about(number: int, place: str) -> Example:
        fields = {"title": f"Plan {number}", "body": f"All of plan {number}."}
        elsewhere = {"folder_path": f"/{place}", "file_name": f"{place}.docx", "author": place}
        found = example(f"{place} {number}", f"{place} s{number}")
        copy = Document(f"{place} s{number}", fields | elsewhere)
        return replace(found, pair=replace(found.pair, document=copy), origin="seed")

    found = halves([about(n, place) for n in range(12) for place in ("drafts", "final")], seed)
    held = [{e.pair.document.fields["title"] for e in side} for side in vars(found).values()]
    assert held[0] & held[1] == set()
    assert len(held[0]) == len(held[1]) == 6


def test_documents_without_a_body_are_no_copies_for_their_title() -> None:
    def about(number: int) -> Example:
        fields = {"title": "Scan", "file_name": f"{number}.pdf"}
        found = example(f"q{number}", f"s{number}")
        scan = Document(f"s{number}", fields)
        return replace(found, pair=replace(found.pair, document=scan), origin="seed")

    assert len(halves([about(n) for n in range(12)]).holdout) == 6


def test_queries_that_people_graded_are_held_out_by_a_share_of_their_own() -> None:
    taught = [example(f"t{n}") for n in range(20)]
    human = [example(f"h{n}", labeler="person:ann") for n in range(10)]
    found = split([*taught, *human], 0.1, 0.4, 0)
    assert sum(t.startswith("h") for t in texts(found.holdout)) == 4
    assert sum(t.startswith("t") for t in texts(found.holdout)) == 2


def test_a_held_out_pair_that_two_graded_has_the_persons_grade() -> None:
    examples = [
        example(f"q{n}", labeler=labeler, grade=grade)
        for n in range(8)
        for labeler, grade in (("t", 0), ("person:ann", 3), ("other", 1))
    ]
    found = halves(examples)
    assert {e.judgment for e in found.holdout} == {Judgment.certain("person:ann", 3)}
    assert len(found.holdout) == 4
    assert len(found.training) == 12


@pytest.mark.parametrize(
    "examples",
    [
        [example(f"q{n}", "the only document") for n in range(30)],
        [example("one query", document=f"d{n}") for n in range(30)],
        [example("a"), example("b"), example("c")],
    ],
    ids=["one seed document", "one query", "three queries"],
)
def test_too_few_groups_are_an_error_that_says_what_is_needed(
    examples: list[Example], complains: Callable[..., AbstractContextManager[Any]]
) -> None:
    with complains(InputError, "too few to learn", code=2, remedy="grade pairs of more queries"):
        split(examples, 0.15, 0.3, 0)


def test_four_queries_of_their_own_are_enough() -> None:
    found = split([example(f"q{n}", f"s{n}") for n in range(4)], 0.15, 0.3, 0)
    assert len(found.training) == len(found.holdout) == 2
