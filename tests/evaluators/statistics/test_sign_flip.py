"""The permutation test: exact where it can be, seeded where it cannot, never 0."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from relevance_eval.evaluators.statistics import sign_flip_p

HUNDREDTHS = st.integers(-100, 100).map(lambda n: n / 100)


def by_brute_force(hundredths: list[int]) -> float:
    """In whole numbers, so that nothing is rounded."""
    observed = abs(sum(hundredths))
    patterns = list(itertools.product((-1, 1), repeat=len(hundredths)))
    sums = [sum(s * h for s, h in zip(p, hundredths, strict=True)) for p in patterns]
    return sum(abs(s) >= observed for s in sums) / len(patterns)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(-100, 100), max_size=10))
def test_p_is_exact_for_few_queries(hundredths: list[int]) -> None:
    differences = np.array([h / 100 for h in hundredths])
    assert sign_flip_p(differences, seed=0) == pytest.approx(by_brute_force(hundredths), abs=1e-12)


@pytest.mark.parametrize("wins", [1, 2, 6, 20])
def test_p_of_wins_alone_is_that_of_two_patterns(wins: int) -> None:
    differences = np.array([0.1] * wins + [0.0] * 30)
    assert sign_flip_p(differences, seed=0) == 2 / 2**wins


@pytest.mark.parametrize("differences", [[], [0.0], [0.0] * 50])
def test_p_is_1_where_no_query_differs(differences: list[float]) -> None:
    assert sign_flip_p(np.array(differences), seed=0) == 1.0


def test_p_is_never_0_and_smallest_when_no_pattern_is_as_extreme() -> None:
    assert sign_flip_p(np.full(60, 0.5), seed=0, permutations=999) == 1 / 1000


def test_the_same_seed_gives_the_same_p_and_another_seed_another() -> None:
    differences = np.random.default_rng(5).normal(0.05, 0.2, 80)
    found = [sign_flip_p(differences, seed=seed) for seed in (0, 0, 1, 2)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    assert found == pytest.approx([found[0]] * 4, abs=0.02)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_p_is_exactly_scipys_where_it_tries_every_pattern(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.05, 0.2, count)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(differences, seed=0) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_p_is_scipys_to_monte_carlo_error_where_it_draws() -> None:
    differences = np.random.default_rng(6).normal(0.02, 0.2, 100)
    theirs = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    )
    ours = sign_flip_p(differences, seed=0, permutations=20_000)
    assert ours == pytest.approx(theirs.pvalue, abs=0.015)


def test_a_drawn_p_is_near_the_t_tests() -> None:
    differences = np.random.default_rng(6).normal(0.0, 0.2, 200)
    reference = float(stats.ttest_1samp(differences, 0).pvalue)
    assert 0.05 < reference < 0.95
    assert sign_flip_p(differences, seed=0, permutations=100_000) == pytest.approx(
        reference, abs=0.02
    )


def test_a_drawn_p_is_near_the_exact_one() -> None:
    few = np.random.default_rng(7).normal(0.05, 0.2, 20)
    exact = sign_flip_p(few, seed=0)
    # One hair of a difference more, and there are too many for all patterns.
    drawn = sign_flip_p(np.append(few, 1e-9), seed=0, permutations=200_000)
    assert drawn == pytest.approx(exact, abs=0.005)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(HUNDREDTHS, min_size=1, max_size=40), st.integers(0, 2**32))
def test_swapping_the_rankers_gives_the_same_p(values: list[float], seed: int) -> None:
    differences = np.array(values)
    p = sign_flip_p(differences, seed=seed, permutations=500)
    assert sign_flip_p(-differences, seed=seed, permutations=500) == p
    assert 0 < p <= 1


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(HUNDREDTHS, min_size=1, max_size=40), st.integers(0, 2**32))
def test_the_order_of_the_queries_does_not_matter(values: list[float], seed: int) -> None:
    shuffled = random.Random(seed).sample(values, len(values))
    assert sign_flip_p(np.array(shuffled), seed=0, permutations=500) == (
        sign_flip_p(np.array(values), seed=0, permutations=500)
    )


def test_the_order_of_many_queries_does_not_matter_either() -> None:
    differences = np.random.default_rng(10).normal(0.03, 0.2, 60)
    assert sign_flip_p(differences[::-1], seed=0) == sign_flip_p(differences, seed=0)


def test_a_sum_that_is_nothing_but_rounding_is_no_difference() -> None:
    differences = np.array([-0.3, -0.4, 0.7, 0.3, 0.1, -0.1, 0.4, -0.3, -0.6, 0.2])
    assert sign_flip_p(differences, seed=0) == 1.0


def test_false_alarms_are_as_rare_as_the_level_says() -> None:
    generator = np.random.default_rng(8)
    draws = [generator.normal(0, 0.2, 30) for _ in range(400)]
    alarms = sum(sign_flip_p(d, seed=0, permutations=399) <= 0.05 for d in draws)
    assert 5 <= alarms <= 38  # 20 are expected; beyond four standard deviations is no chance
