"""A model's scores of pairs, written as they come, so that none is computed twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relevance_eval.errors import storage_error
from relevance_eval.evaluators.pair import Pair

__all__ = ["Scored", "Scorer", "score"]

CHUNK = 128
"""Pairs that are scored together and written as one line: all of them or, where the run is killed,
none. So they are scored again in the same company, on which a score's last digits hang."""
NO_NUMBER = "the model's answer is not a number"
Found = tuple[float, ...] | str
"""A pair's features, or why it has none."""
Key = tuple[str, str]
Progress = Callable[[int, int], None]


class Scorer(Protocol):
    """A labeler that tells what its head sees."""

    def features(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, NDArray[np.float64] | str]]:
        """Yields (position in `pairs`, features or why there are none), each once."""
        ...


@dataclass(frozen=True)
class Scored:
    """What a model says of pairs.

    Attributes:
        features: by pair key, of the pairs that it could read; finite numbers.
        reasons: by pair key, why there is no score.
        reused: how many pairs were in the file before.
    """

    features: Mapping[Key, tuple[float, ...]]
    reasons: Mapping[Key, str]
    reused: int


def score(
    pairs: Sequence[Pair],
    scorer: Callable[[], Scorer],
    path: Path,
    progress: Progress = lambda done, total: None,
) -> Scored:
    """Scores what the file does not hold yet. A run that is killed goes on from there the next
    time, to the same numbers.

    Args:
        pairs: distinct by key, in an order that is the same each time.
        scorer: opens the model, which is not done where nothing is left to score.
        path: JSON Lines, 128 pairs a line; made if there is none.
        progress: called with (pairs done, pairs in all) after each write.

    Raises:
        StorageError: the file cannot be read or written; what was written before is kept.
        LabelerError: the model cannot be loaded or run.
    """
    known = read(path)
    missing = [pair for pair in pairs if digests(pair) not in known]
    if missing:
        opened = scorer()
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            fresh = {digests(chunk[i]): plain(found) for i, found in opened.features(chunk)}
            write(path, fresh)
            known.update(fresh)
            progress(len(pairs) - len(missing) + start + len(chunk), len(pairs))
    found = {pair.key: known[digests(pair)] for pair in pairs}
    return Scored(
        {key: value for key, value in found.items() if not isinstance(value, str)},
        {key: value for key, value in found.items() if isinstance(value, str)},
        len(pairs) - len(missing),
    )


def plain(found: NDArray[np.float64] | str) -> Found:
    if isinstance(found, str):
        return found
    return tuple(found.tolist()) if np.isfinite(found).all() else NO_NUMBER


def digests(pair: Pair) -> Key:
    """SHA-256 of the query's text, and the document's content hash."""
    text = pair.query.text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest(), pair.document.content_hash


def read(path: Path) -> dict[Key, Found]:
    """What the file holds. A line that a killed run has left half-written counts as none."""
    known: dict[Key, Found] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return known
    except OSError as error:
        raise storage_error(error, path) from error
    for line in lines:
        try:
            rows: list[tuple[str, str, Any]] = json.loads(line)["pairs"]
            known |= {(q, d): f if isinstance(f, str) else tuple(map(float, f)) for q, d, f in rows}
        except (ValueError, KeyError, TypeError):
            continue
    return known


def write(path: Path, found: Mapping[Key, Found]) -> None:
    """Appends a chunk. It begins on a line of its own, whatever was left there."""
    line = json.dumps({"pairs": [(query, document, f) for (query, document), f in found.items()]})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write(f"\n{line}\n")
    except OSError as error:
        raise storage_error(error, path) from error
