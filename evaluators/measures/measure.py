"""A measure by name, and its values for the queries of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ir_measures

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.judgment import RELEVANT, Judgment
from relevance_eval.evaluators.measures.discount import Gain
from relevance_eval.evaluators.measures.err import expected_reciprocal_rank
from relevance_eval.evaluators.measures.expected_ndcg import expected_gain, expected_ndcg
from relevance_eval.evaluators.measures.positions import position_weights
from relevance_eval.evaluators.run import Run

__all__ = ["Measure", "Values", "measure_run", "parse_measure"]

Values = Mapping[str, float]
"""Query id to value, in the query set's order; queries that a policy leaves out are absent."""
Judged = Mapping[str, Mapping[str, Judgment]]
"""Query id to document id to graded judgment, over the pool of all rankers compared."""
NoGain = Literal["zero", "skip"]

NAME = re.compile(
    r"(?P<kind>EnDCG|nDCG|sDCG|RBP|P|RR|ERR|AP|R|Judged)(?:@(?P<depth>[1-9]\d{0,3}))?"
)
NEEDS_DEPTH = {"EnDCG", "sDCG", "RBP", "P", "R", "ERR", "Judged"}


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of one ranked list.

    Attributes:
        kind: EnDCG, nDCG, sDCG, RBP, P, R, RR, AP, ERR or Judged.
        depth: ranks that count; None for all that were pulled.
        relevant: the lowest grade that is relevant, for P, R, RR and AP.
        gain: linear (as `trec_eval`) or exponential, for EnDCG, nDCG, sDCG and RBP.
        persistence: of RBP, how likely a user goes on to the next rank, above 0 and below 1.
    """

    kind: str
    depth: int | None
    relevant: int = RELEVANT
    gain: Gain = "linear"
    persistence: float = 0.8

    def __str__(self) -> str:
        return self.kind + (f"@{self.depth}" if self.depth else "")

    def ir_measure(self) -> Any:
        """The measure of `ir-measures` that computes this one."""
        relevant = f"(rel={self.relevant})" if self.kind in ("P", "R", "RR", "AP") else ""
        depth = f"@{self.depth}" if self.depth else ""
        return ir_measures.parse_measure(f"{self.kind}{relevant}{depth}")


def parse_measure(name: str, *, relevant: int = RELEVANT, gain: Gain = "linear") -> Measure:
    """`nDCG@10` as a Measure. Raises UsageError for a name that is not one."""
    match = NAME.fullmatch(name.strip())
    if not match or (match["kind"] in NEEDS_DEPTH and not match["depth"]):
        raise UsageError(
            f"{name!r} is not a measure",
            remedy="EnDCG@k, nDCG@k, sDCG@k, RBP@k, P@k, R@k, RR, RR@k, AP, ERR@k or Judged@k, "
            "say EnDCG@10",
        )
    kind, depth = match["kind"], match["depth"]
    if kind == "nDCG" and gain == "exponential":
        raise UsageError(
            "nDCG is trec_eval's, with linear gain",
            remedy="use EnDCG for exponential gain, or set gain = 'linear'",
        )
    return Measure(kind, int(depth) if depth else None, relevant, gain)


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
