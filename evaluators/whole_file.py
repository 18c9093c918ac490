"""Files that are written whole or not at all."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from relevance_eval.errors import storage_error

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path, *, errors: str = "strict") -> Generator[TextIO]:
    """A text file to write, in UTF-8. What was there stays until the new one is whole, if it is a
    plain file.

    Args:
        errors: what becomes of half a character, as in `open`.

    Raises StorageError if the disk is full or the folder cannot be written.
    """
    # a pipe, or what a link points to, is written as it is
    whole = not path.exists() or (path.is_file() and not path.is_symlink())
    part = path.with_name(f"{path.name}.part") if whole else path
    try:
        with part.open("w", encoding="utf-8", errors=errors) as out:
            yield out
        part.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
