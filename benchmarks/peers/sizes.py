"""How small a difference a query set finds, and how many queries it takes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence

import numpy as np
from differences import normal
from statsmodels.stats.power import TTestPower
from table import Row, named, spread_of

from relevance_eval.evaluators.statistics import queries_needed, smallest_detectable


def size_rows(options: argparse.Namespace) -> Iterator[Row]:
    """The formula with t quantiles against the noncentral t distribution."""
    levels = [(alpha, power) for alpha in (0.05, 0.01) for power in (0.8, 0.9, 0.95)]
    for counts in ((5, 8), (10, 20, 30), (50, 100, 400, 2000)):
        found: list[tuple[float, float]] = []
        for alpha, power in levels:
            for count in counts:
                values = normal(np.random.default_rng([options.seed, count]), count)
                ours = smallest_detectable(values, alpha=alpha, power=power) or 0.0
                effect = TTestPower().solve_power(nobs=count, alpha=alpha, power=power)
                found.append((ours / float(np.std(values, ddof=1)), float(np.squeeze(effect))))
        ratios = [a / b for a, b in found if math.isfinite(b)]
        yield Row(
            f"smallest detectable difference / sd, {counts[0]} to {counts[-1]} queries",
            named("statsmodels", "TTestPower.solve_power"),
            len(ratios),
            max(abs(a - b) for a, b in found),
            "by design, t quantiles in place of the noncentral t distribution: "
            f"{spread_of(ratios)} times as large",
            max(abs(r - 1) for r in ratios) < (0.25 if counts[0] < 10 else 0.05),
        )
    yield needed_row(levels)


def needed_row(levels: Sequence[tuple[float, float]]) -> Row:
    more: list[int] = []
    for alpha, power in levels:
        for target in (0.005, 0.01, 0.02, 0.05, 0.1):
            for spread in (0.1, 0.15, 0.2, 0.3):
                exact = TTestPower().solve_power(target / spread, alpha=alpha, power=power)
                theirs = max(2, math.ceil(float(np.squeeze(exact)) - 1e-6))
                more.append(queries_needed(spread, target, alpha=alpha, power=power) - theirs)
    spread = f"{min(more)} to {max(more)}"
    return Row(
        "queries needed",
        named("statsmodels", "TTestPower.solve_power"),
        len(more),
        float(max(abs(m) for m in more)),
        f"by design as above: {spread} queries more, the same number in {more.count(0)}",
        max(abs(m) for m in more) <= 3,
    )
