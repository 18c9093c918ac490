"""Words, and how much each tells, as judged by the documents of a sample."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from relevance_eval.evaluators.document import Document

__all__ = ["Vocabulary", "chunks", "stem", "words"]

WORD = re.compile(r"[^\W_]+")
CHUNK = re.compile(r"[^\W_](?:[\w.&'’+/-]*[^\W_])?")
ENDINGS = ("ing", "ed", "ly", "e")
LEFT = 3
"""Letters that an ending must leave."""
UNSEEN = 0.5
"""Documents that a word counts as being in which is in none of the sample."""
LIGHT = """
a about after again all also am an and any are as at be because been before being between both but
by can could did do does down during each few for from get had has have he her here his how i if in
into is it its just may me might more most my need no nor not now of off on once only or other our
out over own same she should so than that the their them then there these they this those through
to too under until up us very was we were what when where which while who whom whose why will with
without would you your
"""
FUNCTION = frozenset(LIGHT.split())
"""English words that say nothing about a subject; other languages' are known by being frequent."""


def words(text: str) -> list[str]:
    """Letters and digits between all else, in one form and case."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def chunks(text: str) -> list[str]:
    """Words as written, with what joins their parts: `B-2291`, `gauge_pages`, `v2.1`."""
    return CHUNK.findall(text)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Without the commonest English endings: `waves` is as `wave`, `updating` as `updates`."""
    if word.endswith("ies") and len(word) >= 3 + LEFT:
        word = f"{word[:-3]}y"
    elif word.endswith("s") and not word.endswith("ss") and len(word) > LEFT:
        word = word[:-1]
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + LEFT:
            return word[: -len(ending)]
    return word


class Vocabulary:
    """In how many of these documents a word is, and what follows from it.

    Args:
        documents: a sample of the index, as good as all of it for telling rare words from others.
    """

    def __init__(self, documents: Iterable[Document]):
        self.documents = 0
        self.frequency: Mapping[str, int] = Counter()
        for document in documents:
            self.documents += 1
            found = {stem(w) for text in document.fields.values() for w in words(text)}
            self.frequency.update(found)

    def weight(self, word: str) -> float:
        """ln(1 + N / n), N documents of which n hold the word; 0 for function words and letters.

        At least ln 2; a word in none of them counts as in half a document.
        """
        if word in FUNCTION or len(word) < 2:
            return 0.0
        return math.log(1 + self.documents / (self.frequency.get(stem(word)) or UNSEEN))

    def chunk_weight(self, chunk: str) -> float:
        """That of the chunk's rarest word."""
        return max(map(self.weight, words(chunk)), default=0.0)
