"""What a label will say, forecast without a look at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.decisive.forecast import clues_of, fold_of, forecast
from relevance_eval.evaluators.decisive.stakes import stakes_of
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run

Collect = Callable[..., Any]
FEW = settings(derandomize=True, deadline=None, max_examples=25)
MEASURE = parse_measure("EnDCG@5")


def clued(found: Any, measure: Any = MEASURE) -> tuple[Any, Any]:
    stakes = found.stakes(measure)
    return stakes, clues_of(stakes, {q.id: q for q in found.queries}, found.documents)


@FEW
@given(st.integers(0, 2**32), st.integers(0, 2**32), st.sampled_from([0.2, 0.7, 1.0]))
def test_a_label_has_no_part_in_its_own_forecast(
    collect: Collect, seed: int, place: int, share: float
) -> None:
    generator = np.random.default_rng(seed)
    found = collect(seed, queries=12)
    stakes, clues = clued(found)
    gains, folds = found.gains(MEASURE), fold_of(stakes.query_ids)
    known, unit = generator.random(len(gains)) < share, place % len(gains)
    own = np.arange(len(gains)) == unit
    plain = forecast(stakes, clues, gains, known, folds)
    changed = np.where(own, stakes.highest * generator.random(len(gains)), gains)
    for values, seen in ((changed, known), (changed, known | own), (gains, known & ~own)):
        again = forecast(stakes, clues, values, seen, folds)
        assert again[unit] == pytest.approx(plain[unit], abs=2e-9)  # sums round


def test_a_query_whose_labels_are_high_is_forecast_high(collect: Collect) -> None:
    found = collect(3, queries=12)
    stakes, clues = clued(found)
    folds, generator = fold_of(stakes.query_ids), np.random.default_rng(0)
    high = np.arange(12) % 2 == 0
    gains = np.where(high[stakes.query], 0.8, 0.2) * stakes.highest
    known = generator.random(len(gains)) < 0.5
    made = forecast(stakes, clues, gains, known, folds)
    others = stakes.sums(known.astype(float))[stakes.query] - known >= 2
    assert np.abs(made - gains)[others].mean() < 0.1 * stakes.highest
    assert made[others & high[stakes.query]].min() > made[others & ~high[stakes.query]].max()


@FEW
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.4, 1.0]))
def test_a_forecast_lies_within_the_range_of_gains(
    collect: Collect, seed: int, share: float
) -> None:
    generator = np.random.default_rng(seed)
    for measure in (MEASURE, parse_measure("EnDCG@5", gain="exponential"), parse_measure("P@5")):
        found = collect(seed, queries=12)
        stakes, clues = clued(found, measure)
        known = generator.random(len(clues)) < share
        gains = np.where(known, found.gains(measure), np.nan)  # those not known are not looked at
        made = forecast(stakes, clues, gains, known, fold_of(stakes.query_ids))
        assert ((made >= 0) & (made <= stakes.highest)).all()
        if not known.any():
            assert not made.any()


def test_few_labels_forecast_their_mean(collect: Collect) -> None:
    found = collect(3, queries=5)
    stakes, clues = clued(found)
    known = np.zeros(len(clues), dtype=np.bool_)
    known[np.flatnonzero(stakes.query == 0)[:2]] = True
    gains = found.gains(MEASURE)
    made = forecast(stakes, clues, gains, known, fold_of(stakes.query_ids))
    assert not made[stakes.query == 0].any()
    assert made[stakes.query != 0] == pytest.approx(gains[known].mean())


def test_many_labels_forecast_better_than_their_mean(collect: Collect) -> None:
    found = collect(4, queries=60, quality=(0.5, 1.5), certain=True)
    stakes, clues = clued(found)
    gains = found.gains(MEASURE)
    known = np.ones(len(gains), dtype=np.bool_)
    made = forecast(stakes, clues, gains, known, fold_of(stakes.query_ids))
    assert np.mean((made - gains) ** 2) < 0.9 * gains.var()


@given(st.lists(st.text("abc123", min_size=1), min_size=1, max_size=20, unique=True))
@FEW
def test_folds_go_by_the_ids_and_not_by_their_order(ids: list[str]) -> None:
    folds = dict(zip(ids, fold_of(ids).tolist(), strict=True))
    turned = dict(zip(ids[::-1], fold_of(ids[::-1]).tolist(), strict=True))
    assert folds == turned
    sizes = np.bincount(list(folds.values()), minlength=5)
    assert sizes.max() - sizes.min() <= 1


def test_clues_are_ranks_and_shared_words(make_run: Callable[..., Run]) -> None:
    runs = [make_run("a", q="x y"), make_run("b", q="y")]
    documents = {
        "x": Document("x", {"title": "Wolf", "body": "the HOWL"}),
        "y": Document("y", {"body": "the moon"}),
    }
    stakes = stakes_of(runs, ["q"], {"q": ["x", "y"]}, parse_measure("P@2"))
    clues = clues_of(stakes, {"q": Query("q", "the wolf")}, documents)
    assert clues[:, :3].tolist() == [[0.5, 0.25, 1.0], [0.5, 0.5, 0.5]]
    # `the` is in both documents, and tells nothing.
    assert clues[:, 3].tolist() == [1.0, 0.0]


def test_a_query_of_no_known_words_has_clues_of_ranks_alone(make_run: Callable[..., Run]) -> None:
    stakes = stakes_of(
        [make_run("a", q="x"), make_run("b")], ["q"], {"q": ["x"]}, parse_measure("P@2")
    )
    clues = clues_of(stakes, {"q": Query("q", "?!")}, {"x": Document("x", {"body": "text"})})
    assert clues.tolist() == [[0.5, 0.25, 0.0, 0.0]]
