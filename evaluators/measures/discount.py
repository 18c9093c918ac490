"""Discounted cumulative gain: the one formula that both families share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

__all__ = ["Gain", "dcg", "gain_of"]

Gain = Literal["linear", "exponential"]


def gain_of(grade: int, gain: Gain) -> float:
    """`grade` (linear, as `trec_eval`) or `2^grade - 1` (exponential, Burges et al. 2005)."""
    return float(grade) if gain == "linear" else float(2**grade - 1)


def dcg(gains: Sequence[float], depth: int) -> float:
    """Σ gain_r / log2(r + 1) over ranks r = 1..depth (Järvelin & Kekäläinen 2002)."""
    return math.fsum(g / math.log2(r + 1) for r, g in enumerate(gains[:depth], start=1))
