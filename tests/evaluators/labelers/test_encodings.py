"""Encodings that are kept for a while."""

from __future__ import annotations

import numpy as np

from relevance_eval.evaluators.labelers.encodings import Encodings
from relevance_eval.evaluators.labelers.features import TextEncoding


def encoded(tokens: int, fill: float = 1.0) -> TextEncoding:
    states = np.full((tokens, 4), fill, dtype=np.float32)
    return TextEncoding(np.arange(tokens, dtype=np.int64), states, states[0])


def test_a_text_is_found_by_its_tokens() -> None:
    kept = Encodings()
    kept.put([1, 2, 3], encoded(3))
    assert kept.get([1, 2, 3]) is not None
    assert kept.get([1, 2]) is None
    assert kept.get([1, 3, 2]) is None


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept = Encodings(limit=2 * encoded(3).states.nbytes)
    kept.put([1], encoded(3))
    kept.put([2], encoded(3))
    assert kept.get([1]) is not None
    kept.put([3], encoded(3))
    assert [kept.get([n]) is not None for n in (1, 2, 3)] == [True, False, True]
    assert kept.size == kept.limit


def test_a_text_beyond_the_limit_is_not_kept() -> None:
    kept = Encodings(limit=10)
    kept.put([1], encoded(3))
    assert kept.get([1]) is None
    assert kept.size == 0


def test_a_batch_that_is_written_over_changes_nothing() -> None:
    kept, batch = Encodings(), np.ones((2, 3, 4), dtype=np.float32)
    kept.put([1], TextEncoding(np.arange(3, dtype=np.int64), batch[0], batch[0, 0].copy()))
    batch[:] = 0
    found = kept.get([1])
    assert found is not None
    assert (found.states == 1).all()


def test_the_same_text_twice_is_counted_once() -> None:
    kept = Encodings()
    kept.put([1], encoded(3))
    kept.put([1], encoded(3, fill=2.0))
    assert kept.size == encoded(3).states.nbytes


def test_nothing_is_left_after_clearing() -> None:
    kept = Encodings()
    kept.put([1], encoded(3))
    kept.clear()
    assert (kept.get([1]), kept.size) == (None, 0)
