"""Whatever the labels are that are not known: no difference and no verdict lies outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.decisive.bounds import (
    Box,
    box_of,
    equivalence,
    errors,
    possible_losses,
    possible_verdicts,
)
from relevance_eval.evaluators.decisive.stakes import Stakes, stakes_of
from relevance_eval.evaluators.difference import TIE, differences, verdict_of
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import non_inferiority_p
from relevance_eval.evaluators.verdict import Rule, Verdict

Collect = Callable[..., Any]
Floats = npt.NDArray[np.float64]
MEASURES = [
    *(parse_measure(n) for n in ("EnDCG@5", "nDCG@3", "sDCG@5", "RBP@5", "P@5")),
    parse_measure("EnDCG@5", gain="exponential"),
]
IDS = [f"{m}-{m.gain}" for m in MEASURES]
SHARES = st.sampled_from([0.0, 0.3, 0.6, 0.8, 0.95, 1.0])
MARGINS = st.sampled_from([0.0, 0.02, 0.1, 0.3])
PLAN = Plan(permutations=2000, resamples=20, label_draws=0)
FEW = settings(derandomize=True, deadline=None, max_examples=12)
OPPOSITE = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}


def hidden(gains: Floats, share: float, generator: np.random.Generator) -> Floats:
    """With about this share of the labels known."""
    return np.where(generator.random(len(gains)) < share, gains, np.nan)


def completions(
    stakes: Stakes, weights: Floats, gains: Floats, generator: np.random.Generator
) -> Iterator[Floats]:
    """Labels for all that are not known: some at random, and those that move a pair most."""
    unknown, highest = np.isnan(gains), stakes.highest
    yield np.where(unknown, np.where(weights > 0, highest, 0.0), gains)
    yield np.where(unknown, np.where(weights < 0, highest, 0.0), gains)
    yield np.where(unknown, 0.0, gains)
    yield np.where(unknown, highest, gains)
    for sharpness in (0.1, 1.0, 3.0):
        drawn = highest * generator.beta(sharpness, sharpness, len(gains))
        yield np.where(unknown, drawn, gains)


def column(stakes: Stakes, weights: Floats, gains: Floats) -> Floats:
    found = stakes.column(weights, gains)
    return np.where(np.abs(found) < TIE, 0.0, found)


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
@FEW
@given(st.integers(0, 2**32), SHARES)
def test_every_difference_that_is_possible_lies_in_the_box(
    collect: Collect, measure: Any, seed: int, share: float
) -> None:
    found, generator = collect(seed), np.random.default_rng(seed)
    stakes = found.stakes(measure)
    weights, gains = stakes.weights[1] - stakes.weights[0], found.gains(measure)
    known = hidden(gains, share, generator)
    box = box_of(stakes, weights, known)
    assert (box.lows <= box.highs + 1e-12).all()
    assert (np.abs([box.lows, box.highs]) <= 1 + 1e-12).all()
    for labels in (gains, *completions(stakes, weights, known, generator)):
        values = stakes.column(weights, labels)
        assert (values >= box.lows - 1e-9).all()
        assert (values <= box.highs + 1e-9).all()


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
@FEW
@given(st.integers(0, 2**32))
def test_more_labels_never_widen_the_box_and_all_of_them_close_it(
    collect: Collect, measure: Any, seed: int
) -> None:
    found, generator = collect(seed), np.random.default_rng(seed)
    stakes, gains = found.stakes(measure), found.gains(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    lots, before = generator.random(len(gains)), None
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        box = box_of(stakes, weights, np.where(lots < share, gains, np.nan))
        if before:
            assert (box.lows >= before.lows - 1e-12).all()
            assert (box.highs <= before.highs + 1e-12).all()
        before = box
    assert before
    assert before.lows == pytest.approx(stakes.column(weights, gains), abs=1e-12)
    assert before.highs == pytest.approx(before.lows, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES[2:5], ids=IDS[2:5])
@FEW
@given(st.integers(0, 2**32), SHARES)
def test_a_box_of_a_sum_is_as_narrow_as_can_be(
    collect: Collect, measure: Any, seed: int, share: float
) -> None:
    found, generator = collect(seed), np.random.default_rng(seed)
    stakes = found.stakes(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    known = hidden(found.gains(measure), share, generator)
    box = box_of(stakes, weights, known)
    most, least, *_ = completions(stakes, weights, known, generator)
    assert stakes.column(weights, most) == pytest.approx(box.highs, abs=1e-12)
    assert stakes.column(weights, least) == pytest.approx(box.lows, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
@FEW
@given(st.integers(0, 2**32), SHARES, MARGINS)
def test_rankers_that_change_places_mirror_the_box_and_the_verdicts(
    collect: Collect, measure: Any, seed: int, share: float, margin: float
) -> None:
    found, generator = collect(seed), np.random.default_rng(seed)
    stakes = found.stakes(measure)
    weights = stakes.weights[1] - stakes.weights[0]
    known = hidden(found.gains(measure), share, generator)
    box, mirrored = box_of(stakes, weights, known), box_of(stakes, -weights, known)
    assert mirrored.lows.tolist() == (-box.highs).tolist()
    assert mirrored.highs.tolist() == (-box.lows).tolist()
    for tested in (1, 2):
        plain = possible_verdicts(box, PLAN, margin, tested)
        turned = possible_verdicts(mirrored, PLAN, margin, tested)
        assert turned == {OPPOSITE.get(v, v) for v in plain}


QUERIES = st.sampled_from([5, 8, 12, 24])
QUALITIES = st.sampled_from([(0.0, 0.0), (0.3, 0.6), (0.0, 2.0), (2.0, 0.0), (5.0, 5.0)])


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
@FEW
@given(st.integers(0, 2**32), SHARES, MARGINS, QUERIES, QUALITIES)
def test_every_verdict_that_labels_can_lead_to_is_told(
    collect: Collect,
    measure: Any,
    seed: int,
    share: float,
    margin: float,
    queries: int,
    quality: tuple[float, float],
) -> None:
    generator = np.random.default_rng(seed)
    found = collect(seed, queries=queries, quality=quality, documents=6, longest=5)
    stakes, plan = found.stakes(measure), replace(PLAN, rule=Rule(margin=margin))
    weights = stakes.weights[1] - stakes.weights[0]
    known = hidden(found.gains(measure), share, generator)
    box = box_of(stakes, weights, known)
    possible, losses = possible_verdicts(box, plan, margin, 1), possible_losses(box, plan, margin)
    assert possible
    for labels in (found.gains(measure), *completions(stakes, weights, known, generator)):
        values = column(stakes, weights, labels)
        (test,) = differences([values], str(measure), plan, margin=margin)
        assert verdict_of(test, plan) in possible
        assert (non_inferiority_p(values, margin) > plan.rule.alpha) in losses


@pytest.mark.parametrize("correction", ["holm", "maxt"])
@pytest.mark.parametrize("measure", MEASURES[:4], ids=IDS[:4])
@FEW
@given(st.integers(0, 2**32), SHARES, MARGINS, QUERIES)
def test_every_verdict_on_several_rankers_is_told(
    collect: Collect,
    measure: Any,
    correction: Any,
    seed: int,
    share: float,
    margin: float,
    queries: int,
) -> None:
    generator = np.random.default_rng(seed)
    found = collect(seed, queries=queries, quality=(0.0, 0.4, 3.0, 1.0), documents=6, longest=5)
    plan = replace(PLAN, correction=correction, rule=Rule(margin=margin))
    stakes = found.stakes(measure)
    pairs = [stakes.weights[row] - stakes.weights[0] for row in (1, 2, 3)]
    known = hidden(found.gains(measure), share, generator)
    possible = [
        possible_verdicts(box_of(stakes, weights, known), plan, margin, len(pairs))
        for weights in pairs
    ]
    for labels in (found.gains(measure), *completions(stakes, pairs[1], known, generator)):
        columns = [column(stakes, weights, labels) for weights in pairs]
        tests = differences(columns, str(measure), plan, margin=margin)
        for test, verdicts in zip(tests, possible, strict=True):
            assert verdict_of(test, plan) in verdicts


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdicts"),
    [
        (0.1, 0.3, 0.01, {Verdict.BETTER}),
        (-0.3, -0.1, 0.01, {Verdict.WORSE}),
        (-0.001, 0.001, 0.01, {Verdict.EQUIVALENT}),
        (0.0, 0.0, 0.01, {Verdict.EQUIVALENT}),
        (0.0, 0.0, 0.0, {Verdict.INCONCLUSIVE}),
        (-0.1, 0.3, 0.01, set(Verdict)),
        (0.0, 0.3, 0.0, {Verdict.BETTER, Verdict.INCONCLUSIVE}),
    ],
)
def test_how_far_ten_alike_queries_go(
    low: float, high: float, margin: float, verdicts: set[Verdict]
) -> None:
    box = Box(np.full(10, low), np.full(10, high))
    assert possible_verdicts(box, PLAN, margin, 1) == verdicts


def test_several_pairs_take_more_to_be_certain() -> None:
    # Six queries that rise by the same: p = 2 / 64, which a correction for two takes past 0.05.
    box = Box(np.full(6, 0.1), np.full(6, 0.1))
    assert possible_verdicts(box, PLAN, 0.0, 1) == {Verdict.BETTER}
    assert possible_verdicts(box, PLAN, 0.0, 2) == {Verdict.BETTER, Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("low", "high", "open_"),
    [
        (-0.3, -0.2, {True}),
        (-0.001, 0.001, {False}),
        (-0.3, 0.2, {True, False}),
        (0.0, 0.0, {False}),
    ],
)
def test_whether_a_loss_is_ruled_out(low: float, high: float, open_: set[bool]) -> None:
    box = Box(np.full(10, low), np.full(10, high))
    assert possible_losses(box, PLAN, 0.01) == open_


@FEW
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_no_differences_in_the_box_spread_less_or_more(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    ends = np.sort(generator.normal(0, 0.3, (2, count)), axis=0)
    box = Box(ends[0], ends[1])
    least, most = (error * math.sqrt(count) for error in errors(box))
    for sharpness in (0.1, 1.0, 5.0):
        inside = ends[0] + (ends[1] - ends[0]) * generator.beta(sharpness, sharpness, count)
        assert least <= np.std(inside, ddof=1) <= most
    nearest = np.clip(np.mean(inside), *ends)
    assert least <= np.std(nearest, ddof=1) + 1e-12


def test_a_difference_of_the_margin_but_for_rounding_is_not_within_it() -> None:
    exact = np.full(6, 0.3 - 0.2)  # 0.09999999999999998
    plan = replace(PLAN, rule=Rule(margin=0.1))
    assert equivalence(Box(exact, exact), plan, 0.1, 1) == (False, False)
    assert possible_losses(Box(-exact, -exact), plan, 0.1) == {True}


@pytest.mark.parametrize("certain", [False, True])
def test_below_five_queries_a_spread_of_nothing_says_nothing(certain: bool) -> None:
    plan = replace(PLAN, rule=Rule(margin=0.1))
    box = Box(np.full(4, -0.001 if certain else -0.5), np.full(4, 0.001 if certain else 0.5))
    spread = np.array([0.0, 0.0, 0.0, 0.0 if certain else 0.0001])
    (test,) = differences([spread], "m", plan, margin=0.1)
    expected = Verdict.INCONCLUSIVE if certain else Verdict.EQUIVALENT
    assert verdict_of(test, plan) is expected
    assert expected in possible_verdicts(box, plan, 0.1, 1)


@pytest.mark.parametrize("order", ["acdb", "bcda", "bcad"])
@pytest.mark.parametrize("name", ["EnDCG@5", "sDCG@5", "RBP@5"])
def test_rounding_alone_makes_no_ranker_better(
    make_run: Callable[..., Any], order: str, name: str
) -> None:
    # Documents of one grade in another order: sums that are 0, but for their last bits.
    ids = [f"q{i}" for i in range(10)]
    runs = [
        make_run(n, **dict.fromkeys(ids, " ".join(o))) for n, o in (("a", "abcd"), ("b", order))
    ]
    stakes = stakes_of(runs, ids, {q: [*"abcd"] for q in ids}, parse_measure(name))
    for gain in (1.0, 1.7, 3.0):
        box = box_of(stakes, stakes.weights[1] - stakes.weights[0], np.full(40, gain))
        assert possible_verdicts(box, PLAN, 0.0, 1) == {Verdict.INCONCLUSIVE}
