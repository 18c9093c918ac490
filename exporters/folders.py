"""Folders of finished labelers: filled beside their place, and put there whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from relevance_eval.errors import UsageError, storage_error

__all__ = ["check_replaceable", "replaced"]

DONE = {"export.json": "exported", "calibration.json": "calibrated"}


def check_replaceable(out: Path, record: str) -> None:
    """Raises UsageError if there is something else than a labeler that the same verb wrote before.

    Args:
        record: name of the file by which its labelers are known.
    """
    taken = out.exists() and not (out / record).is_file()
    if taken and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(
            f"this is no labeler that was {DONE[record]} before, and it is kept as it is",
            where=str(out),
            remedy="name another folder with --out",
        )


@contextmanager
def replaced(out: Path) -> Generator[tuple[Path, Path]]:
    """Gives a folder to fill, which takes the place of `out` if all went well, and one to work in.

    Both lie beside `out`, and are gone afterwards. Raises StorageError.
    """
    beside = out.with_name(f".{out.name}-{os.getpid()}")
    new, work, old = (beside / part for part in ("new", "work", "old"))
    try:
        new.mkdir(parents=True)
        work.mkdir()
        yield new, work
        if out.exists():
            out.rename(old)
        new.rename(out)
    except OSError as error:
        raise storage_error(error, out) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
