"""Seeded per-query differences of the kinds that rankers make."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

SMALL, LARGE = (2, 3, 5, 8, 12), (20, 50, 150, 400)
"""Queries."""
GRID = 20
"""Steps of 1 in gridded differences."""


def normal(generator: np.random.Generator, count: int) -> Floats:
    return generator.normal(0.02, 0.15, count)


def skewed(generator: np.random.Generator, count: int) -> Floats:
    return generator.exponential(0.1, count) - 0.08


def mostly_zero(generator: np.random.Generator, count: int) -> Floats:
    return np.where(generator.random(count) < 0.7, 0.0, generator.normal(0.05, 0.25, count))


def gridded(generator: np.random.Generator, count: int) -> Floats:
    return generator.integers(-5, 7, count) / GRID


KINDS: Mapping[str, Draw] = {
    "normal": normal,
    "skewed": skewed,
    "mostly zero": mostly_zero,
    "gridded": gridded,
}


@dataclass(frozen=True)
class Input:
    """Values of two rankers for the same queries, each of shape [n]."""

    kind: str
    baseline: Floats
    ranker: Floats

    @property
    def difference(self) -> Floats:
        return self.ranker - self.baseline


def inputs(sizes: Sequence[int], options: argparse.Namespace) -> list[Input]:
    """One for each kind, size and seed. Baselines lie on a grid too, as measured values do."""
    found: list[Input] = []
    for place, (kind, draw) in enumerate(KINDS.items()):
        for count in sizes:
            for number in range(options.seeds):
                generator = np.random.default_rng([options.seed, place, count, number])
                baseline = generator.integers(0, 101, count) / 100
                found.append(Input(kind, baseline, baseline + draw(generator, count)))
    return found
