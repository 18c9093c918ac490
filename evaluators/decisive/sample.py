"""A random sample of the labels that matter, and differences estimated from it without bias."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.decisive.stakes import Stakes, divided

__all__ = ["Estimate", "chances_of", "estimate", "filled", "lots"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
IDEAL_DRAWS = 20


@dataclass(frozen=True)
class Estimate:
    """Estimated differences of a pair of rankers.

    Attributes:
        column: for each query, shape [n]; each is without bias up to the ideal's.
        variances: of these by the choice of labels alone, shape [n].
    """

    column: Floats
    variances: Floats


def lots(names: Sequence[str], seed: int) -> Floats:
    """A number from 0 to below 1 for each name, as good as random, the same for the same seed."""
    digests = (hashlib.sha256(f"label {seed} {name}".encode()).digest() for name in names)
    return np.array([int.from_bytes(d[:8], "big") / 2**64 for d in digests], dtype=np.float64)


def chances_of(sizes: Floats, count: float) -> Floats:
    """Probabilities in proportion to sizes, 1 at most, that sum to `count`, shape [u].

    A unit whose lot is below its chance is in the sample (Poisson sampling with permanent random
    numbers; Brewer, Early & Joyce 1972): as the count grows no unit leaves the sample, and
    samples of two pairs of rankers share what they can.
    """
    positive = np.flatnonzero(sizes > 0)
    chances = np.zeros(len(sizes))
    if count >= len(positive):
        chances[positive] = 1.0
        return chances
    order = positive[np.argsort(-sizes[positive], kind="stable")]
    rest = np.cumsum(sizes[order][::-1])[::-1]
    scales = (count - np.arange(len(order))) / rest  # with that many of the largest taken for sure
    certain = int(np.argmax(sizes[order] * scales < 1))
    chances[order] = np.minimum(1.0, sizes[order] * scales[certain])
    chances[order[:certain]] = 1.0
    return chances


def estimate(
    stakes: Stakes,
    weights: Floats,
    gains: Floats,
    forecasts: Floats,
    chances: Floats,
    sampled: Bools,
    seed: int,
) -> Estimate:
    """Each query's difference: what is forecast, and the sampled forecasts' errors, each divided by
    its chance (the difference estimator; Särndal, Swensson & Wretman 1992, section 6.3).

    An ideal is that of labels and of what the others may be (see `likely_ideals`), and its doubt
    has a part in the variances.

    Args:
        weights: ranker's minus baseline's, shape [u].
        gains: of the labels, shape [u]; where not sampled anything.
        forecasts: of gains, none of which may come from the unit's own label, shape [u].
        chances: of each unit to be sampled, shape [u].
        sampled: which of them were, shape [u].
        seed: of what labels that are not known may be.
    """
    inverse = np.divide(1.0, chances, out=np.zeros(len(chances)), where=sampled)
    errors = np.where(sampled, gains - forecasts, 0.0)
    sums = stakes.sums(weights * (forecasts + errors * inverse))
    spread = stakes.sums((weights * errors) ** 2 * (inverse - 1.0) * inverse)
    ideals, doubt = likely_ideals(stakes, gains, forecasts, sampled, seed)
    column = divided(sums, ideals)
    # To first order a ratio varies by its divisor's share of error too.
    return Estimate(column, divided(spread, ideals**2) + column**2 * divided(doubt, ideals**2))


def filled(
    stakes: Stakes, weights: Floats, gains: Floats, forecasts: Floats, seed: int
) -> Estimate:
    """Known labels as they are, others as they are forecast: an estimate that leans on forecasts.

    Args:
        gains: shape [u]; NaN where a label is not known.
    """
    known, certain = ~np.isnan(gains), np.ones(len(gains))
    return estimate(stakes, weights, gains, forecasts, certain, known, seed)


def likely_ideals(
    stakes: Stakes, gains: Floats, forecasts: Floats, sampled: Bools, seed: int
) -> tuple[Floats, Floats]:
    """Each query's ideal and its variance, shape [n] both, over what unknown labels may be: a
    forecast and one of the errors that forecasts were seen to have.

    The ideal of the forecasts alone would be too low, by 15 % with one label in ten: a best order
    is made of the labels that are better than was to be expected.
    """
    known = np.where(sampled, gains, forecasts)
    if not stakes.depth or sampled.all() or not sampled.any():
        return stakes.ideals(known), np.zeros(len(stakes.query_ids))
    errors, generator = (gains - forecasts)[sampled], np.random.default_rng(seed)
    drawn = [
        stakes.ideals(np.where(sampled, gains, np.clip(forecasts + e, 0.0, stakes.highest)))
        for e in generator.choice(errors, (IDEAL_DRAWS, len(gains)))
    ]
    return np.mean(drawn, axis=0), np.var(drawn, axis=0, ddof=1)
