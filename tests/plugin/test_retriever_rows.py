"""Rows for training retrievers, out of examples."""

from __future__ import annotations

from typing import Any

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.retriever_rows import RowFormat, passage, retriever_rows


def example(query: str, document: str, origin: str) -> Example:
    return Example(
        Pair(Query(query, query.upper()), Document(document, {"body": document})), origin
    )


EXAMPLES = [
    example("q1", "a", "seed"),
    example("q1", "b", "qrels"),
    example("q1", "c", "bm25 1-10"),
    example("q1", "d", "random"),
    example("q2", "e", "seed"),
    example("q2", "f", "bm25 1-10"),
]


@pytest.mark.parametrize(
    ("form", "rows", "short"),
    [
        (
            "pairs",
            [
                {"anchor": "Q1", "passage": "a", "label": 1},
                {"anchor": "Q1", "passage": "b", "label": 1},
                {"anchor": "Q1", "passage": "c", "label": 0},
                {"anchor": "Q1", "passage": "d", "label": 0},
                {"anchor": "Q2", "passage": "e", "label": 1},
                {"anchor": "Q2", "passage": "f", "label": 0},
            ],
            0,
        ),
        (
            "triples",
            [
                {"anchor": "Q1", "positive": "a", "negative": "c"},
                {"anchor": "Q1", "positive": "a", "negative": "d"},
                {"anchor": "Q1", "positive": "b", "negative": "c"},
                {"anchor": "Q1", "positive": "b", "negative": "d"},
                {"anchor": "Q2", "positive": "e", "negative": "f"},
            ],
            0,
        ),
        (
            "tuples",
            [
                {"anchor": "Q1", "positive": "a", "negative_1": "c", "negative_2": "d"},
                {"anchor": "Q1", "positive": "b", "negative_1": "c", "negative_2": "d"},
            ],
            1,
        ),
    ],
)
def test_each_form_has_its_columns_and_its_order(
    form: RowFormat, rows: list[dict[str, Any]], short: int
) -> None:
    made = retriever_rows(EXAMPLES, form, 2)
    assert (made.rows, made.short) == (rows, short)
    assert [list(row) for row in made.rows] == [list(row) for row in rows]


def test_a_row_of_tuples_has_the_negatives_that_were_asked_for_and_no_more() -> None:
    made = retriever_rows(EXAMPLES, "tuples", 1)
    assert [row["negative_1"] for row in made.rows] == ["c", "c", "f"]
    assert {len(row) for row in made.rows} == {3}


def test_a_passage_begins_with_the_title_whatever_the_order_of_the_fields() -> None:
    fields = {"body": "Twenty weeks.\nShared.", "folder_path": "/hr", "title": "Leave"}
    assert passage(Document("d", fields)) == "Leave\n/hr\nTwenty weeks.\nShared."
