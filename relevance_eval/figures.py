"""Drawings of a report as coordinates, in pixels; the template turns them into SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Bars", "Estimate", "Forest", "Row", "Tick", "bars", "forest"]

WIDTH = 720
LABELS = 230
"""Of the names to the left of intervals."""
ROW = 28
EDGE = 14
BARS_HEIGHT = 220
AXIS = 46
"""Of the numbers to the left of bars."""


@dataclass(frozen=True)
class Estimate:
    """A difference to draw, in the measure's unit; None for ends that are not known."""

    label: str
    mean: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Tick:
    """A place on an axis and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Row:
    """An interval: a line from `low` to `high` with a point at `mean`, at the height `y`."""

    label: str
    verdict: str
    y: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Forest:
    """Intervals below one another on a shared axis.

    Attributes:
        zero: place of no difference.
        margin: left and right end of the band in which a difference does not matter, or None.
    """

    width: int
    height: int
    zero: float
    margin: tuple[float, float] | None
    ticks: Sequence[Tick]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Bars:
    """Differences of queries, largest loss to largest gain.

    Attributes:
        gains, losses: paths of bars above and below the line of no difference.
    """

    width: int
    height: int
    left: int
    zero: float
    gains: str
    losses: str
    ticks: Sequence[Tick]


def forest(estimates: Sequence[Estimate], margin: float) -> Forest:
    """Args: `margin` is drawn on both sides of no difference; 0 for none."""
    ends = [0.0, margin, -margin]
    ends += [x for e in estimates for x in (e.mean, e.low, e.high) if x is not None]
    low, high = padded(min(ends), max(ends))

    def place(value: float) -> float:
        return round(LABELS + (value - low) / (high - low) * (WIDTH - LABELS - EDGE), 1)

    rows = [
        Row(
            e.label,
            e.verdict,
            EDGE + ROW * (number + 0.5),
            place(e.mean),
            place(e.mean if e.low is None else e.low),
            place(e.mean if e.high is None else e.high),
        )
        for number, e in enumerate(estimates)
    ]
    return Forest(
        width=WIDTH,
        height=2 * EDGE + ROW * len(rows) + 18,
        zero=place(0),
        margin=(place(-margin), place(margin)) if margin else None,
        ticks=[Tick(place(v), f"{v:+g}" if v else "0") for v in steps(low, high)],
        rows=rows,
    )


def bars(differences: Sequence[float]) -> Bars:
    """Args: `differences` of queries in any order, at least one."""
    ordered = sorted(differences)
    low, high = padded(min(0.0, ordered[0]), max(0.0, ordered[-1]))
    step = (WIDTH - AXIS - EDGE) / len(ordered)

    def place(value: float) -> float:
        return round(EDGE + (high - value) / (high - low) * (BARS_HEIGHT - 2 * EDGE), 1)

    zero = place(0)
    wide = round(step * (0.8 if step > 2 else 1), 2)
    paths = [
        f"M{round(AXIS + n * step, 2):g} {zero:g}V{place(value):g}h{wide:g}V{zero:g}z"
        for n, value in enumerate(ordered)
    ]
    return Bars(
        width=WIDTH,
        height=BARS_HEIGHT,
        left=AXIS,
        zero=zero,
        gains="".join(p for p, value in zip(paths, ordered, strict=True) if value > 0),
        losses="".join(p for p, value in zip(paths, ordered, strict=True) if value < 0),
        ticks=[Tick(place(v), f"{v:+g}" if v else "0") for v in steps(low, high)],
    )


def padded(low: float, high: float) -> tuple[float, float]:
    """A little room on both sides; some of it also where all is 0."""
    room = (high - low) * 0.05 or 0.01
    return low - room, high + room


def steps(low: float, high: float) -> list[float]:
    """Four to ten round numbers within the range: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(n * step, 10) for n in range(first, last + 1)]
