"""Holm's correction."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.statistics import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04], [0.02, 0.04]),
        ([0.04, 0.01], [0.04, 0.02]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.5, 0.9, 0.4], [1.0, 1.0, 1.0]),
    ],
)
def test_holm_by_hand(raw: list[float], adjusted: list[float]) -> None:
    assert holm(raw) == pytest.approx(adjusted, abs=1e-15)


@settings(derandomize=True, deadline=None)
@given(P_VALUES)
def test_an_adjusted_p_is_never_below_the_raw_one_and_keeps_its_order(raw: list[float]) -> None:
    adjusted = holm(raw)
    assert all(r <= a <= 1 for r, a in zip(raw, adjusted, strict=True))
    by_raw = [a for _, a in sorted(zip(raw, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)


@settings(derandomize=True, deadline=None)
@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_rankers_does_not_matter(raw: list[float], order: object) -> None:
    places = list(range(len(raw)))
    order.shuffle(places)  # type: ignore[attr-defined]
    adjusted = holm(raw)
    assert holm([raw[i] for i in places]) == [adjusted[i] for i in places]
