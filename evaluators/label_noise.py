"""What the labeler's own doubt does to a difference and to the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import Interval, equivalence_p, holm
from relevance_eval.evaluators.statistics.replicates import replicate_p_values
from relevance_eval.evaluators.statistics.spread import standard_deviation
from relevance_eval.evaluators.verdict import Verdict, decide

__all__ = ["LabelNoise", "flip_risks", "label_noise", "widened"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """How the mean difference varies over sets of labels drawn from the grade distributions.

    Attributes:
        spread: standard deviation over the draws, in the measure's unit.
        shift: mean over the draws minus the measured difference. It is not 0 where a measure is
            not linear in the labels: a drawn ideal is higher than that of expected gains, and whole
            grades are rounded.
    """

    spread: float
    shift: float


def label_noise(drawn: Floats, column: Floats) -> LabelNoise:
    """Noise of the mean of differences.

    Args:
        drawn: differences under each set of labels, shape [draws, n], of two draws or more.
        column: the measured ones, shape [n].
    """
    if not len(column):
        return LabelNoise(0.0, 0.0)
    means = drawn.mean(axis=1)
    measured = math.fsum(column) / len(column)
    # Of one sum each, so that swapping rankers turns the sign of the shift and nothing else.
    return LabelNoise(standard_deviation(means), float(means.mean()) - measured)


def widened(interval: Interval, noise: LabelNoise | None, level: float = 0.95) -> Interval:
    """The interval of queries and labels together; never inside the one given.

    Variances add: by the law of total variance, a difference that people would have measured on
    such queries varies by the variance over queries of its expectation, and by the expectation of
    its variance over labels. So each arm becomes sqrt(arm² + (z · spread)²). Where the draws
    lie to one side of the measured difference, the arm of that side is longer by the shift.
    """
    if noise is None or interval.low is None or interval.high is None:
        return interval
    reach = float(special.ndtri((1 + level) / 2)) * noise.spread
    below, above = max(0.0, interval.mean - interval.low), max(0.0, interval.high - interval.mean)
    low = interval.mean - math.hypot(below, reach) + min(0.0, noise.shift)
    high = interval.mean + math.hypot(above, reach) + max(0.0, noise.shift)
    return Interval(interval.mean, min(low, interval.low), max(high, interval.high))


def flip_risks(
    drawn: Sequence[Floats], verdicts: Sequence[Verdict], margin: float, plan: Plan
) -> list[float]:
    """For each pair of rankers, the share of sets of labels that lead to another verdict.

    Every set of labels is tested and corrected as the measured values are: see
    `replicate_p_values` for what differs.

    Args:
        drawn: of each pair, differences under each set of labels, shape [draws, n].
        verdicts: on the measured values.
        margin: of equivalence; 0 for none.
    """
    columns = np.stack(drawn, axis=1)
    stepped = plan.correction == "maxt"
    p_values = replicate_p_values(
        columns, stepped=stepped, seed=plan.seed, permutations=plan.permutations
    )
    flips = np.zeros(len(verdicts))
    for labels, p in zip(columns, p_values.tolist(), strict=True):
        corrected = p if stepped else holm(p)
        equivalent = holm([equivalence_p(column, margin) for column in labels])
        rows = zip(labels.mean(axis=1), corrected, equivalent, strict=True)
        found = [
            decide(difference=float(d), p=q, equivalence_p=e, rule=plan.rule) for d, q, e in rows
        ]
        flips += [f is not v for f, v in zip(found, verdicts, strict=True)]
    return [float(share) for share in flips / len(columns)]
