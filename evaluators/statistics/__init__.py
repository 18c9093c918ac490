"""Tests and intervals over per-query differences. The unit is always the query, never the pair."""

from __future__ import annotations

from relevance_eval.evaluators.statistics.detectable import smallest_detectable
from relevance_eval.evaluators.statistics.equivalence import equivalence_p
from relevance_eval.evaluators.statistics.holm import holm
from relevance_eval.evaluators.statistics.interval import Interval, mean_interval
from relevance_eval.evaluators.statistics.paired_t import paired_t_p
from relevance_eval.evaluators.statistics.sign_flip import sign_flip_p

__all__ = [
    "Interval",
    "equivalence_p",
    "holm",
    "mean_interval",
    "paired_t_p",
    "sign_flip_p",
    "smallest_detectable",
]
