"""What a rank is worth in measures that are sums over ranks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.measures.definition import Measure
from relevance_eval.evaluators.measures.discount import gain_of
from relevance_eval.evaluators.measures.expected_ndcg import expected_gain

__all__ = ["SUMS", "has_ideal", "highest_gain", "label_gain", "position_weights", "spread_of_gain"]

SUMS = ("EnDCG", "nDCG", "sDCG", "RBP", "P")
"""Measures that are Σ weight(rank) · gain(label), the first two divided by an ideal."""


def has_ideal(measure: Measure) -> bool:
    """Whether the value depends on labels of documents beyond the list measured."""
    return measure.kind in ("EnDCG", "nDCG")


def highest_gain(measure: Measure) -> float:
    """1 for precision, else the gain of the highest grade."""
    return 1.0 if measure.kind == "P" else gain_of(GRADES[-1], measure.gain)


def label_gain(measure: Measure, judgment: Judgment) -> float:
    """What a label is worth, 0 to the highest gain."""
    if measure.kind == "P":
        return float(judgment.grade >= measure.relevant)
    if measure.kind == "nDCG":
        return gain_of(judgment.grade, measure.gain)
    return expected_gain(judgment, measure.gain)


def spread_of_gain(measure: Measure, judgment: Judgment) -> float:
    """Variance of the gain over the judgment's distribution of grades."""
    pairs = list(zip(GRADES, judgment.probabilities, strict=True))
    if measure.kind == "P":
        share = math.fsum(p for g, p in pairs if g >= measure.relevant)
        return share * (1 - share)
    mean = expected_gain(judgment, measure.gain)
    return math.fsum(p * (gain_of(g, measure.gain) - mean) ** 2 for g, p in pairs)


def position_weights(measure: Measure, depth: int) -> npt.NDArray[np.float64]:
    """The weight of ranks 1 to `depth`, shape [depth].

    sDCG divides by the DCG of a list of nothing but the highest grade (Järvelin & Kekäläinen 2002,
    without an ideal of the query), RBP is that of Moffat & Zobel (2008) with gains from 0 to 1.
    """
    ranks = np.arange(1, depth + 1, dtype=np.float64)
    discounts = 1 / np.log2(ranks + 1)
    if measure.kind == "P":
        return np.full(depth, 1 / depth, dtype=np.float64)
    if measure.kind == "RBP":
        kept = measure.persistence
        return (1 - kept) * kept ** (ranks - 1) / highest_gain(measure)
    if measure.kind == "sDCG":
        return discounts / (highest_gain(measure) * discounts.sum())
    return discounts
