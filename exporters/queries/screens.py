"""What a written query must pass: each screen drops some, and each counts what it drops."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.queries.draft import ASKED, Draft, acronyms
from relevance_eval.exporters.queries.vocabulary import Vocabulary, stem, words
from relevance_eval.exporters.settings import SynthesizeSettings

__all__ = ["LONGEST", "SCREENS", "Content", "Screens", "answered", "copied", "trigrams"]

LONGEST = 80
"""Characters of a query; people type fewer."""
ECHO = 0.6
"""Likeness to what a model was told of a query from which it only says that again."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
INSTRUCTIONS = tuple(words(told) for told in ASKED.values())
SCREENS = (
    "empty",
    "too long",
    "control characters",
    "instruction",
    "title copied",
    "not answered",
    "repeated",
)
"""Reasons to drop a query, in the order in which they are looked for."""


class Screens:
    """Drops queries one by one; of two that are alike the first is kept, whatever its document.

    Attributes:
        dropped: reason to how many.
    """

    def __init__(self, settings: SynthesizeSettings, vocabulary: Vocabulary):
        self.settings = settings
        self.vocabulary = vocabulary
        self.dropped: Counter[str] = Counter()
        self.sizes: list[int] = []
        self.holders: defaultdict[str, list[int]] = defaultdict(list)

    def passed(self, drafts: Iterable[Draft], document: Document) -> list[Draft]:
        """The drafts of one document that are kept; those that are not are counted."""
        content = Content.of(document)
        kept: list[Draft] = []
        for draft in drafts:
            reason = self.fault(draft, content)
            if reason:
                self.dropped[reason] += 1
            else:
                self.keep(draft.text)
                kept.append(draft)
        return kept

    def fault(self, draft: Draft, content: Content) -> str | None:
        """The first screen that the draft does not pass, one of SCREENS."""
        if not words(draft.text):
            return "empty"
        if len(draft.text) > LONGEST:
            return "too long"
        if CONTROL.search(draft.text):
            return "control characters"
        intended = words(draft.intended)
        if any(copied(intended, told) >= ECHO for told in INSTRUCTIONS):
            return "instruction"
        # A file's name may well be its title, and is what people remember of it.
        named = draft.kind == "file_name"
        if not named and copied(intended, content.title) >= self.settings.leak:
            return "title copied"
        least = self.settings.answered
        if least and (answered(draft.intended, content, self.vocabulary) or -1) < least:
            return "not answered"
        return "repeated" if self.is_repeated(draft.text) else None

    def is_repeated(self, text: str) -> bool:
        """Whether a query that was kept is as like this one as the settings say, or more."""
        own = trigrams(text)
        shared = Counter(place for trigram in own for place in self.holders.get(trigram, ()))
        return any(
            common / (len(own) + self.sizes[place] - common) >= self.settings.near_duplicate
            for place, common in shared.items()
        )

    def keep(self, text: str) -> None:
        own = trigrams(text)
        for trigram in own:
            self.holders[trigram].append(len(self.sizes))
        self.sizes.append(len(own))


def trigrams(text: str) -> frozenset[str]:
    """Of the words in one case, with one space around each."""
    padded = f" {' '.join(words(text))} "
    return frozenset(padded[i : i + 3] for i in range(max(1, len(padded) - 2)))


def copied(query: Sequence[str], title: Sequence[str]) -> float:
    """Twice the words that both have in this order, over the words of both; 0 to 1.

    So a title shortened to half its words has 0.67, and one with a word put to its eight 0.94.
    """
    if not query or not title:
        return 0.0
    best = [0] * (len(title) + 1)
    for word in query:
        corner = 0
        for place, other in enumerate(title, start=1):
            above = best[place]
            best[place] = corner + 1 if word == other else max(above, best[place - 1])
            corner = above
    return 2 * best[-1] / (len(query) + len(title))


def answered(text: str, content: Content, vocabulary: Vocabulary) -> float:
    """Share of the weight of the query's words that the document holds in any field, 0 to 1.

    A word counts as held in another of its forms, as the initials of a name, and, where a script
    has no spaces between words, as a part of the text.
    """
    weights = {word: vocabulary.weight(word) for word in words(text)}
    total = sum(weights.values())
    return sum(w for word, w in weights.items() if content.holds(word)) / total if total else 0.0


@dataclass(frozen=True)
class Content:
    """A document as queries are compared with it.

    Attributes:
        title: its words.
        stems: of the words of all fields, and of the acronyms that its names may have.
        text: all fields, in one case.
    """

    title: Sequence[str]
    stems: frozenset[str]
    text: str

    @classmethod
    def of(cls, document: Document) -> Content:
        text = "\n".join(document.fields.values())
        found = words("\n".join((text, *acronyms(document))))
        title = words(document.fields.get("title", ""))
        return cls(title, frozenset(map(stem, found)), text.casefold())

    def holds(self, word: str) -> bool:
        return stem(word) in self.stems or (not word.isascii() and word in self.text)
