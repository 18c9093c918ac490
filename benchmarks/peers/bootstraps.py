"""The BCa bootstrap, and the interval that a comparison tells."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from differences import LARGE, SMALL, inputs, normal
from scipy import stats
from table import ROUNDING, Row, named, pairs, same, spread_of

from relevance_eval.evaluators.difference import differences
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import bca_interval
from relevance_eval.evaluators.statistics.bca import bca_limits, resampled_means

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Resampled means in the form that scipy goes on from."""

    bootstrap_distribution: Floats


def bootstrapped(
    values: Floats, level: float, resamples: int = 0, means: Floats | None = None, seed: int = 0
) -> tuple[float, float]:
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        confidence_level=level,
        method="BCa",
        bootstrap_result=None if means is None else Drawn(means),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def expanded(count: int, level: float = 0.95) -> float:
    """The level whose normal quantile is sqrt(n / (n - 1)) · t."""
    quantile = math.sqrt(count / (count - 1)) * stats.t(count - 1).ppf((1 + level) / 2)
    return float(1 - 2 * stats.norm.sf(quantile))


def bootstrap_rows(options: argparse.Namespace) -> Iterator[Row]:
    yield same_resamples(options)
    yield other_resamples(options)
    for count in (10, 20, 50, 400):
        yield wider_bootstrap(count, options)


def same_resamples(options: argparse.Namespace) -> Row:
    found: list[tuple[float, float]] = []
    for each in inputs(SMALL + LARGE, options):
        # Rounded to a power of two, so that sums are exact and scipy too sees which resamples have
        # the observed mean; ours sees it without.
        values = np.sort(np.round(each.difference * 1024) / 1024)
        means = resampled_means(values, seed=4, resamples=2000)
        theirs = bootstrapped(values, 0.95, means=means)
        ours = bca_limits(values, means, 1.959963984540054) if np.ptp(values) else theirs
        found += pairs(ours, theirs)
    peer = named("scipy", "bootstrap, BCa, of our resamples")
    return same("ends of the BCa interval", peer, found)


def other_resamples(options: argparse.Namespace) -> Row:
    """Each with its own resamples. The yardstick is scipy with yet others: if both are the same but
    for chance, ours is the farther one from scipy's first in half of the cases."""
    found: list[tuple[float, float]] = []
    farther: list[bool] = []
    for number, each in enumerate(inputs(LARGE, options)):
        values, level = each.difference, expanded(len(each.difference))
        _, low, high = bca_interval(values, seed=number)
        first = bootstrapped(values, level, 10_000, seed=number)
        second = bootstrapped(values, level, 10_000, seed=number + 1_000_000)
        ends = pairs((low or 0.0, high or 0.0), first)
        found += ends
        farther += [abs(a - b) > abs(c - b) for (a, b), c in zip(ends, second, strict=True)]
    share = float(np.mean(farther))
    by_chance = bool(stats.binomtest(sum(farther), len(farther)).pvalue > 0.001)
    return Row(
        "ends of the BCa interval, other resamples",
        named("scipy", "bootstrap, BCa, at our expanded level"),
        len(found),
        max(abs(a - b) for a, b in found),
        f"{'the same but for chance' if by_chance else '**not by chance alone**'}: in {share:.1%} "
        "farther from scipy than scipy with another seed (50% would be)",
        by_chance,
    )


def wider_bootstrap(count: int, options: argparse.Namespace) -> Row:
    """What the expansion of the level does at this size, and what it is good for."""
    ratios: list[float] = []
    held = np.zeros(2)
    for number in range(options.trials):
        values = normal(np.random.default_rng([options.seed, count, number]), count)
        _, low, high = bca_interval(values, seed=number, resamples=2000)
        means = resampled_means(values, seed=number, resamples=2000)
        plain = bootstrapped(values, 0.95, means=means)
        ours = (low or 0.0, high or 0.0)
        ratios.append((ours[1] - ours[0]) / (plain[1] - plain[0]))
        held += [low <= 0.02 <= high for low, high in (ours, plain)]
    ours_held, plain_held = held / options.trials
    return Row(
        f"width of the BCa interval, {count} normal queries",
        named("scipy", "bootstrap, BCa"),
        options.trials,
        None,
        f"by design, {spread_of(ratios)} times as wide; it holds the true mean in {ours_held:.1%}, "
        f"scipy's in {plain_held:.1%}",
        float(np.median(ratios)) > 1,
    )


def farther_row(options: argparse.Namespace) -> Row:
    """The interval that a comparison tells: at each end the farther of two."""
    plan, ratios = Plan(label_draws=0), []
    for each in inputs(LARGE, options):
        (ours,) = differences([each.difference], "", plan, margin=0.0)
        low, high = stats.t.interval(
            0.95, len(each.difference) - 1, np.mean(each.difference), stats.sem(each.difference)
        )
        if ours.low is not None and ours.high is not None:
            ratios.append((ours.high - ours.low) / float(high - low))
    return Row(
        "width of a comparison's interval",
        named("scipy", "t.interval"),
        len(ratios),
        None,
        "by design the farther of Student's and the BCa bootstrap's at each end: "
        f"{spread_of(ratios)} times as wide as Student's, never narrower",
        min(ratios) > 1 - ROUNDING,
    )
