"""Better, worse, equivalent, or not enough evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Rule", "Verdict", "decide"]


class Verdict(StrEnum):
    """What can be said of a ranker against the baseline."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a verdict is reached.

    Attributes:
        alpha: chance of a false alarm that is accepted over all rankers together, 0 to 1.
        margin: a difference below this, in the measure's unit, does not matter to users; 0 turns
            the verdict `equivalent` off.
    """

    alpha: float = 0.05
    margin: float = 0.01


def decide(*, difference: float, p: float, equivalence_p: float, rule: Rule) -> Verdict:
    """The verdict on one ranker.

    Args:
        difference: mean over queries, ranker minus baseline.
        p: of no difference, two-sided, corrected for the number of rankers compared.
        equivalence_p: of a difference of `rule.margin` or more, corrected likewise.

    A difference that is both certain and smaller than the margin is `equivalent`.
    """
    if rule.margin > 0 and equivalence_p <= rule.alpha:
        return Verdict.EQUIVALENT
    if p > rule.alpha or difference == 0:
        return Verdict.INCONCLUSIVE
    return Verdict.BETTER if difference > 0 else Verdict.WORSE
