"""Cut points on the expected grade, from which a labeler names one grade.

A calibrated labeler that is unsure expects middling grades, so the nearest whole grade is hardly
ever a high one. Cut points that maximise quadratic-weighted kappa on human grades name them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_cuts", "named_grades"]

_GRADES = 4
_CANDIDATES = 100  # quantiles of the expected grade that are tried for each cut point
_ALWAYS, _NEVER = 0.0, 4.0  # cut points that every expected grade reaches, and that none does
_ROUNDS = 5  # over the three cut points; the second rarely changes anything


def named_grades(expected: NDArray[np.float64], cuts: Sequence[float]) -> NDArray[np.int64]:
    """The number of cut points that each expected grade [n] reaches, 0 to 3."""
    return (expected[:, None] >= np.asarray(cuts)).sum(axis=1).astype(np.int64)


def fit_cuts(
    expected: Sequence[NDArray[np.float64]], grades: Sequence[NDArray[np.int64]]
) -> tuple[float, ...]:
    """Three rising cut points, each collection counting the same.

    Begins where each grade is named as often as people gave it, and moves one cut point at a time.
    A grade that nobody gave is never named: its cut point is that of the next one given, or 4.
    """
    share = np.concatenate([np.full(len(g), 1.0 / len(g)) for g in grades])
    given, wanted = np.concatenate(list(expected)), np.concatenate(list(grades))
    share /= share.sum()
    present = np.unique(wanted)
    cuts = [_reached(given, share, float(share[wanted >= k].sum())) for k in present[1:]]
    candidates = np.quantile(given, np.linspace(0.01, 0.999, _CANDIDATES))
    for _ in range(_ROUNDS):
        for place in range(len(cuts)):
            low = cuts[place - 1] if place else -np.inf
            high = cuts[place + 1] if place + 1 < len(cuts) else np.inf
            tried = [cuts[place], *candidates[(candidates > low) & (candidates < high)].tolist()]
            places = [named_grades(given, [*cuts[:place], c, *cuts[place + 1 :]]) for c in tried]
            kappas = [_kappa(present[named], wanted, share) for named in places]
            cuts[place] = tried[int(np.argmax(kappas))]
    own = [_ALWAYS, *cuts, _NEVER]
    return tuple(float(own[bisect_left(present, k)]) for k in range(1, _GRADES))


def _reached(given: NDArray[np.float64], share: NDArray[np.float64], wanted: float) -> float:
    """The value that this share of all weight reaches."""
    order = np.argsort(-given, kind="stable")
    place = int(np.searchsorted(np.cumsum(share[order]), wanted))
    return float(given[order[min(place, len(order) - 1)]])


def _kappa(
    given: NDArray[np.int64], wanted: NDArray[np.int64], share: NDArray[np.float64]
) -> float:
    """Quadratic-weighted kappa of weighted pairs (Cohen 1968)."""
    confusion = np.zeros((_GRADES, _GRADES))
    np.add.at(confusion, (wanted, given), share)
    gap = np.subtract.outer(np.arange(_GRADES), np.arange(_GRADES)) ** 2
    chance = np.outer(confusion.sum(axis=1), confusion.sum(axis=0))
    return 1.0 - float((gap * confusion).sum()) / float((gap * chance).sum())
