"""Folders of students and labelers: what may be replaced, and how it is, whole or not at all."""

from __future__ import annotations

import glob
import json
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import UsageError, storage_error

__all__ = ["ELSEWHERE", "check_replaceable", "replaced"]

DONE = {
    "export.json": "labeler that was exported",
    "calibration.json": "labeler that was calibrated",
    "training.json": "student that was trained",
}
ELSEWHERE = "name another folder with --out"
OLD = "old"
SUFFIX = "?" * 8
"""What `mkdtemp` ends a name with: `.labeler-2-abcdefgh` is of `labeler-2`, not of `labeler`."""
LOCK = "relevance-eval.lock"
"""A file that its process holds locked, so that what a killed one left can be told from work."""


def check_replaceable(out: Path, record: str, *marks: str) -> None:
    """Raises UsageError if there is something else than what the same verb wrote before.

    Args:
        record: name of the file by which its folders are known.
        marks: paths in it of files that only ours have, by which one is known that is not finished.
    """
    known = is_ours(out / record) or any((out / mark).is_file() for mark in marks)
    if out.exists() and not known and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(
            f"this is no {DONE[record]} before, and it is kept as it is",
            where=str(out),
            remedy=ELSEWHERE,
        )


def is_ours(record: Path) -> bool:
    """By its schema: others have files of these names too."""
    try:
        found: Any = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    schema = cast(dict[str, Any], found).get("schema") if isinstance(found, dict) else None
    return str(schema).startswith(f"relevance-eval/{record.stem}/")


@contextmanager
def replaced(out: Path) -> Generator[tuple[Path, Path]]:
    """Gives a folder to fill, which takes the place of `out` if all went well, and one to work in.

    Both lie beside `out`, and are gone afterwards; what `out` held is there until the end. Raises
    StorageError.
    """
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sweep(out)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise storage_error(error, out) from error
    new, work = beside / "new", beside / "work"
    try:
        with (beside / LOCK).open("w") as lock:
            held(lock.fileno())
            new.mkdir()
            work.mkdir()
            yield new, work
            if out.exists():
                out.rename(beside / OLD)
            new.rename(out)
    except OSError as error:
        raise storage_error(error, out) from error
    finally:
        discard(beside, out)


def discard(beside: Path, out: Path) -> None:
    """Removes it, but puts back what `out` was where nothing has taken its place."""
    old = beside / OLD
    with suppress(OSError):
        if old.exists() and not out.exists():
            old.rename(out)
    shutil.rmtree(beside, ignore_errors=True)


def sweep(out: Path) -> None:
    """Removes what killed processes left beside `out`."""
    for file in out.parent.glob(f".{glob.escape(out.name)}-{SUFFIX}/{LOCK}"):
        with suppress(OSError), file.open("a") as lock:
            if held(lock.fileno()):
                discard(file.parent, out)


def held(descriptor: int) -> bool:
    """Locks a file for as long as it is open; False where another process holds it, or where there
    are no such locks."""
    try:
        import fcntl
    except ImportError:  # Windows: nothing is swept there
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
