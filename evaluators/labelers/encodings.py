"""Encodings of texts that were read lately: labels that are bought a few at a time ask again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from relevance_eval.evaluators.labelers.features import TextEncoding

__all__ = ["Encodings"]

LIMIT = 256 * 2**20
"""Bytes of all that is kept: some 1,300 documents of 128 tokens at a width of 384."""


class Encodings:
    """By the text's token ids; beyond the limit, in bytes, what was asked for longest ago goes."""

    def __init__(self, limit: int = LIMIT):
        self.limit, self.size = limit, 0
        self.kept: OrderedDict[bytes, TextEncoding] = OrderedDict()

    def clear(self) -> None:
        self.kept.clear()
        self.size = 0

    def get(self, ids: Sequence[int]) -> TextEncoding | None:
        key = key_of(ids)
        if key in self.kept:
            self.kept.move_to_end(key)
        return self.kept.get(key)

    def put(self, ids: Sequence[int], encoding: TextEncoding) -> None:
        """Keeps a copy: the encoding may be a view of a whole batch."""
        key = key_of(ids)
        if key in self.kept:
            return
        own = TextEncoding(encoding.token_ids, encoding.states.copy(), encoding.embedding.copy())
        self.kept[key] = own
        self.size += own.states.nbytes
        while self.size > self.limit:
            _, oldest = self.kept.popitem(last=False)
            self.size -= oldest.states.nbytes


def key_of(ids: Sequence[int]) -> bytes:
    return np.asarray(ids, dtype=np.int64).tobytes()
