"""The bias-corrected and accelerated bootstrap over queries."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.statistics.interval import Interval

__all__ = ["bca_interval", "bca_limits", "resampled_means"]

CELLS = 2**22
"""Values drawn at once, 32 MiB of them."""
Values = npt.NDArray[np.float64]


def bca_interval(
    values: Values, *, seed: int, level: float = 0.95, resamples: int = 10_000
) -> Interval:
    """The mean with its BCa interval (Efron 1987), widened for small samples.

    The normal quantile of the level is replaced by sqrt(n / (n - 1)) · t(n-1), the expanded
    percentile of Hesterberg (The American Statistician, 2015): without it, a bootstrap of 20
    queries is as narrow as if their spread were known.

    The same seed gives the same interval, bit for bit; so do the queries in another order. Negated
    values give the negated interval. Values that are all equal have no spread, and both ends are
    their mean. Ends are None below two queries.

    Args:
        values: one per query, shape [n], n >= 1.
        seed: 0 or more.
        level: confidence, above 0 and below 1.
        resamples: bootstrap samples.
    """
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    rising, mirrored = np.sort(values), np.sort(-values)
    if rising[0] == rising[-1]:
        return Interval(mean, mean, mean)
    # Of values and their negation the same one is resampled, so that swapping rankers mirrors the
    # interval exactly; where both are the same values, the interval is its own mirror image.
    turned = mirrored.tolist() > rising.tolist()
    used = mirrored if turned else rising
    means = resampled_means(used, seed=seed, resamples=resamples)
    quantile = math.sqrt(len(values) / (len(values) - 1)) * float(
        special.stdtrit(len(values) - 1, (1 + level) / 2)
    )
    low, high = bca_limits(used, means, quantile)
    if mirrored.tolist() == rising.tolist():
        high = (high - low) / 2
        low = -high
    return Interval(mean, -high, -low) if turned else Interval(mean, low, high)


def resampled_means(values: Values, *, seed: int, resamples: int) -> Values:
    """Means of bootstrap samples, shape [resamples]."""
    generator = np.random.default_rng(seed)
    rows = max(1, CELLS // len(values))
    means: list[Values] = []
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), len(values))
        drawn = generator.integers(0, len(values), size=shape, dtype=np.int32)
        means.append(values[drawn].mean(axis=1))
    return np.concatenate(means)


def bca_limits(values: Values, means: Values, quantile: float) -> tuple[float, float]:
    """Both ends from the resampled means; the percentile interval's where BCa has none.

    z0 is the normal quantile of the share of means below the observed one, equal ones counted half.
    The acceleration Σ e³ / (6 (Σ e²)^1.5) is the jackknife's: of a mean, its deviations are those
    of the values from their mean over n - 1, and the factor cancels.

    Args:
        quantile: normal quantile of the upper end before corrections, 1.96 for 95 %.
    """
    mean = math.fsum(values) / len(values)
    hair = 1e-12 * float(np.abs(values).mean())
    below = float(np.mean(means < mean - hair) + np.mean(means <= mean + hair)) / 2
    errors = values - mean
    acceleration = float((errors**3).sum() / (6 * (errors**2).sum() ** 1.5))
    bias = float(special.ndtri(below))
    shares = special.ndtr(np.array([-quantile, quantile]))
    if math.isfinite(bias):
        leaning = bias + np.array([-quantile, quantile])
        room = 1 - acceleration * leaning
        if (room > 0).all():
            shares = special.ndtr(bias + leaning / room)
    ends = np.asarray(np.quantile(means, shares), dtype=np.float64)
    return float(ends[0]), float(ends[1])
