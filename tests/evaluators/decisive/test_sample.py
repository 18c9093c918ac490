"""A sample of the labels, and what is estimated from it, over many draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.decisive.sample import (
    chances_of,
    estimate,
    likely_ideals,
    lots,
)
from relevance_eval.evaluators.measures import parse_measure

Collect = Callable[..., Any]
Floats = npt.NDArray[np.float64]
SIZES = st.lists(st.just(0.0) | st.floats(1e-3, 10.0), min_size=1, max_size=30).map(np.array)
FEW = settings(derandomize=True, deadline=None, max_examples=40)
SEEDS = 1200


@FEW
@given(SIZES, st.floats(0, 1))
def test_chances_sum_to_the_count_and_go_with_the_sizes(sizes: Floats, share: float) -> None:
    positive = np.count_nonzero(sizes)
    for count in (share * positive, share * 40, positive):
        chances = chances_of(sizes, count)
        assert chances.sum() == pytest.approx(min(count, positive), abs=1e-9)
        assert ((chances >= 0) & (chances <= 1)).all()
        assert not chances[sizes == 0].any()
        unsure = (chances < 1) & (sizes > 0)
        if count and unsure.any():
            assert chances[unsure] / sizes[unsure] == pytest.approx(
                (chances[unsure] / sizes[unsure])[0]
            )
            certain = sizes[chances == 1]
            assert (certain >= sizes[unsure].max() * (1 - 1e-12)).all()


@FEW
@given(SIZES, st.floats(0, 1), st.floats(0, 1))
def test_no_unit_leaves_the_sample_as_the_count_grows(
    sizes: Floats, share: float, other: float
) -> None:
    fewer, more = (part * np.count_nonzero(sizes) for part in sorted((share, other)))
    assert (chances_of(sizes, more) >= chances_of(sizes, fewer) - 1e-12).all()


def test_a_unit_far_larger_than_the_others_is_sure() -> None:
    assert chances_of(np.array([1.0, 100.0, 1.0, 0.0]), 2) == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert chances_of(np.array([2.0, 1.0]), 1) == pytest.approx([2 / 3, 1 / 3])
    assert chances_of(np.array([2.0, 1.0]), 0).tolist() == [0, 0]
    assert chances_of(np.zeros(3), 2).tolist() == [0, 0, 0]


def test_a_lot_is_its_own_and_the_same_for_the_same_seed() -> None:
    names = [f"q\nd{i}" for i in range(2000)]
    first = lots(names, 1)
    assert lots(names[::-1], 1).tolist() == first[::-1].tolist()
    assert lots(names, 2).tolist() != first.tolist()
    assert ((first >= 0) & (first < 1)).all()
    assert np.histogram(first, 10, (0, 1))[0] == pytest.approx([200] * 10, abs=5 * 200**0.5)
    assert abs(np.corrcoef(first, lots(names, 2))[0, 1]) < 0.1
    assert lots([], 1).tolist() == []


@pytest.mark.parametrize("name", ["sDCG@5", "RBP@5", "P@5"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_an_estimate_is_without_bias_and_knows_its_spread(
    collect: Collect, name: str, share: float
) -> None:
    measure = parse_measure(name)
    found = collect(5, queries=6, documents=8, longest=6)
    stakes, gains = found.stakes(measure), found.gains(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    chances = chances_of(np.abs(weights), share * np.count_nonzero(weights))
    forecasts = np.random.default_rng(3).random(len(gains)) * stakes.highest
    names = [f"{q} {d}" for q, d in zip(stakes.query, stakes.documents, strict=True)]
    made = [
        estimate(stakes, weights, gains, forecasts, chances, lots(names, seed) < chances, 0)
        for seed in range(SEEDS)
    ]
    columns, variances = (np.array([getattr(e, n) for e in made]) for n in ("column", "variances"))
    misses = (gains - forecasts) * weights
    odds = np.divide(1 - chances, chances, out=np.zeros(len(chances)), where=chances > 0)
    truths = (stakes.column(weights, gains), stakes.sums(misses**2 * odds))
    for seen, truth in zip((columns, variances), truths, strict=True):
        errors = seen.std(axis=0, ddof=1) / SEEDS**0.5
        assert (np.abs(seen.mean(axis=0) - truth) <= 4 * errors + 1e-12).all()
    assert columns.sum(axis=1).var(ddof=1) == pytest.approx(truths[1].sum(), rel=0.15)


@pytest.mark.parametrize("name", ["EnDCG@5", "nDCG@5", "sDCG@5", "RBP@5", "P@5"])
@FEW
@given(st.integers(0, 2**32))
def test_all_labels_give_the_differences_without_any_variance(
    collect: Collect, name: str, seed: int
) -> None:
    measure = parse_measure(name)
    found = collect(seed)
    stakes, gains = found.stakes(measure), found.gains(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    forecasts = np.random.default_rng(seed).random(len(gains)) * stakes.highest
    every = np.ones(len(gains), dtype=np.bool_)
    made = estimate(stakes, weights, gains, forecasts, np.ones(len(gains)), every, 0)
    assert made.column == pytest.approx(stakes.column(weights, gains), abs=1e-12)
    assert made.variances == pytest.approx(np.zeros(len(found.queries)), abs=1e-15)


@pytest.mark.parametrize("name", ["EnDCG@5", "sDCG@5"])
def test_forecasts_that_are_right_leave_little_variance(collect: Collect, name: str) -> None:
    measure = parse_measure(name)
    found = collect(9)
    stakes, gains = found.stakes(measure), found.gains(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    chances = chances_of(np.abs(weights), 0.4 * np.count_nonzero(weights))
    sampled = lots(stakes.documents, 0) < chances
    right = estimate(stakes, weights, gains, gains, chances, sampled, 0)
    wrong = estimate(stakes, weights, gains, stakes.highest - gains, chances, sampled, 0)
    assert right.column == pytest.approx(stakes.column(weights, gains), abs=1e-12)
    assert right.variances == pytest.approx(np.zeros(len(found.queries)), abs=1e-15)
    assert (wrong.variances >= 0).all()
    assert wrong.variances.sum() > 0


def test_an_ideal_of_labels_that_are_not_known_has_little_bias(collect: Collect) -> None:
    measure = parse_measure("EnDCG@5")
    found = collect(2, queries=20)
    stakes, gains = found.stakes(measure), found.gains(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    chances = chances_of(np.abs(weights), 0.5 * np.count_nonzero(weights))
    forecasts = np.full(len(gains), gains.mean())
    names = [f"{q} {d}" for q, d in zip(stakes.query, stakes.documents, strict=True)]
    draws = [(lots(names, seed) < chances, seed) for seed in range(300)]
    ideals = [likely_ideals(stakes, gains, forecasts, sampled, seed)[0] for sampled, seed in draws]
    forecast = [stakes.ideals(np.where(sampled, gains, forecasts)) for sampled, _ in draws]
    truth = stakes.ideals(gains).mean()
    assert np.mean(ideals) == pytest.approx(truth, rel=0.03)
    assert np.mean(forecast) < 0.95 * truth
    made = [
        estimate(stakes, weights, gains, forecasts, chances, sampled, seed)
        for sampled, seed in draws
    ]
    means = np.array([e.column.mean() for e in made])
    assert abs(means.mean() - stakes.column(weights, gains).mean()) < 0.5 * means.std()
    told = np.mean([np.sqrt(e.variances.sum()) / 20 for e in made])
    assert told > 0.8 * means.std()


def test_an_ideal_is_drawn_by_its_seed(collect: Collect) -> None:
    found = collect(2)
    stakes, gains = found.stakes(parse_measure("EnDCG@5")), found.gains(parse_measure("EnDCG@5"))
    sampled, forecasts = np.arange(len(gains)) % 2 == 0, np.full(len(gains), 1.2)
    first, again, other = (
        likely_ideals(stakes, gains, forecasts, sampled, seed) for seed in (0, 0, 1)
    )
    assert [x.tolist() for x in first] == [x.tolist() for x in again]
    assert first[0].tolist() != other[0].tolist()
    for every in (np.ones_like(sampled), np.zeros_like(sampled)):
        ideals, doubt = likely_ideals(stakes, gains, gains, every, 0)
        assert ideals.tolist() == stakes.ideals(gains).tolist()
        assert not doubt.any()
