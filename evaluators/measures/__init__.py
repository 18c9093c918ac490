"""Measures of a run, one value for each query.

Two families under one roof. `nDCG@10`, `P@5`, `RR` and the like are computed from whole grades by
`ir-measures` and equal `trec_eval`. `EnDCG@10` takes the grade distributions as they are: a gain
is an expected gain, so a labeler's doubt is not rounded away.
"""

from __future__ import annotations

from relevance_eval.evaluators.measures.definition import Measure, parse_measure
from relevance_eval.evaluators.measures.measure import Values, measure_run

__all__ = ["Measure", "Values", "measure_run", "parse_measure"]
