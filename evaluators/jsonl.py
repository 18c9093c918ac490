"""JSON Lines, read so that a broken line is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import InputError, storage_error
from relevance_eval.evaluators.whole_file import whole_file

__all__ = ["read_rows", "text_of", "write_rows"]

HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (place, row) for each line that is not blank; the place reads `corpus.jsonl:17`.

    Raises:
        InputError: the file is missing, is not UTF-8, or a line is not one JSON object.
        StorageError: the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    place = f"{path}:{number}"
                    yield place, parse_row(line, place)
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error


def parse_row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig").rstrip())
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 at byte {error.start} of the line", where=place, remedy="save it as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}",
            where=place,
            remedy="each line holds one JSON object; mend or remove this line",
        ) from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond Python's limits
        raise InputError(f"not JSON that can be read: {error}", where=place) from None
    if not isinstance(row, dict):
        raise InputError(f"a JSON object is needed, not {type(row).__name__}", where=place)
    return cast(dict[str, Any], row)


def text_of(row: Mapping[str, Any], key: str, place: str) -> str:
    """The string, or number as a string, that `row` must have under `key`."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        found = "is missing" if value is None else f"is {type(value).__name__}, not text"
        raise InputError(f"the field {key!r} {found}", where=place)
    text = str(value)
    if not text.isascii() and HALF_CHARACTER.search(text):
        raise InputError(
            f"the field {key!r} holds half a character (a lone surrogate)",
            where=place,
            remedy="write it whole, or remove the escape \\ud800 to \\udfff",
        )
    return text


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """All of the file or nothing of it: what was there stays until the new one is whole, if it is
    a plain file.

    Raises StorageError if the disk is full or the folder cannot be written.
    """
    # Half a character becomes the escape that JSON has for it.
    with whole_file(path, errors="backslashreplace") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
