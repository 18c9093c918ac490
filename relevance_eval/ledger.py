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
    """A JSON file of step name to the key it was begun under and, at its end, output and result.

    A step is done if it ended under the same key (settings and inputs) and its output is still what
    it was then. A file that cannot be read counts as empty: steps are then begun again, and each of
    them resumes by itself.
    """

    path: Path

    def result(self, step: str, key: str, output: Path) -> Mapping[str, Any] | None:
        """What the step came to if it is done, else None."""
        found = self.read().get(step, {})
        if found.get("key") != key or "result" not in found or not output.exists():
            return None
        unchanged = found.get("output") == content_of(output)
        return cast(Mapping[str, Any], found["result"]) if unchanged else None

    def begun(self, step: str, key: str) -> bool:
        """Whether a step was begun under this key: what is half done may then be gone on with."""
        return self.read().get(step, {}).get("key") == key

    def begin(self, step: str, key: str) -> None:
        """Raises StorageError if the file cannot be written."""
        self.write(step, {"key": key})

    def end(self, step: str, key: str, output: Path, result: Mapping[str, Any]) -> None:
        """Raises StorageError if the file cannot be written."""
        entry = {"key": key, "output": content_of(output), "result": dict(result)}
        self.write(step, entry)

    def write(self, step: str, entry: Mapping[str, Any]) -> None:
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
        except (OSError, ValueError, RecursionError):
            return {}
        entries = cast(dict[str, Any], found) if isinstance(found, dict) else {}
        return {step: entry for step, entry in entries.items() if isinstance(entry, dict)}


def key_of(settings: Mapping[str, Any], inputs: Sequence[Path]) -> str:
    """SHA-256 of a step's settings and of the content of its inputs."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in inputs:
        digest.update(f"\n{content_of(path)}".encode())
    return digest.hexdigest()


def content_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names; of nothing if there is neither.

    Raises StorageError if a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in (f for f in files if f.is_file()):
            digest.update(f"{file.relative_to(path)}\n".encode())
            with file.open("rb") as content:
                while chunk := content.read(CHUNK):
                    digest.update(chunk)
    except OSError as error:
        raise storage_error(error, path) from error
    return digest.hexdigest()
