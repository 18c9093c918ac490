"""Means and intervals corrected by an audit: prediction-powered inference."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy import stats
from table import Row, named, pairs, same, spread_of

from relevance_eval.evaluators.statistics.prediction_powered import (
    Powered,
    Sample,
    prediction_powered,
)

Floats = npt.NDArray[np.float64]
AUDITS = ((200, 20), (1000, 20), (1000, 50), (1000, 100), (5000, 500))
"""Queries, and how many of them people graded."""


@dataclass(frozen=True)
class Audit:
    """A labeler's values for all queries, shape [N], of which the first n have people's too."""

    labeler: Floats
    people: Floats

    @classmethod
    def drawn(cls, queries: int, audited: int, seed: Sequence[int]) -> Audit:
        """People's mean is 0.05; the labeler is biased, and correlates with people to 0.76."""
        generator = np.random.default_rng(seed)
        people = generator.normal(0.05, 0.15, queries)
        labeler = 0.6 * people + 0.08 + generator.normal(0, 0.077, queries)
        return cls(labeler, people[:audited])

    @property
    def size(self) -> int:
        return len(self.people)

    def ours(self, weight: float | None = None) -> Powered:
        sample = Sample.simple(len(self.labeler), np.arange(self.size))
        return prediction_powered(self.labeler, self.people, sample, weight=weight)

    def parts(self) -> tuple[Floats, Floats, Floats]:
        """As ppi_py has them: its predictions leave out the audited queries."""
        return self.people, self.labeler[: self.size], self.labeler[self.size :]

    def their_mean(self, lam: float | None) -> float:
        return float(np.squeeze(ppi_mean_pointestimate(*self.parts(), lam=lam)))

    def their_interval(self, lam: float | None) -> tuple[float, float]:
        low, high = ppi_mean_ci(*self.parts(), alpha=0.05, lam=lam)
        return float(np.squeeze(low)), float(np.squeeze(high))


def powered_rows(options: argparse.Namespace) -> Iterator[Row]:
    means: list[tuple[float, float]] = []
    alone: list[tuple[float, float]] = []
    for queries, audited in AUDITS:
        for number in range(options.seeds):
            audit = Audit.drawn(queries, audited, [options.seed, queries, audited, number])
            for weight in (0.0, 0.4, 0.8, 1.0):
                lam = weight * (queries - audited) / queries
                means.append((audit.ours(weight).interval.mean, audit.their_mean(lam)))
            _, low, high = audit.ours(0.0).interval
            t = stats.t.interval(0.95, audited - 1, np.mean(audit.people), stats.sem(audit.people))
            alone += pairs((low or 0.0, high or 0.0), [float(end) for end in t])
    note = "; the same λ, scaled by the share of queries that were not audited"
    yield same(
        "corrected mean, λ given", named("ppi-python", "ppi_mean_pointestimate"), means, note
    )
    yield same("corrected interval, λ = 0", named("scipy", "t.interval of people alone"), alone)
    for queries, audited in AUDITS:
        yield from powered_intervals(queries, audited, options)


def powered_intervals(queries: int, audited: int, options: argparse.Namespace) -> Iterator[Row]:
    trials = options.trials
    given: list[float] = []
    fitted: list[float] = []
    shifts: list[float] = []
    held = np.zeros(2)
    for number in range(trials):
        audit = Audit.drawn(queries, audited, [options.seed, queries, audited, number])
        (_, low, high), theirs = (
            audit.ours(0.8).interval,
            audit.their_interval(0.8 * (queries - audited) / queries),
        )
        given.append(((high or 0.0) - (low or 0.0)) / (theirs[1] - theirs[0]))
        found, theirs = audit.ours(), audit.their_interval(None)
        low, high = found.interval.low or 0.0, found.interval.high or 0.0
        fitted.append((high - low) / (theirs[1] - theirs[0]))
        shifts.append(abs(found.interval.mean - sum(theirs) / 2) / (found.error or 1.0))
        held += [a <= 0.05 <= b for a, b in ((low, high), theirs)]
    t = stats.t(audited - 1).ppf(0.975) / 1.959963984540054 * math.sqrt(audited / (audited - 1))
    ours_held, their_held = held / trials
    peer, where = named("ppi-python", "ppi_mean_ci"), f"{audited} of {queries:,} audited"
    yield Row(
        f"width of the corrected interval, λ = 0.8, {where}",
        peer,
        trials,
        None,
        f"by design, t for z and n - 1 for n, which make it {t:.3f} times as wide: "
        f"{spread_of(given)}",
        abs(float(np.median(given)) / t - 1) < 0.05,
    )
    yield Row(
        f"corrected interval, λ fitted, {where}",
        peer,
        trials,
        None,
        f"by design, λ fitted around each query: {spread_of(fitted)} times as wide, its middle "
        f"{np.median(shifts):.2f} standard errors away at the median; it holds the true mean in "
        f"{ours_held:.1%}, ppi_py's in {their_held:.1%}",
    )
