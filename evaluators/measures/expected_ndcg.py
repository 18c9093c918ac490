"""nDCG of expected gains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.measures.discount import Gain, dcg, gain_of

__all__ = ["expected_gain", "expected_ndcg"]


def expected_gain(judgment: Judgment, gain: Gain) -> float:
    """Σ_g P(g) · gain(g): 0 to 3 (linear) or 0 to 7 (exponential)."""
    pairs = zip(GRADES, judgment.probabilities, strict=True)
    return math.fsum(p * gain_of(g, gain) for g, p in pairs)


def expected_ndcg(
    ranked: Sequence[str],
    judged: Mapping[str, Judgment],
    *,
    depth: int,
    gain: Gain = "linear",
) -> float | None:
    """DCG of expected gains, divided by that of the best order of everything judged.

    Since `judged` is the pool of all rankers compared, they share one ideal. Where every
    distribution is certain, this is `trec_eval`'s ndcg_cut (linear gain) to rounding error.
    An unjudged document gains nothing, as there. Expected gains of an ideal are at most the
    expectation of the ideal gain (Jensen), so the level is a little high; comparing rankers on
    the same ideal does not suffer from that.

    Args:
        ranked: document ids, best first.
        judged: graded judgments of the query, by document id.
        depth: ranks that count, 1 or more.

    Returns:
        0 to 1, or None where nothing judged has any gain, so that no ideal exists.
    """
    gains = {i: expected_gain(j, gain) for i, j in judged.items()}
    ideal = dcg(sorted(gains.values(), reverse=True), depth)
    if ideal == 0:
        return None
    return dcg([gains.get(i, 0.0) for i in ranked], depth) / ideal
