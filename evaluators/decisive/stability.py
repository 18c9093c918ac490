"""Which verdicts all labels could lead to, going by a sample of them."""

from __future__ import annotations

import math
from itertools import product

from scipy import special

from relevance_eval.evaluators.decisive.sample import Estimate
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics.non_inferiority import loss_p
from relevance_eval.evaluators.statistics.spread import below, standard_deviation
from relevance_eval.evaluators.verdict import Verdict, decide

__all__ = ["LIKELY", "likely_losses", "likely_verdicts"]

LIKELY = 0.1
"""Chance that the mean with all labels is outside of the range that is looked at. Few such means
lead to another verdict: 2 % was the aim, and `benchmarks/decisions.py` finds fewer."""


def likely_verdicts(
    estimate: Estimate, plan: Plan, margin: float, tested: int, looks: int
) -> frozenset[Verdict]:
    """Verdicts over the range in which the mean with all labels lies, with a chance of 90 %.

    The range holds at all looks together: each look has its part of the 10 % (a confidence
    sequence over looks that are fixed beforehand). The mean with all labels is a fixed figure,
    around which the choice of labels scatters the estimate; the spread over queries is known
    but for what that choice adds to it. The tests are taken as t-tests, which differ from
    the permutation test far less than the range is wide.

    Args:
        margin: of equivalence; 0 for none.
        tested: pairs of rankers that are corrected together: a corrected level lies between
            alpha and alpha divided by it.
        looks: how often this is asked at most.
    """
    count = len(estimate.column)
    means, errors = likely_range(estimate, looks)
    return frozenset(
        verdict_at(mean, error, count, plan, margin, part)
        for mean, error, part in product(means, errors, {1, tested})
    )


def likely_losses(estimate: Estimate, plan: Plan, margin: float, looks: int) -> frozenset[bool]:
    """Whether all labels would leave a loss of the margin or more open, over the same range."""
    count = len(estimate.column)
    means, errors = likely_range(estimate, looks)
    return frozenset(
        loss_p(mean, error, count, margin, count - 1) > plan.rule.alpha
        for mean, error in product(means, errors)
    )


def likely_range(
    estimate: Estimate, looks: int
) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """The lowest mean, the one nearest to 0, and the highest; the least standard error and the
    largest."""
    count = len(estimate.column)
    mean = math.fsum(estimate.column) / count
    noise = math.sqrt(math.fsum(estimate.variances)) / count
    seen = standard_deviation(estimate.column) / math.sqrt(count) if count > 1 else 0.0
    own = math.sqrt(max(seen**2 - noise**2, (seen / 2) ** 2))
    reach = noise * float(special.ndtri(1 - LIKELY / looks / 2))
    low, high = mean - reach, mean + reach
    return (low, max(low, min(0.0, high)), high), (own, seen)


def verdict_at(
    mean: float, error: float, count: int, plan: Plan, margin: float, tested: int
) -> Verdict:
    """By the t-test and two one-sided ones, each p-value times `tested`.

    Without spread, all queries have one sign: p is that of the permutation test.
    """
    if error == 0 or count < 2:
        if below(abs(mean), margin):
            return Verdict.EQUIVALENT
        p = min(1.0, tested * 2.0 ** (1 - count))
        return decide(difference=mean, p=p, equivalence_p=1.0, rule=plan.rule)
    return decide(
        difference=mean,
        p=min(1.0, tested * 2 * float(special.stdtr(count - 1, -abs(mean) / error))),
        equivalence_p=tested * loss_p(-abs(mean), error, count, margin, count - 1)
        if margin > 0
        else 1.0,
        rule=plan.rule,
    )
