"""Reciprocal rank fusion on the client's side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from relevance_eval.evaluators.run import Hit, Result, order_hits

__all__ = ["fuse"]


def fuse(parts: Sequence[Result], *, constant: int, k: int) -> Result:
    """The k best by Σ 1 / (constant + rank); ties by falling document id.

    `took` is the sum of the parts' (as if asked one after the other), a problem of any part is
    one of the whole, and where a part has no answer, the whole has none.
    """
    shares: dict[str, list[float]] = {}
    for part in parts:
        for rank, hit in enumerate(part.hits, start=1):
            shares.setdefault(hit.document_id, []).append(1 / (constant + rank))
    # Summed exactly: the order of the parts must not make equal documents unequal.
    hits = order_hits(Hit(i, math.fsum(s)) for i, s in shares.items())[:k]
    took = [p.took for p in parts if p.took is not None]
    problems = [p.problem for p in parts if p.problem]
    problem = "; ".join(problems) or None
    if any(p.failed for p in parts):
        return Result((), None, problem, failed=True)
    return Result(hits, sum(took) if took else None, problem)
