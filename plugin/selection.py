"""Choosing negatives for one query: what each window offers, in a seeded order, and what stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.mining_report import Drop
from relevance_eval.plugin.near_duplicates import Content, is_near_duplicate
from relevance_eval.plugin.snapshot import Located

__all__ = ["Candidate", "Selection", "Slot", "in_seeded_order", "seeded"]


@dataclass(frozen=True)
class Candidate:
    """A document that may become a negative.

    Attributes:
        rank, score: its ranker's; None for a random document.
    """

    located: Located
    rank: int | None = None
    score: float | None = None

    @property
    def id(self) -> str:
        return self.located[0]


@dataclass
class Slot:
    """A window of one query that is being filled.

    Attributes:
        left: candidates that were not drawn yet, in the order in which they will be.
    """

    origin: str
    wanted: int
    left: Iterator[Candidate]
    kept: list[Candidate] = field(default_factory=list[Candidate])

    def draw(self) -> list[Candidate]:
        """As many as are still wanted; none once the slot is full or nothing is left."""
        return list(islice(self.left, self.wanted - len(self.kept)))


@dataclass
class Selection:
    """A query, its positives, and the documents drawn for it so far."""

    query: Query
    positives: Sequence[Document]
    slots: list[Slot]
    near_duplicate: float
    drawn: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.answers = [Content(d) for d in self.positives]
        self.others: list[Content] = []

    def repetition(self, candidate: Candidate) -> Drop | None:
        """The reason against one that was drawn before; it counts as drawn from now on."""
        before = candidate.id in self.drawn
        self.drawn.add(candidate.id)
        return Drop.REPEATED if before else None

    def objection(self, document: Document) -> Drop | None:
        """Why a document that was drawn cannot be a negative as far as its text says; None if it
        can, and then later copies of it cannot."""
        if not document.fields:
            return Drop.NO_TEXT
        content = Content(document)
        if is_near_duplicate(content, self.answers, self.near_duplicate):
            return Drop.COPY_OF_POSITIVE
        if is_near_duplicate(content, self.others, self.near_duplicate):
            return Drop.COPY_OF_CANDIDATE
        self.others.append(content)
        return None


def seeded(seed: int, *parts: str) -> int:
    """A number of 64 bits that depends on nothing but its arguments."""
    text = "\n".join((str(seed), *parts))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def in_seeded_order(candidates: Sequence[Candidate], seed: int, *parts: str) -> list[Candidate]:
    """A shuffle that stays the same for these candidates whatever else is drawn."""
    return sorted(candidates, key=lambda c: (seeded(seed, *parts, c.id), c.id))
