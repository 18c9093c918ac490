"""Scores are kept as they come: none is computed twice, and a torn line is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relevance_eval.errors import StorageError
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.rerankers.scores import CHUNK, NO_NUMBER, score

Pairs = Callable[..., list[Pair]]
UNREADABLE = "the document has no text"


@dataclass
class Counting:
    """Scores a pair by the length of its text, and remembers what it was asked.

    Attributes:
        fails_after: chunks after which it breaks, as a process that is killed.
    """

    asked: list[list[Pair]] = field(default_factory=list[list[Pair]])
    fails_after: int | None = None

    def features(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, NDArray[np.float64] | str]]:
        if len(self.asked) == self.fails_after:
            raise KeyboardInterrupt
        self.asked.append(list(pairs))
        for i in reversed(range(len(pairs))):
            body = pairs[i].document.fields["body"]
            if body.endswith("7"):
                yield i, UNREADABLE
            else:
                yield i, np.array([math.nan if body.endswith("9") else len(body) / 3])


def test_every_pair_has_its_score_or_a_reason(tmp_path: Path, some_pairs: Pairs) -> None:
    pairs = some_pairs(30, 10)
    told: list[tuple[int, int]] = []
    found = score(pairs, Counting, tmp_path / "s.jsonl", lambda *done: told.append(done))
    assert len(found.features) + len(found.reasons) == 300
    assert set(found.reasons.values()) == {UNREADABLE, NO_NUMBER}
    for pair in pairs:
        if pair.key in found.features:
            assert found.features[pair.key] == (len(pair.document.fields["body"]) / 3,)
    assert told == [(128, 300), (256, 300), (300, 300)]


def test_what_was_scored_is_not_scored_again_and_the_model_is_not_opened(
    tmp_path: Path, some_pairs: Pairs
) -> None:
    pairs = some_pairs(30, 10)
    first = score(pairs, Counting, tmp_path / "s.jsonl")
    written = (tmp_path / "s.jsonl").read_bytes()

    def never() -> Counting:
        raise AssertionError("the model was opened")

    again = score(pairs, never, tmp_path / "s.jsonl")
    assert (again.features, again.reasons) == (first.features, first.reasons)
    assert (first.reused, again.reused) == (0, 300)
    assert (tmp_path / "s.jsonl").read_bytes() == written
    more, scorer = some_pairs(40, 10), Counting()
    assert score(more, lambda: scorer, tmp_path / "s.jsonl").reused == 300
    assert sum(map(len, scorer.asked)) == 100


@pytest.mark.parametrize("torn", [b"", b'{"pairs": [["ab', b'\n{"pairs": 3}\n[1, 2]\n\xff\xfe'])
def test_a_stopped_run_goes_on_with_the_same_chunks(
    tmp_path: Path, some_pairs: Pairs, torn: bytes
) -> None:
    pairs, path = some_pairs(50, 10), tmp_path / "s.jsonl"
    whole = Counting()
    expected = score(pairs, lambda: whole, tmp_path / "whole.jsonl")
    stopped, resumed = Counting(fails_after=2), Counting()
    with pytest.raises(KeyboardInterrupt):
        score(pairs, lambda: stopped, path)
    with path.open("ab") as file:
        file.write(torn)
    found = score(pairs, lambda: resumed, path)
    assert found.reused == 2 * CHUNK
    assert stopped.asked + resumed.asked == whole.asked
    assert found.features == expected.features
    assert score(pairs, Counting, path).reused == 500


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, some_pairs: Pairs, complains: Callable[..., Any]
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "s.jsonl"
    with complains(StorageError, "", code=5, where=str(path), remedy="another folder"):
        score(some_pairs(2, 2), Counting, path)
