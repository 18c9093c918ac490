"""Holm's correction for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, 0 to 1 (Holm 1979).

    The i-th smallest of m is multiplied by m - i + 1; none is below one that was smaller. Rejecting
    where the adjusted p is at most alpha keeps the chance of any false alarm at alpha, however the
    tests depend on each other.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
