"""Expected reciprocal rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["expected_reciprocal_rank"]

HIGHEST = 4
"""The top of the scale that `gdeval.pl` takes for granted, whatever the grades in the qrels."""


def expected_reciprocal_rank(
    ranked: Sequence[str], grades: Mapping[str, int], *, depth: int
) -> float:
    """ERR@depth = Σ_r 1/r · R_r · Π_{i<r} (1 - R_i), with R = (2^grade - 1) / 2^4.

    Chapelle et al., CIKM 2009; equals TREC's `gdeval.pl` on its five decimals, which divides by
    2^4 on any scale: a perfect document, of grade 3, satisfies 7 readers in 16. It is written out
    here because `ir-measures` computes it by that Perl script, and Perl may be absent.

    Returns:
        0 (inclusive) to 1.
    """
    unsatisfied, total = 1.0, 0.0
    for rank, document_id in enumerate(ranked[:depth], start=1):
        satisfied = (2 ** grades.get(document_id, 0) - 1) / 2**HIGHEST
        total += unsatisfied * satisfied / rank
        unsatisfied *= 1 - satisfied
    return total
