"""Lines of the table, and what the numbers in them claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from scipy import stats

Pairs = Sequence[tuple[float, float]]
"""Our number and the peer's."""

ROUNDING = 1e-9
"""Numbers that are closer than this are the same."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        inputs: how many of them both sides had a number for.
        largest: absolute difference, or None where it would say nothing.
        found: what the numbers say, in words.
        holds: whether it is what was claimed.
    """

    quantity: str
    peer: str
    inputs: int
    largest: float | None
    found: str
    holds: bool = True

    def __str__(self) -> str:
        largest = "" if self.largest is None else f"{self.largest:.1e}"
        cells = (self.quantity, self.peer, f"{self.inputs:,}", largest, self.found)
        return f"| {' | '.join(cells)} |"


def named(package: str, what: str) -> str:
    return f"{package} {version(package)} `{what}`"


def pairs(ours: Sequence[float], theirs: Sequence[float]) -> Pairs:
    return list(zip(ours, theirs, strict=True))


def same(quantity: str, peer: str, numbers: Pairs, note: str = "") -> Row:
    """A claim that both are one number, wherever the peer has one."""
    both = np.array([p for p in numbers if math.isfinite(p[1])])
    largest = float(np.abs(both[:, 0] - both[:, 1]).max())
    beyond = int(np.count_nonzero(~(np.abs(both[:, 0] - both[:, 1]) <= ROUNDING)))  # nor NaN
    says = "the same to rounding" if not beyond else f"**{beyond} differ**"
    if absent := len(numbers) - len(both):
        says += f"; of {absent} more inputs the peer has no number"
    return Row(quantity, peer, len(both), largest, says + note, not beyond)


def chance(
    quantity: str,
    peer: str,
    numbers: Pairs,
    errors: Sequence[float],
    note: str = "",
    *,
    claimed: bool = True,
) -> Row:
    """A claim that both estimate one number, each from its own random draws.

    Args:
        errors: standard error of each difference.
        claimed: False where it is known that they do not.
    """
    both, scale = np.array(numbers), np.maximum(np.array(errors), 1e-12)
    apart = both[:, 0] - both[:, 1]
    beyond = int(np.count_nonzero(~(np.abs(apart) <= 1.96 * scale)))
    holds = stats.binomtest(beyond, len(both), 0.05, "greater").pvalue > 0.001
    otherwise = "**not by chance alone**" if claimed else "by design not the same"
    says = (
        f"{'the same but for chance' if holds else otherwise}: {beyond / len(both):.1%} are more "
        f"than 1.96 standard errors apart (5% would be), on average {apart.mean():+.1e}"
    )
    return Row(
        quantity,
        peer,
        len(both),
        float(np.abs(apart).max()),
        says + note,
        bool(holds) or not claimed,
    )


def spread_of(ratios: Sequence[float]) -> str:
    low, middle, high = np.quantile(ratios, [0, 0.5, 1])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"
