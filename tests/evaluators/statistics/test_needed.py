"""How many queries it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from relevance_eval.evaluators.statistics import queries_needed, smallest_detectable


def detectable(count: int, spread: float) -> float:
    t = stats.t(count - 1)
    return float((t.ppf(0.975) + t.ppf(0.8)) * spread / math.sqrt(count))


@settings(derandomize=True, deadline=None)
@given(st.floats(0.001, 0.6), st.floats(0.005, 0.5))
def test_one_query_fewer_would_not_do(spread: float, target: float) -> None:
    count = queries_needed(spread, target)
    assert detectable(count, spread) <= target * (1 + 1e-9)
    assert count == 2 or detectable(count - 1, spread) > target * (1 - 1e-9)


def test_it_is_the_smallest_detectable_difference_solved_for_n() -> None:
    values = np.random.default_rng(1).normal(0, 0.2, 80)
    detectable_here = smallest_detectable(values)
    assert detectable_here is not None
    assert queries_needed(float(np.std(values, ddof=1)), detectable_here * (1 + 1e-9)) == 80


@pytest.mark.parametrize(
    ("spread", "target", "classic"),
    [(0.1, 0.01, 786), (0.15, 0.01, 1766), (0.2, 0.01, 3140), (0.1, 0.02, 197), (0.2, 0.02, 785)],
)
def test_it_is_the_classic_formula_and_a_query_or_two(
    spread: float, target: float, classic: int
) -> None:
    assert classic - 3 <= queries_needed(spread, target) <= classic + 3


def test_more_power_or_a_sharper_level_takes_more() -> None:
    plain = queries_needed(0.1, 0.02)
    assert queries_needed(0.1, 0.02, alpha=0.01) > plain
    assert queries_needed(0.1, 0.02, power=0.95) > plain


def test_queries_that_never_differ_take_the_fewest_that_a_test_can_have() -> None:
    assert queries_needed(0.0, 0.01) == 2


@pytest.mark.parametrize("target", [0.0, -0.1])
def test_no_number_of_queries_finds_no_difference(target: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        queries_needed(0.1, target)
