"""What full labelling could still say, whatever the labels are that are not known yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.decisive.stakes import Stakes, divided
from relevance_eval.evaluators.difference import without_rounding
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import sign_flip_p
from relevance_eval.evaluators.statistics.non_inferiority import FEWEST, loss_p
from relevance_eval.evaluators.statistics.spread import beyond_rounding
from relevance_eval.evaluators.verdict import Verdict

__all__ = ["Box", "box_of", "possible_losses", "possible_verdicts"]

Floats = npt.NDArray[np.float64]
LUCK = 4.0
"""Standard errors of a p-value by random permutations that a bound is kept away from alpha."""


@dataclass(frozen=True)
class Box:
    """Bounds on each query's difference, shape [n] both; more labels never widen them.

    They hold as long as no label fails: then others move up.
    """

    lows: Floats
    highs: Floats


def box_of(stakes: Stakes, weights: Floats, gains: Floats) -> Box:
    """Bounds on the differences of a pair of rankers.

    Carterette, Allan & Sitaraman (SIGIR 2006) for the sum; the ideal lies between that of the known
    labels and that with every other label at the highest grade.

    Args:
        weights: ranker's minus baseline's, shape [u].
        gains: known ones, shape [u]; NaN where a label is not known.
    """
    least, most = np.nan_to_num(gains, nan=0.0), np.nan_to_num(gains, nan=stakes.highest)
    low = stakes.sums(np.where(weights < 0, weights * most, weights * least))
    high = stakes.sums(np.where(weights < 0, weights * least, weights * most))
    if not stakes.depth:
        return Box(unrounded(low), unrounded(high))
    lowest, highest = stakes.ideals(least), stakes.ideals(most)
    # A sum below 0 is farthest from 0 under the smaller ideal, one above 0 likewise.
    lows = np.where(low < 0, toward(low, lowest, -1.0), divided(low, highest))
    highs = np.where(high > 0, toward(high, lowest, 1.0), divided(high, highest))
    return Box(unrounded(np.maximum(lows, -1.0)), unrounded(np.minimum(highs, 1.0)))


def unrounded(ends: Floats) -> Floats:
    """Differences of rounding alone are 0, as they are where all labels are known."""
    return without_rounding(ends)


def toward(sums: Floats, ideals: Floats, limit: float) -> Floats:
    """Sums over ideals; the limit where an ideal may be nothing at all."""
    return np.divide(sums, ideals, out=np.full(len(sums), limit), where=ideals > 0)


def possible_verdicts(box: Box, plan: Plan, margin: float, tested: int) -> frozenset[Verdict]:
    """Every verdict that differences within the box could lead to; perhaps some more.

    With Σd > 0, a pattern of signs is as extreme as what was seen where the sum over the queries
    it turns, or over those it does not, is 0 or less. Both events can only go away as differences
    grow, so that the permutation test's p over the box is largest at its lows and smallest at its
    highs; with Σd < 0 the other way round. Where several pairs of rankers are tested, a corrected
    p is no smaller than p, and no larger than `tested` times what Hoeffding's inequality allows.

    Args:
        margin: of equivalence; 0 for none.
        tested: pairs of rankers that are corrected together.
    """
    possible, certain = equivalence(box, plan, margin, tested)
    if certain:
        return frozenset({Verdict.EQUIVALENT})
    found = {Verdict.EQUIVALENT} if possible else set[Verdict]()
    alpha = plan.rule.alpha
    better, worse = p_above(box.highs, plan), p_above(-box.lows, plan)
    if better - luck(better, plan) <= alpha:
        found.add(Verdict.BETTER)
    if worse - luck(worse, plan) <= alpha:
        found.add(Verdict.WORSE)
    if not (surely(box.lows, box, plan, tested) or surely(-box.highs, box, plan, tested)):
        found.add(Verdict.INCONCLUSIVE)
    return frozenset(found)


def p_above(differences: Floats, plan: Plan) -> float:
    """The permutation test's p if the sum is above 0, else 1."""
    if math.fsum(differences) <= 0:
        return 1.0
    return sign_flip_p(differences, seed=plan.seed, permutations=plan.permutations)


def luck(p: float, plan: Plan) -> float:
    """How far another draw of the permutations may be."""
    return LUCK * math.sqrt(p * (1 - p) / plan.permutations) if plan.permutations else 0.0


def surely(nearest: Floats, box: Box, plan: Plan, tested: int) -> bool:
    """Whether even the differences nearest to 0 are significant after correction."""
    p = p_above(nearest, plan)
    if p + luck(p, plan) > plan.rule.alpha:
        return False
    if tested == 1:
        return True
    longest = math.sqrt(math.fsum(np.maximum(box.lows**2, box.highs**2)))
    bound = 2 * math.exp(-((math.fsum(nearest) / longest) ** 2) / 2)
    return tested * max(p, bound) <= plan.rule.alpha


def equivalence(box: Box, plan: Plan, margin: float, tested: int) -> tuple[bool, bool]:
    """Whether `equivalent` is possible, and whether it is certain."""
    count = len(box.lows)
    if count < 2 or margin <= 0:
        return False, False
    if count < FEWEST and (box.lows < box.highs).any():
        return True, False  # p falls with the spread, but is 1 without any
    low, high = math.fsum(box.lows) / count, math.fsum(box.highs) / count
    nearest, farthest = max(0.0, low, -high), max(abs(low), abs(high))
    least, most = errors(box)
    alpha = plan.rule.alpha
    return (
        loss_p(-nearest, least, count, margin, count - 1) <= alpha,
        tested * loss_p(-farthest, most, count, margin, count - 1) <= alpha,
    )


def possible_losses(box: Box, plan: Plan, margin: float) -> frozenset[bool]:
    """Whether a loss of the margin or more is left open by the one-sided test, over the box."""
    count = len(box.lows)
    if count < 2:
        return frozenset({True})
    if count < FEWEST and (box.lows < box.highs).any():
        return frozenset({True, False})
    low, high = math.fsum(box.lows) / count, math.fsum(box.highs) / count
    least, most = errors(box)
    largest = loss_p(low, most if low > -margin else least, count, margin, count - 1)
    smallest = loss_p(high, least if high > -margin else most, count, margin, count - 1)
    return frozenset(p > plan.rule.alpha for p in (largest, smallest))


def errors(box: Box) -> tuple[float, float]:
    """Lower and upper bounds on the standard error of the mean difference within the box.

    The least is taken where all differences go as near as they can to one value, a convex
    function of it; the most is bounded by distances from any one value, here the middles' mean.
    """
    count = len(box.lows)
    low, high = float(box.lows.min()), float(box.highs.max())
    for _ in range(60):
        third = (high - low) / 3
        if outside(box, low + third) < outside(box, high - third):
            high -= third
        else:
            low += third
    middle = float((box.lows + box.highs).mean() / 2)
    most = math.fsum(np.maximum((box.lows - middle) ** 2, (box.highs - middle) ** 2))
    least = outside(box, (low + high) / 2) * (1 - 1e-9)
    farthest = np.maximum(np.abs(box.lows), np.abs(box.highs))
    return (
        beyond_rounding(math.sqrt(least / (count - 1)), farthest) / math.sqrt(count),
        beyond_rounding(math.sqrt(most / (count - 1)), farthest) / math.sqrt(count),
    )


def outside(box: Box, value: float) -> float:
    """Σ of squared distances from a value to each interval of the box."""
    return math.fsum(np.maximum(np.maximum(box.lows - value, value - box.highs), 0.0) ** 2)
