"""The file between mine, teach and train."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import SEED, Example, read_examples, write_examples
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

Complains = Callable[..., Any]
PAIR = Pair(Query("q1", "vpn ünder Linux", {"kind": "topic"}), Document("d1", {"body": "use it"}))
ROW = {"query_id": "q", "query": "vpn", "document_id": "d", "document": {"body": "text"}}


@pytest.mark.parametrize(
    "example",
    [
        Example(PAIR, SEED, seed="d1"),
        Example(PAIR, "bm25 11-50", seed="d0", rank=17, score=3.25),
        Example(PAIR, "random", judgment=Judgment("teacher", (0.1, 0.2, 0.3, 0.4))),
        Example(PAIR, "people", judgment=Judgment.certain("person:ann", 3)),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, example: Example) -> None:
    write_examples(tmp_path / "pairs.jsonl", [example])
    assert read_examples(tmp_path / "pairs.jsonl") == [example]


def test_a_failure_is_no_grade(tmp_path: Path) -> None:
    failed = Example(PAIR, SEED, judgment=Judgment.failed("teacher", "half an answer"))
    write_examples(tmp_path / "pairs.jsonl", [failed])
    assert [e.judgment for e in read_examples(tmp_path / "pairs.jsonl")] == [None]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"query": None}, "the field 'query' is missing"),
        ({"document": "text"}, "the field 'document' is no object"),
        ({"tags": 3}, "the field 'tags' is no object"),
        ({"probabilities": [0.5, 0.5]}, "'probabilities' needs 4 numbers of 0 to 1"),
        ({"probabilities": [1.5, -0.5, 0, 0]}, "'probabilities' needs 4 numbers of 0 to 1"),
        ({"probabilities": [True, 0, 0, 0]}, "'probabilities' needs 4 numbers of 0 to 1"),
        ({"probabilities": "3"}, "'probabilities' needs 4 numbers of 0 to 1"),
        ({"probabilities": [0.5, 0.5, 0.5, 0]}, "the probabilities sum to 1.5, not to 1"),
    ],
)
def test_a_broken_row_is_named_by_its_line(
    tmp_path: Path, complains: Complains, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | change) + "\n")
    with complains(InputError, says, code=2, where=f"{path}:2"):
        read_examples(path)
