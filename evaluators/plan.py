"""What to measure and how to decide, fixed before the runs are seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from relevance_eval.evaluators.measures import Measure, parse_measure
from relevance_eval.evaluators.measures.measure import NoGain
from relevance_eval.evaluators.verdict import Rule

__all__ = ["Correction", "Plan"]

Correction = Literal["holm", "maxt"]


@dataclass(frozen=True)
class Plan:
    """What to measure and how to decide, fixed before the runs are seen.

    Attributes:
        primary: the one measure that the verdict rests on.
        others: measures shown beside it, without a verdict.
        rule: level and margin.
        no_gain: "zero" or "skip", for queries for which nothing found has any gain.
        seed: of the permutation test, the bootstrap and the drawing of labels.
        permutations: random sign patterns where there are too many queries for all.
        changes: how many of the queries that changed most are listed.
        correction: "maxt" or "holm", of p-values where several pairs of rankers are tested.
        baselines: how many of the first rankers are baselines, 1 or more.
        target: a difference for which the number of queries needed is told, above 0.
        resamples: bootstrap samples of the interval of a difference.
        label_draws: sets of labels drawn from the grade distributions, 2 or more; 0 takes labels as
            certain.
    """

    primary: Measure = field(default_factory=lambda: parse_measure("EnDCG@10"))
    others: tuple[Measure, ...] = ()
    rule: Rule = field(default_factory=Rule)
    no_gain: NoGain = "zero"
    seed: int = 0
    permutations: int = 10_000
    changes: int = 10
    correction: Correction = "maxt"
    baselines: int = 1
    target: float = 0.01
    resamples: int = 10_000
    label_draws: int = 1000

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.primary, *(m for m in self.others if str(m) != str(self.primary)))
