"""The values of a measure for the queries of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import ir_measures

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures.definition import Measure
from relevance_eval.evaluators.measures.err import expected_reciprocal_rank
from relevance_eval.evaluators.measures.expected_ndcg import expected_gain, expected_ndcg
from relevance_eval.evaluators.measures.positions import position_weights
from relevance_eval.evaluators.run import Run

__all__ = ["Values", "measure_run"]

Values = Mapping[str, float]
"""Query id to value, in the query set's order; queries that a policy leaves out are absent."""
Judged = Mapping[str, Mapping[str, Judgment]]
"""Query id to document id to graded judgment, over the pool of all rankers compared."""
NoGain = Literal["zero", "skip"]


def measure_run(
    run: Run,
    query_ids: Sequence[str],
    judged: Judged,
    measure: Measure,
    no_gain: NoGain = "zero",
) -> dict[str, float]:
    """The measure for every query of the set, also for those of which the run holds nothing.

    Args:
        no_gain: what a query is worth for which nothing judged has any gain: "zero", as
            `trec_eval` has it, or "skip", which leaves it out for every ranker alike.
    """
    if measure.kind == "EnDCG":
        values = per_query(query_ids, lambda q: expected_ndcg(
            ids(run, q), judged.get(q, {}), depth=measure.depth or 0, gain=measure.gain
        ))  # fmt: skip
    elif measure.kind in ("sDCG", "RBP"):
        worth = position_weights(measure, measure.depth or 0).tolist()
        values = per_query(
            query_ids, lambda q: summed(ids(run, q), judged.get(q, {}), measure, worth)
        )
    elif measure.kind == "ERR":
        grades = {q: {i: j.grade for i, j in known.items()} for q, known in judged.items()}
        values = per_query(query_ids, lambda q: expected_reciprocal_rank(
            ids(run, q), grades.get(q, {}), depth=measure.depth or 0
        ))  # fmt: skip
    else:
        values = by_ir_measures(run, query_ids, judged, measure)
    if no_gain == "zero" or measure.kind == "Judged":
        return {q: v or 0.0 for q, v in values.items()}
    return {q: v or 0.0 for q, v in values.items() if has_gain(judged.get(q, {}), measure)}


def summed(
    ranked: Sequence[str],
    judged: Mapping[str, Judgment],
    measure: Measure,
    worth: Sequence[float],
) -> float:
    """Σ weight(rank) · expected gain; what is not judged gains nothing."""
    pairs = zip(ranked, worth, strict=False)
    return math.fsum(w * expected_gain(judged[i], measure.gain) for i, w in pairs if i in judged)


def has_gain(judged: Mapping[str, Judgment], measure: Measure) -> bool:
    if measure.kind in ("EnDCG", "sDCG", "RBP"):
        return any(j.expected > 0 for j in judged.values())
    lowest = measure.relevant if measure.kind in ("P", "R", "RR", "AP") else 1
    return any(j.grade >= lowest for j in judged.values())


def per_query(
    query_ids: Sequence[str], value: Callable[[str], float | None]
) -> dict[str, float | None]:
    return {q: value(q) for q in query_ids}


def ids(run: Run, query_id: str) -> list[str]:
    return [hit.document_id for hit in run.hits(query_id)]


def by_ir_measures(
    run: Run, query_ids: Sequence[str], judged: Judged, measure: Measure
) -> dict[str, float | None]:
    qrels = [
        ir_measures.Qrel(q, i, j.grade) for q in query_ids for i, j in judged.get(q, {}).items()
    ]
    # Falling scores by rank, because trec_eval orders by score and would break ties its own way.
    ranked = [
        ir_measures.ScoredDoc(q, i, float(-rank))
        for q in query_ids
        for rank, i in enumerate(ids(run, q))
    ]
    values: dict[str, float | None] = dict.fromkeys(query_ids)
    if qrels and ranked:
        library: Any = ir_measures  # it has no types of its own
        for metric in library.iter_calc([measure.ir_measure()], qrels, ranked):
            values[metric.query_id] = float(metric.value)
    return values
