"""Documents that say the same: equal texts, and texts that share most of their word sequences."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.document import Document

__all__ = ["Content", "content_of", "is_near_duplicate", "similarity"]

WORDS = 3
"""In a shingle: one word changed of fifty leaves a similarity of about 0.9."""
SKETCH = 512
"""Smallest hashes kept of a document. More distinct shingles than this are a sample, and the
similarity is an estimate with a standard error of 0.022 at most."""
CONTENT_ROLES = ("title", "body")
"""A copy is stored under another name, in another folder, by another author."""

# Japanese, Chinese and Korean are written without spaces: each character counts as a word.
IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+")

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Content:
    """A document as others are compared with it; the sketch is made when it is first needed."""

    document: Document

    @cached_property
    def sketch(self) -> Hashes:
        """The smallest hashes of its shingles, rising, 512 at most."""
        return shingle_hashes(content_of(self.document))[:SKETCH]


def content_of(document: Document) -> str:
    """Title and body; all fields where there is neither."""
    kept = [document.fields[role] for role in CONTENT_ROLES if role in document.fields]
    return "\n".join(kept or document.fields.values())


def shingle_hashes(text: str) -> Hashes:
    """Hashes of the distinct runs of three words (of all words, if there are fewer), rising.

    The same on every machine and in every process, other than Python's own hash of a text.
    """
    found = [zlib.crc32(word.encode("utf-8", "replace")) for word in WORD.findall(text.casefold())]
    words = np.array(found, np.uint64)
    if not len(words):
        return words
    width = min(WORDS, len(words))
    count = len(words) - width + 1
    mixed = np.zeros(count, np.uint64)
    for place in range(width):
        mixed = scrambled(mixed ^ words[place : place + count])
    return np.unique(mixed)


def scrambled(values: Hashes) -> Hashes:
    """A bijection of 64-bit numbers whose every output bit depends on every input bit.

    The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    """
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def similarity(one: Content, other: Content) -> float:
    """Jaccard similarity of the two documents' shingles, 0 to 1; 0 where one has no words.

    Exact up to 512 distinct shingles each, else estimated from the 512 smallest hashes of the
    union (Broder, Compression and Complexity of Sequences, 1997).
    """
    a, b = one.sketch, other.sketch
    if not len(a) or not len(b):
        return 0.0
    merged = np.sort(np.concatenate((a, b)))
    repeated = merged[1:] == merged[:-1]
    union, shared = merged[np.append(True, ~repeated)], merged[1:][repeated]
    if SKETCH in (len(a), len(b)):
        union = union[:SKETCH]
    return np.count_nonzero(shared <= union[-1]) / len(union)


def is_near_duplicate(one: Content, others: Iterable[Content], least: float) -> bool:
    """Whether a document has the content of one of the others, or `least` similarity to it."""
    return any(
        one.document.content_hash == other.document.content_hash or similarity(one, other) >= least
        for other in others
    )
