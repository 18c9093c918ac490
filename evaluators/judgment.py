"""A labeler's answer about a pair: a distribution over grades, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["GRADES", "PERSON", "RELEVANT", "Judgment", "Outcome"]

GRADES = (0, 1, 2, 3)
"""0 irrelevant, 1 related, 2 highly relevant, 3 perfectly relevant (TREC Deep Learning)."""
PERSON = "person:"
"""What the labeler of a judgment by people begins with."""
RELEVANT = 2
"""The lowest grade that counts as relevant where a measure knows only yes and no."""


class Outcome(StrEnum):
    """`refused`: the labeler will never grade this pair as it is. `failed`: it may next time."""

    GRADED = "graded"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Judgment:
    """What one labeler says of one pair.

    Attributes:
        labeler: the labeler's fingerprint, or `person:NAME`.
        probabilities: of grade 0, 1, 2, 3; they sum to 1. Empty unless graded.
        outcome: graded, failed or refused; a failure is never a grade.
        reason: why it was not graded, for people to read.
        named: the one grade that the labeler names by cut points of its own, or None.
    """

    labeler: str
    probabilities: tuple[float, ...]
    outcome: Outcome = Outcome.GRADED
    reason: str = ""
    named: int | None = None

    @classmethod
    def with_cuts(
        cls, labeler: str, probabilities: Sequence[float], cuts: Sequence[float]
    ) -> Judgment:
        """A graded judgment whose grade is the number of cut points that its expectation reaches.

        A calibrated labeler that is unsure expects middling grades only, and rounding those would
        never name a high one; cut points fitted on human grades do.

        Args:
            cuts: rising, one below each grade but the lowest; none for rounding.
        """
        plain = cls(labeler, tuple(float(p) for p in probabilities))
        if not cuts:
            return plain
        return replace(plain, named=sum(plain.expected >= cut for cut in cuts))

    @classmethod
    def certain(cls, labeler: str, grade: int) -> Judgment:
        """All probability on one grade of the scale, as a person gives it."""
        return cls(labeler, tuple(float(g == grade) for g in GRADES))

    @classmethod
    def shared(cls, labeler: str, votes: Sequence[Judgment]) -> Judgment:
        """The mean distribution of several graded judgments: people who disagree share."""
        columns = zip(*(v.probabilities for v in votes), strict=True)
        return cls(labeler, tuple(math.fsum(c) / len(votes) for c in columns))

    @classmethod
    def failed(cls, labeler: str, reason: str) -> Judgment:
        return cls(labeler, (), Outcome.FAILED, reason)

    @classmethod
    def refused(cls, labeler: str, reason: str) -> Judgment:
        return cls(labeler, (), Outcome.REFUSED, reason)

    @property
    def graded(self) -> bool:
        return self.outcome is Outcome.GRADED

    @property
    def expected(self) -> float:
        """The mean grade, 0 to 3; not a number unless graded."""
        if not self.graded:
            return math.nan
        return math.fsum(g * p for g, p in zip(GRADES, self.probabilities, strict=True))

    @property
    def grade(self) -> int:
        """The one grade to name, where a measure needs one. Raises ValueError unless graded.

        By the labeler's cut points if it has them, else the expected grade to the nearest whole
        one, halves up, which minimises squared error.
        """
        return math.floor(self.expected + 0.5) if self.named is None else self.named
