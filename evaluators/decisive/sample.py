"""A random sample of the labels that matter, and differences estimated from it without bias."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.decisive.stakes import Stakes, divided

__all__ = ["Estimate", "chances_of", "estimate", "lots"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
) -> Estimate:
    """Each query's difference: what is forecast, and the sampled forecasts' errors, each divided by
    its chance (the difference estimator; Särndal, Swensson & Wretman 1992, section 6.3).

    An ideal is that of labels and forecasts together. Its error has a part in the variances, by
    the mean square of the forecasts' errors.

    Args:
        weights: ranker's minus baseline's, shape [u].
        gains: of the labels, shape [u]; where not sampled anything.
        forecasts: of gains, none of which may come from the unit's own label, shape [u].
        chances: of each unit to be sampled, shape [u].
        sampled: which of them were, shape [u].
    """
    known = np.where(sampled, gains, forecasts)
    ideals = stakes.ideals(known)
    inverse = np.divide(1.0, chances, out=np.zeros(len(chances)), where=sampled)
    errors = np.where(sampled, gains - forecasts, 0.0)
    sums = stakes.sums(weights * (forecasts + errors * inverse))
    spread = stakes.sums((weights * errors) ** 2 * (inverse - 1.0) * inverse)
    column, ideal = divided(sums, ideals), divided(spread, ideals**2)
    # To first order a ratio varies by its divisor's share of error too.
    doubt = np.mean(errors[sampled] ** 2) if sampled.any() else stakes.highest**2
    unknown = stakes.sums(np.where(sampled, 0.0, stakes.ideal_weights(known)) ** 2) * doubt
    return Estimate(column, ideal + column**2 * divided(unknown, ideals**2))
