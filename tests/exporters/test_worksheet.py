"""Answers on the disk: none is lost, and none is paid for twice."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import InputError, StorageError
from relevance_eval.exporters.queries.worksheet import Answer, Worksheet

KEPT = Answer("k1", "d1", "model", "run1", ("vpn", "half \ud800 and “quotes”\n"))
FAILED = Answer("k2", "d2", "model", "run1", problem="the answer is empty")
REFUSED = Answer("k3", "d3", "model", "run2", problem="refused: no", refused=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A worksheet of three answers, in a folder that was not there."""
    path = tmp_path / "new" / "synthesis.jsonl"
    sheet = Worksheet(path)
    for answer in (KEPT, FAILED, REFUSED):
        sheet.add(answer)
    return path


def test_what_was_answered_is_there_the_next_time(path: Path) -> None:
    sheet = Worksheet(path)
    assert list(sheet.answers.values()) == [KEPT, FAILED, REFUSED]
    assert sheet.runs == {"run1", "run2"}
    assert sheet.settled("k1") == KEPT
    assert sheet.settled("k3") == REFUSED


def test_an_answer_of_no_use_is_wanted_again_and_the_last_one_counts(path: Path) -> None:
    sheet = Worksheet(path)
    assert sheet.settled("k2") is None
    better = Answer("k2", "d2", "model", "run2", ("leave",))
    sheet.add(better)
    assert Worksheet(path).settled("k2") == better


def test_a_line_that_was_cut_off_is_taken_away(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert len(Worksheet(path).answers) == 3
    assert path.read_bytes() == whole


def test_an_answer_behind_one_that_the_disk_had_no_room_for_is_whole(path: Path) -> None:
    sheet, before = Worksheet(path), path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 20, limits[1]))
    try:
        with pytest.raises(StorageError):
            sheet.add(Answer("k4", "d4", "model", "run2", ("lost",)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == before
    sheet.add(Answer("k5", "d5", "model", "run2", ("kept",)))
    assert list(Worksheet(path).answers) == ["k1", "k2", "k3", "k5"]


def test_looking_leaves_no_file(tmp_path: Path) -> None:
    assert Worksheet(tmp_path / "none" / "synthesis.jsonl").answers == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "says", "remedy"),
    [
        ("nonsense", "not JSON", "mend or remove this line"),
        ('{"key": "k", "texts": "vpn"}', "'texts' is no list of texts", "remove this line"),
        ('{"texts": []}', "'key' is missing", ""),
    ],
)
def test_a_broken_line_in_between_is_named(
    path: Path, complains: Callable[..., Any], line: str, says: str, remedy: str
) -> None:
    path.write_text(f"{line}\n{path.read_text()}")
    with complains(InputError, says, code=2, where=f"{path}:1", remedy=remedy):
        Worksheet(path)


def test_a_folder_in_the_files_place(tmp_path: Path, complains: Callable[..., Any]) -> None:
    path = tmp_path / "synthesis.jsonl"
    path.mkdir()
    with complains(StorageError, "", code=5, where=str(path), remedy="free some space"):
        Worksheet(path)
