"""Whether a labeler's verdicts may be believed: its agreement with people against a bar."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.agreement import Agreement
from relevance_eval.evaluators.statistics import Interval

__all__ = ["FEWEST_QUERIES", "Finding", "Trust", "decide_trust"]

FEWEST_QUERIES = 5
"""Below so many queries the interval of kappa, which is drawn from them, tells nothing."""


class Trust(StrEnum):
    """`unknown`: nobody has shown yet that the labeler is good enough, or that it is not."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """How far a labeler is trusted, and why.

    Attributes:
        bar: the least quadratic-weighted kappa with people that is good enough, -1 to 1.
        kappa: what was found, with its 95 % interval; None where there is none.
        queries: how many the interval was drawn from.
        reason: one sentence for people to read.
    """

    trust: Trust
    bar: float
    kappa: Interval | None
    queries: int
    reason: str


def decide_trust(agreement: Agreement | None, bar: float) -> Finding:
    """Trusted if the whole interval of kappa is at the bar or above, untrusted if all is below.

    Args:
        agreement: of labeler and people on the audited queries, quadratic-weighted kappa among it;
            None if there is no audit.
        bar: -1 to 1. People among themselves reach some 0.6 on four grades.

    Raises:
        UsageError: the bar is no kappa.
    """
    if not -1 <= bar <= 1:
        raise UsageError(f"the bar {bar:g} is no kappa", remedy="a kappa is -1 to 1, say 0.4")
    if agreement is None:
        reason = "no person has graded a sample: how far the labeler agrees with people is unknown"
        return Finding(Trust.UNKNOWN, bar, None, 0, reason)
    kappa, queries = agreement.quadratic_kappa, agreement.queries
    grades = {grade for grade, row in enumerate(agreement.confusion) if any(row)}
    if len(grades) == 1 and agreement.confusion[min(grades)][min(grades)] == agreement.pairs:
        # Nothing to disagree about by chance: kappa, which is 0 there, says nothing.
        reason = f"people and the labeler gave grade {min(grades)} to all: no kappa comes of that"
        return Finding(Trust.UNKNOWN, bar, None, queries, reason)
    if kappa.low is None or kappa.high is None or queries < FEWEST_QUERIES:
        reason = f"people graded {queries} queries, and {FEWEST_QUERIES} are the least to judge by"
        return Finding(Trust.UNKNOWN, bar, kappa, queries, reason)
    shown = f"kappa with people is {kappa.mean:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
    if kappa.low >= bar:
        return Finding(Trust.TRUSTED, bar, kappa, queries, f"{shown}, not below the bar {bar:g}")
    if kappa.high < bar:
        return Finding(Trust.UNTRUSTED, bar, kappa, queries, f"{shown}, below the bar {bar:g}")
    reason = f"{shown}, on both sides of the bar {bar:g}: grade more queries"
    return Finding(Trust.UNKNOWN, bar, kappa, queries, reason)
