"""Reciprocal rank fusion on the client's side."""

from __future__ import annotations

from collections.abc import Sequence

from relevance_eval.evaluators.run import Hit, Result, order_hits

__all__ = ["fuse"]


def fuse(parts: Sequence[Result], *, constant: int, k: int) -> Result:
    """The k best by Σ 1 / (constant + rank); ties by falling document id.

    `took` is the sum of the parts' (as if asked one after the other), a problem of any part is
    one of the whole, and where a part has no answer, the whole has none.
    """
    scores: dict[str, float] = {}
    for part in parts:
        for rank, hit in enumerate(part.hits, start=1):
            scores[hit.document_id] = scores.get(hit.document_id, 0.0) + 1 / (constant + rank)
    hits = order_hits(Hit(i, s) for i, s in scores.items())[:k]
    took = [p.took for p in parts if p.took is not None]
    problems = [p.problem for p in parts if p.problem]
    problem = "; ".join(problems) or None
    if any(p.failed for p in parts):
        return Result((), None, problem, failed=True)
    return Result(hits, sum(took) if took else None, problem)
