"""Where a command writes: what is there already is kept, and known before anything is bought."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from relevance_eval.errors import UsageError, storage_error

__all__ = ["check_parents", "keep_file", "keep_folder", "keep_inputs"]


def keep_file(path: Path, why: str, force: bool) -> None:
    """Raises UsageError for a file that is there already."""
    if path.is_file() and not force:  # a pipe holds nothing that could be lost
        raise UsageError(
            f"the file exists, and {why}",
            where=str(path),
            remedy="say --force, or name another with --out",
        )


def keep_folder(path: Path, force: bool) -> None:
    """Raises UsageError for a folder that holds something already."""
    try:
        holds = path.is_dir() and any(path.iterdir())
    except OSError as error:
        raise storage_error(error, path) from error
    if holds and not force:
        raise UsageError(
            "the folder is not empty, and files of the same names would be lost",
            where=str(path),
            remedy="say --force, or name another with --out",
        )


def keep_inputs(path: Path, inputs: Iterable[Path]) -> None:
    """Raises UsageError for a file that the command reads, whatever it is called."""
    if path.exists() and any(given.exists() and path.samefile(given) for given in inputs):
        raise UsageError(
            "this file is read, and would be written over",
            where=str(path),
            remedy="name another with --out",
        )


def check_parents(*files: Path | None) -> None:
    """Raises UsageError for a file in a folder that is not there: labels would be bought first."""
    for file in files:
        if file and not file.parent.is_dir():
            raise UsageError(
                "there is no such folder", where=str(file.parent), remedy="make it, or name another"
            )
