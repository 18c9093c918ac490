"""What was made of what: the record by which a long chain of steps skips those that are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import storage_error

__all__ = ["Ledger", "content_of", "key_of"]

CHUNK = 1 << 20


@dataclass(frozen=True)
class Ledger:
    """A JSON file of step name to the key it was run under, the content of its output, its result.

    A step is done if it was run under the same key (settings and inputs) and its output is what it
    was then. A file that cannot be read counts as empty: steps are then run again, and each of them
    resumes by itself.
    """

    path: Path

    def result(self, step: str, key: str, output: Path) -> Mapping[str, Any] | None:
        """What the step came to if it is done, else None."""
        found = self.read().get(step, {})
        if found.get("key") != key or not output.exists():
            return None
        if found.get("output") != content_of(output):
            return None
        return cast(Mapping[str, Any], found["result"])

    def record(self, step: str, key: str, output: Path, result: Mapping[str, Any]) -> None:
        """Raises StorageError if the file cannot be written."""
        entry = {"key": key, "output": content_of(output), "result": dict(result)}
        text = json.dumps(self.read() | {step: entry}, indent=2, ensure_ascii=False)
        fresh = self.path.with_suffix(".new")
        try:
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(self.path)
        except OSError as error:
            raise storage_error(error, self.path) from error

    def read(self) -> dict[str, Any]:
        try:
            found: object = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def key_of(settings: Mapping[str, Any], inputs: Sequence[Path]) -> str:
    """SHA-256 of a step's settings and of the content of its inputs."""
    text = json.dumps(settings, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode())
    for path in inputs:
        digest.update(f"\n{content_of(path)}".encode())
    return digest.hexdigest()


def content_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files and their names; of nothing if there is neither.

    Raises StorageError if a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                digest.update(f"{file.relative_to(path)}\n".encode())
                with file.open("rb") as content:
                    while chunk := content.read(CHUNK):
                        digest.update(chunk)
    except OSError as error:
        raise storage_error(error, path) from error
    return digest.hexdigest()
