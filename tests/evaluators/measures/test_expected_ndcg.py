"""nDCG of expected gains, on an ideal that all rankers share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures.discount import Gain
from relevance_eval.evaluators.measures.expected_ndcg import expected_gain, expected_ndcg

SOFT = {
    "a": Judgment("m", (0.1, 0.2, 0.3, 0.4)),  # expects 2.0, and 1 · 0.2 + 3 · 0.3 + 7 · 0.4 = 3.9
    "b": Judgment("m", (0.5, 0.5, 0.0, 0.0)),  # expects 0.5, and 0.5
    "c": Judgment("m", (0.5, 0.0, 0.0, 0.5)),  # expects 1.5, and 3.5
}
SECOND, THIRD = 1 / math.log2(3), 1 / 2


@pytest.mark.parametrize(
    ("gain", "gains"),
    [("linear", (2.0, 0.5, 1.5)), ("exponential", (3.9, 0.5, 3.5))],
)
def test_a_gain_is_the_mean_over_the_distribution(gain: Gain, gains: tuple[float, ...]) -> None:
    assert [expected_gain(j, gain) for j in SOFT.values()] == pytest.approx(gains, abs=1e-12)


@pytest.mark.parametrize(
    ("ranked", "depth", "gain", "value"),
    [
        ("b a c", 3, "linear", (0.5 + 2 * SECOND + 1.5 * THIRD) / (2 + 1.5 * SECOND + 0.5 * THIRD)),
        ("b a c", 2, "linear", (0.5 + 2 * SECOND) / (2 + 1.5 * SECOND)),
        ("x c", 3, "linear", 1.5 * SECOND / (2 + 1.5 * SECOND + 0.5 * THIRD)),
        ("b c", 2, "exponential", (0.5 + 3.5 * SECOND) / (3.9 + 3.5 * SECOND)),
        ("a c b", 3, "exponential", 1.0),
        ("a", 1, "linear", 1.0),
        ("x y", 3, "linear", 0.0),
        ("", 3, "linear", 0.0),
    ],
)
def test_expected_ndcg_by_hand(ranked: str, depth: int, gain: Gain, value: float) -> None:
    found = expected_ndcg(ranked.split(), SOFT, depth=depth, gain=gain)
    assert found == pytest.approx(value, abs=1e-12)


def test_the_ideal_is_made_of_all_that_was_judged_not_of_what_the_ranker_found() -> None:
    alone = expected_ndcg(["b"], {"b": SOFT["b"]}, depth=1)
    shared = expected_ndcg(["b"], SOFT, depth=1)
    assert (alone, shared) == (1.0, pytest.approx(0.5 / 2, abs=1e-12))


@pytest.mark.parametrize("judged", [{}, {"a": Judgment.certain("m", 0)}])
def test_there_is_no_value_where_nothing_has_gain(judged: dict[str, Judgment]) -> None:
    assert expected_ndcg(["a"], judged, depth=10) is None


WEIGHTS = st.tuples(*[st.integers(0, 20)] * 4).filter(any)


@settings(derandomize=True, deadline=None)
@given(
    weights=st.lists(WEIGHTS, min_size=1, max_size=8).filter(
        lambda ws: any(any(w[1:]) for w in ws)
    ),
    order=st.randoms(use_true_random=False),
    depth=st.integers(1, 10),
    gain=st.sampled_from(["linear", "exponential"]),
)
def test_expected_ndcg_is_0_to_1_and_1_for_the_best_order(
    weights: list[tuple[int, ...]], order: object, depth: int, gain: Gain
) -> None:
    judged = {
        f"d{i}": Judgment("m", tuple(w / sum(ws) for w in ws)) for i, ws in enumerate(weights)
    }
    ranked = list(judged)
    order.shuffle(ranked)  # type: ignore[attr-defined]
    found = expected_ndcg(ranked, judged, depth=depth, gain=gain)
    assert found is not None
    assert 0 <= found <= 1 + 1e-12
    best = sorted(judged, key=lambda i: expected_gain(judged[i], gain), reverse=True)
    assert expected_ndcg(best, judged, depth=depth, gain=gain) == pytest.approx(1, abs=1e-12)
