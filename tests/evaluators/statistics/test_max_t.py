"""MaxT: exact for few queries, never more lenient than each test alone, sharper than Holm."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.statistics import holm, max_t, sign_flip_p

CENTS = st.integers(-100, 100)
TABLES = st.integers(2, 4).flatmap(
    lambda m: st.lists(st.tuples(*[CENTS] * m), min_size=1, max_size=8)
)


def columns(table: list[tuple[int, ...]]) -> list[npt.NDArray[np.float64]]:
    return [np.array(c) / 100 for c in zip(*table, strict=True)]


def by_brute_force(table: list[tuple[int, ...]]) -> list[float]:
    """Every pattern and every step spelled out."""
    data = np.array(table, dtype=np.float64)
    norms = np.sqrt((data**2).sum(axis=0))
    live = [j for j in range(data.shape[1]) if norms[j] > 0]
    observed = {j: abs(data[:, j].sum()) / norms[j] for j in live}
    patterns = [np.array(s) for s in itertools.product((-1, 1), repeat=len(data))]
    falling = sorted(live, key=lambda j: -observed[j])
    adjusted, highest = [1.0] * data.shape[1], 0.0
    for step, j in enumerate(falling):
        rest = falling[step:]
        largest = [max(abs((s @ data)[i]) / norms[i] for i in rest) for s in patterns]
        p = sum(top >= observed[j] - 1e-9 for top in largest) / len(patterns)
        highest = max(highest, p)
        adjusted[j] = highest
    return adjusted


@settings(derandomize=True, deadline=None, max_examples=40)
@given(TABLES)
def test_adjusted_p_values_are_exact_for_few_queries(table: list[tuple[int, ...]]) -> None:
    assert max_t(columns(table), seed=0) == pytest.approx(by_brute_force(table), abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(TABLES)
def test_an_adjusted_p_is_between_the_raw_one_and_bonferronis(
    table: list[tuple[int, ...]],
) -> None:
    found = columns(table)
    raw = [sign_flip_p(c, seed=0) for c in found]
    for p, adjusted in zip(raw, max_t(found, seed=0), strict=True):
        assert p - 1e-12 <= adjusted <= min(1.0, len(found) * max(raw)) + 1e-12


@settings(derandomize=True, deadline=None, max_examples=40)
@given(TABLES, st.randoms(use_true_random=False))
def test_neither_order_nor_swapping_the_rankers_matters(
    table: list[tuple[int, ...]], order: object
) -> None:
    rows, places = list(range(len(table))), list(range(len(table[0])))
    order.shuffle(rows)  # type: ignore[attr-defined]
    order.shuffle(places)  # type: ignore[attr-defined]
    found = columns(table)
    plain = max_t(found, seed=0)
    assert max_t([c[rows] for c in found], seed=0) == plain
    assert max_t([-c for c in found], seed=0) == plain
    assert max_t([found[i] for i in places], seed=0) == pytest.approx([plain[i] for i in places])


def test_order_and_swapping_do_not_matter_for_many_queries_either() -> None:
    data = np.random.default_rng(3).normal(0.03, 0.2, (3, 60))
    plain = max_t(list(data), seed=0, permutations=2000)
    assert max_t(list(data[:, ::-1]), seed=0, permutations=2000) == plain
    assert max_t(list(-data), seed=0, permutations=2000) == plain
    assert max_t(list(data[::-1]), seed=0, permutations=2000) == plain[::-1]


def test_one_ranker_has_the_p_of_the_sign_flip_test() -> None:
    values = np.random.default_rng(4).normal(0.02, 0.2, 60)
    assert max_t([values], seed=5) == [sign_flip_p(values, seed=5)]


def test_twins_pay_for_one_test_and_not_for_two() -> None:
    values = np.random.default_rng(4).normal(0.05, 0.2, 60)
    raw = sign_flip_p(values, seed=0)
    assert max_t([values, values], seed=0) == pytest.approx([raw, raw], abs=0.01)
    assert holm([raw, raw]) == [2 * raw, 2 * raw]


def test_columns_without_a_difference_have_p_1_and_cost_nothing() -> None:
    values = np.random.default_rng(4).normal(0.05, 0.2, 60)
    alone = max_t([values], seed=0)
    assert max_t([np.zeros(60), values], seed=0) == pytest.approx([1.0, *alone], abs=0.01)
    assert max_t([np.zeros(9), np.zeros(9)], seed=0) == [1.0, 1.0]
    assert max_t([np.zeros(0), np.zeros(0)], seed=0) == [1.0, 1.0]


def test_p_is_never_0() -> None:
    assert max_t([np.full(60, 0.5), np.full(60, 0.1)], seed=0, permutations=999) == [0.001, 0.001]


def test_the_same_seed_gives_the_same_p_and_another_seed_another() -> None:
    data = list(np.random.default_rng(5).normal(0.05, 0.2, (3, 80)))
    found = [max_t(data, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert found[0] == pytest.approx(found[2], abs=0.02)


def test_any_false_alarm_is_as_rare_as_the_level_says() -> None:
    generator = np.random.default_rng(8)
    alarms = 0
    for _ in range(400):
        baseline, rankers = generator.beta(0.5, 0.5, 30), generator.beta(0.5, 0.5, (4, 30))
        alarms += min(max_t(list(rankers - baseline), seed=0, permutations=399)) <= 0.05
    assert 6 <= alarms <= 34  # 20 are expected; beyond three standard deviations is no chance
