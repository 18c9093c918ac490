"""Tests and intervals over per-query differences. The unit is always the query, never the pair."""

from __future__ import annotations

from relevance_eval.evaluators.statistics.bca import bca_interval
from relevance_eval.evaluators.statistics.detectable import smallest_detectable
from relevance_eval.evaluators.statistics.equivalence import equivalence_p
from relevance_eval.evaluators.statistics.holm import holm
from relevance_eval.evaluators.statistics.interval import Interval, mean_interval
from relevance_eval.evaluators.statistics.max_t import max_t
from relevance_eval.evaluators.statistics.needed import queries_needed
from relevance_eval.evaluators.statistics.non_inferiority import non_inferiority_p
from relevance_eval.evaluators.statistics.paired_t import paired_t_p
from relevance_eval.evaluators.statistics.sign_flip import sign_flip_p

__all__ = [
    "Interval",
    "bca_interval",
    "equivalence_p",
    "holm",
    "max_t",
    "mean_interval",
    "non_inferiority_p",
    "paired_t_p",
    "queries_needed",
    "sign_flip_p",
    "smallest_detectable",
]
