"""Expected reciprocal rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relevance_eval.evaluators.judgment import GRADES

__all__ = ["expected_reciprocal_rank"]


def expected_reciprocal_rank(
    ranked: Sequence[str], grades: Mapping[str, int], *, depth: int
) -> float:
    """ERR@depth = Σ_r 1/r · R_r · Π_{i<r} (1 - R_i), with R = (2^grade - 1) / 2^highest grade.

    Chapelle et al., CIKM 2009; equals TREC's `gdeval.pl` on its five decimals. It is written out
    here because `ir-measures` computes it by that Perl script, and Perl may be absent.

    Returns:
        0 (inclusive) to 1.
    """
    unsatisfied, total = 1.0, 0.0
    for rank, document_id in enumerate(ranked[:depth], start=1):
        satisfied = (2 ** grades.get(document_id, 0) - 1) / 2 ** GRADES[-1]
        total += unsatisfied * satisfied / rank
        unsatisfied *= 1 - satisfied
    return total
