"""JSON Lines: whole rows in, one clear complaint about a broken one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.errors import InputError, StorageError
from relevance_eval.evaluators.jsonl import read_rows, text_of, write_rows

MEND = "mend or remove this line"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_rows_come_back_as_they_were_written(path: Path) -> None:
    rows = [{"id": "1", "text": "Zürich – ☃\u2028\n\"'"}, {"id": 2, "tags": [1, None, {"a": 0.5}]}]
    write_rows(path, rows)
    assert [row for _, row in read_rows(path)] == rows


def test_half_a_character_comes_back_as_it_was(path: Path) -> None:
    write_rows(path, [{"id": "1", "body": "a\ud83d b"}])
    assert path.read_bytes() == b'{"id": "1", "body": "a\\ud83d b"}\n'
    assert [row["body"] for _, row in read_rows(path)] == ["a\ud83d b"]


def test_a_row_says_which_line_it_is_from_and_blank_lines_count(path: Path) -> None:
    path.write_text('{"a": 1}\n\n  \n{"a": 2}\n')
    assert [place for place, _ in read_rows(path)] == [f"{path}:1", f"{path}:4"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_row(path: Path) -> None:
    path.write_bytes('\ufeff{"id": "ä"}\r\n{"id": "b"}'.encode())
    assert [row["id"] for _, row in read_rows(path)] == ["ä", "b"]


@pytest.mark.parametrize(
    ("line", "says", "remedy"),
    [
        (
            b'{"id": "2", "te',
            "not JSON: Unterminated string starting at column 13",
            "mend or remove this line",
        ),
        (b'{"id": "2"} {}', "not JSON: Extra data at column 13", MEND),
        (b"[1, 2]", "a JSON object is needed, not list", ""),
        (b'{"id": "\xfc"}', "not UTF-8 at byte 8", "save it as UTF-8"),
        (b"[" * 100_000, "not JSON that can be read", ""),
        (b'{"id": ' + b"1" * 5000 + b"}", "not JSON that can be read", ""),
    ],
    ids=["cut off", "two objects", "a list", "latin-1", "nested too deep", "endless number"],
)
def test_a_broken_line_in_the_middle_is_named(
    path: Path, explained: Callable[..., None], line: bytes, says: str, remedy: str
) -> None:
    path.write_bytes(b'{"id": "1"}\n' + line + b'\n{"id": "3"}\n')
    rows = read_rows(path)
    assert next(rows)[1] == {"id": "1"}
    with pytest.raises(InputError) as caught:
        next(rows)
    explained(caught.value, code=2, where=f"{path}:2", says=says, remedy=remedy)


def test_a_missing_file_is_wrong_input(path: Path, explained: Callable[..., None]) -> None:
    with pytest.raises(InputError) as caught:
        list(read_rows(path))
    explained(caught.value, code=2, where=str(path), says="there is no such file")


def test_a_folder_cannot_be_read(tmp_path: Path, explained: Callable[..., None]) -> None:
    with pytest.raises(StorageError) as caught:
        list(read_rows(tmp_path))
    explained(caught.value, code=5, where=str(tmp_path), says="directory", remedy="another folder")


@pytest.mark.parametrize(
    ("place", "says"), [("/dev/full", "No space left"), ("nowhere/rows.jsonl", "No such file")]
)
def test_a_full_disk_or_a_missing_folder_is_told(
    place: str, says: str, tmp_path: Path, explained: Callable[..., None]
) -> None:
    path = tmp_path / place  # an absolute place stays as it is
    if place.startswith("/") and not path.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError) as caught:
        write_rows(path, [{"id": "1"}])
    explained(caught.value, code=5, where=str(path), says=says, remedy="free some space")


@pytest.mark.parametrize(("value", "text"), [("a b", "a b"), (7, "7"), ("", "")])
def test_text_is_a_string_or_a_whole_number(value: object, text: str) -> None:
    assert text_of({"id": value}, "id", "f:1") == text


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({}, "the field 'id' is missing"),
        ({"id": None}, "the field 'id' is missing"),
        ({"id": True}, "the field 'id' is bool, not text"),
        ({"id": 1.5}, "the field 'id' is float, not text"),
        ({"id": ["a"]}, "the field 'id' is list, not text"),
    ],
)
def test_what_is_no_text_is_told_with_its_field(
    row: dict[str, object], says: str, explained: Callable[..., None]
) -> None:
    with pytest.raises(InputError) as caught:
        text_of(row, "id", "f:1")
    explained(caught.value, code=2, where="f:1", says=says)


def test_text_with_half_a_character_is_refused(explained: Callable[..., None]) -> None:
    with pytest.raises(InputError) as caught:
        text_of({"text": "a\ud83d"}, "text", "f:1")
    explained(
        caught.value, code=2, where="f:1", says="'text' holds half a", remedy="write it whole"
    )
