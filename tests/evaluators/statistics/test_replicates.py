"""Many replicates at once are tested as each would be alone."""

from __future__ import annotations

import numpy as np
import pytest

from relevance_eval.evaluators.statistics import max_t, sign_flip_p
from relevance_eval.evaluators.statistics.replicates import replicate_p_values


def drawn(replicates: int, pairs: int, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.05, 0.2, (replicates, pairs, count))


def test_p_values_are_exact_for_few_queries() -> None:
    columns = drawn(20, 2, 9)
    found = replicate_p_values(columns, stepped=False, seed=0, permutations=100)
    expected = [[sign_flip_p(c, seed=0) for c in replicate] for replicate in columns]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_stepped_p_values_are_those_of_max_t_for_few_queries() -> None:
    columns = drawn(20, 3, 9)
    found = replicate_p_values(columns, stepped=True, seed=0, permutations=100)
    expected = [max_t(list(replicate), seed=0) for replicate in columns]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize("stepped", [True, False])
def test_p_values_of_many_queries_are_near_those_of_the_test(stepped: bool) -> None:
    columns = drawn(12, 3, 60)
    found = replicate_p_values(columns, stepped=stepped, seed=0, permutations=10_000)
    expected = [
        max_t(list(r), seed=0) if stepped else [sign_flip_p(c, seed=0) for c in r] for r in columns
    ]
    assert found == pytest.approx(np.array(expected), abs=0.025)


def test_ties_count_as_extreme_in_single_precision_too() -> None:
    values = np.array([[[0.1, 0.2, 0.3, -0.1, 0.7, 0.1]]])
    found = replicate_p_values(values, stepped=False, seed=0, permutations=100)
    assert found[0, 0] == sign_flip_p(values[0, 0], seed=0)


@pytest.mark.parametrize("stepped", [True, False])
def test_no_difference_has_p_1(stepped: bool) -> None:
    columns = np.zeros((3, 2, 30))
    found = replicate_p_values(columns, stepped=stepped, seed=0, permutations=1000)
    assert (found == 1.0).all()


def test_the_blocks_that_it_is_done_in_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = drawn(30, 2, 40)
    whole = replicate_p_values(columns, stepped=True, seed=0, permutations=1000)
    monkeypatch.setattr("relevance_eval.evaluators.statistics.replicates.CELLS", 5000)
    parts = replicate_p_values(columns, stepped=True, seed=0, permutations=1000)
    assert parts == pytest.approx(whole, abs=0.002)
