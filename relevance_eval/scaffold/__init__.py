"""The files that `relevance-eval init` writes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from relevance_eval.errors import UsageError, storage_error

__all__ = ["write_scaffold"]

FILES = ("relevance-eval.toml", "rankers/title.json", "rankers/body.json")


def write_scaffold(folder: Path) -> list[Path]:
    """Writes the files; returns their paths.

    Raises:
        UsageError: one of them exists; none is written then.
        StorageError: the folder cannot be written.
    """
    targets = {name: folder / name for name in FILES}
    for target in targets.values():
        if target.exists():
            raise UsageError(
                "the file exists", where=str(target), remedy="remove it, or name another folder"
            )
    source = resources.files(__name__)
    for name, target in targets.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((source / name).read_bytes())
        except OSError as error:
            raise storage_error(error, target) from error
    return list(targets.values())
