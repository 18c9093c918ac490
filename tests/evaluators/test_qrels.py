"""TREC qrels in and out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.errors import InputError, StorageError
from relevance_eval.evaluators.qrels import read_qrels, write_qrels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "qrels.txt"


def test_grades_come_back_by_query_and_document(path: Path) -> None:
    qrels = {"q1": {"a": 3, "My Doc%20.pdf": 0}, "q2": {"a": 1}}
    write_qrels(path, qrels)
    assert read_qrels(path) == qrels


def test_grades_stay_until_the_new_ones_are_whole(path: Path) -> None:
    write_qrels(path, {"q1": {"a": 3}})
    with pytest.raises(UnicodeEncodeError):
        write_qrels(path, {"q1": {"a": 1, "\ud800": 2}})
    assert read_qrels(path) == {"q1": {"a": 3}}


def test_a_line_of_the_file_is_trecs(path: Path) -> None:
    write_qrels(path, {"q1": {"a b": 3}})
    assert path.read_text() == "q1 0 quoted:a%20b 3\n"


def test_junk_counts_as_irrelevant_and_a_grade_may_be_repeated(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfq1 0 a -2\r\nq1 0 a 0\r\nq1\t0\tb\t2\r\n")
    assert read_qrels(path) == {"q1": {"a": 0, "b": 2}}


def test_another_scale_can_be_allowed(path: Path) -> None:
    path.write_text("q1 0 a 4\n")
    assert read_qrels(path, highest=4) == {"q1": {"a": 4}}


@pytest.mark.parametrize(
    ("line", "says", "remedy"),
    [
        ("q1 0 b", "3 columns where 4 are needed", "query 0 document grade"),
        ("q1 0 b 1.5", "the grade '1.5' is not a whole number", ""),
        ("q1 0 b 4", "the grade 4 is outside the scale 0 to 3", "map the file"),
        ("q1 0 a 2", "'a' has two grades for query 'q1', 3 and 2", "keep one"),
    ],
)
def test_a_line_that_is_no_judgment_is_named(
    path: Path, explained: Callable[..., None], line: str, says: str, remedy: str
) -> None:
    path.write_text(f"q1 0 a 3\n{line}\nq2 0 a 0\n")
    with pytest.raises(InputError) as caught:
        read_qrels(path)
    explained(caught.value, code=2, where=f"{path}:2", says=says, remedy=remedy)


def test_a_missing_file_is_wrong_input(path: Path, explained: Callable[..., None]) -> None:
    with pytest.raises(InputError) as caught:
        read_qrels(path)
    explained(caught.value, code=2, where=str(path), says="there is no such file")


def test_qrels_that_cannot_be_written_say_where(
    tmp_path: Path, explained: Callable[..., None]
) -> None:
    with pytest.raises(StorageError) as caught:
        write_qrels(tmp_path, {"q": {"a": 1}})
    explained(caught.value, code=5, where=str(tmp_path), says="directory", remedy="another folder")
