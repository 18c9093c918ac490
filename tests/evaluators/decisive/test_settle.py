"""As few labels as settle a verdict: the one that all of them lead to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from relevance_eval.evaluators.decisive.forecast import clues_of
from relevance_eval.evaluators.decisive.sample import lots
from relevance_eval.evaluators.decisive.settle import Settled, settle_exactly, settle_likely
from relevance_eval.evaluators.difference import TIE, differences, verdict_of
from relevance_eval.evaluators.measures import Measure, parse_measure
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.statistics import non_inferiority_p
from relevance_eval.evaluators.verdict import Rule, Verdict

Collect = Callable[..., Any]
MEASURES = [
    *(parse_measure(n) for n in ("EnDCG@5", "nDCG@10", "sDCG@5", "RBP@5", "P@5")),
    parse_measure("EnDCG@5", gain="exponential"),
]
IDS = [f"{m}-{m.gain}" for m in MEASURES]
QUALITIES = {
    "better": (0.0, 1.5),
    "worse": (2.0, 0.0),
    "a little better": (0.4, 0.7),
    "no better": (0.5, 0.5),
    "several": (0.3, 0.3, 0.8, 2.0),
}


def planned(measure: Measure, **options: Any) -> Plan:
    plain = Plan(primary=measure, rule=Rule(margin=0.05), permutations=2000, resamples=20)
    return replace(plain, label_draws=0, **options)


def settled(
    found: Any, plan: Plan, mode: str, *, limit: int | None = None, loss: bool = False
) -> tuple[list[Settled], list[int]]:
    """How each pair was settled, and the places that were asked for."""
    book, asked = found.book(plan.primary, limit=limit)
    clues = clues_of(book.stakes, {q.id: q for q in found.queries}, found.documents)
    if mode == "exact":
        return settle_exactly(book, clues, plan, loss=loss), asked
    draws = lots(book.stakes.documents, plan.seed)
    return settle_likely(book, clues, draws, plan, loss=loss), asked


def of_all(found: Any, plan: Plan) -> list[Verdict]:
    """The verdicts of all labels."""
    gains = found.gains(plan.primary)
    stakes = found.stakes(plan.primary).without(np.isnan(gains))
    rows = range(len(stakes.weights))
    columns = [
        stakes.column(stakes.weights[r] - stakes.weights[b], np.nan_to_num(gains))
        for b in rows[: plan.baselines]
        for r in rows[plan.baselines :]
    ]
    columns = [np.where(np.abs(c) < TIE, 0.0, c) for c in columns]
    tests = differences(columns, str(plan.primary), plan, margin=plan.rule.margin)
    return [verdict_of(test, plan) for test in tests]


@pytest.mark.parametrize("quality", QUALITIES.values(), ids=QUALITIES.keys())
@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_exactly_is_the_verdict_of_all_labels(
    collect: Collect, measure: Measure, quality: Sequence[float]
) -> None:
    for seed in range(3):
        found = collect(seed, queries=40, quality=quality)
        plan = planned(measure, correction="holm" if seed == 1 else "maxt")
        told, asked = settled(found, plan, "exact")
        assert [s.verdict for s in told] == of_all(found, plan)
        assert len(asked) == len(set(asked))
        for one in told:
            assert one.how in ("bounds", "all")
            assert one.low <= one.estimate.column.mean() + 1e-9
            assert one.estimate.column.mean() <= one.high + 1e-9


@pytest.mark.parametrize("measure", MEASURES[2:5], ids=IDS[2:5])
@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_labels_that_move_no_difference_are_not_asked_for(
    collect: Collect, measure: Measure, mode: str
) -> None:
    for seed in range(4):
        found = collect(seed, queries=40, quality=(0.5, 0.55, 0.6))
        weights = found.stakes(measure).weights
        told, asked = settled(found, planned(measure), mode)
        assert (np.ptp(weights[:, asked], axis=0) > 0).all()
        if any(s.how == "all" for s in told):
            assert len(asked) == np.count_nonzero(np.ptp(weights, axis=0))


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_identical_lists_cost_nothing(collect: Collect, measure: Measure, mode: str) -> None:
    found = collect(1, queries=40)
    found = replace(found, runs=[found.runs[0], replace(found.runs[0], ranker="copy")])
    (told,), asked = settled(found, planned(measure), mode, loss=True)
    assert told.verdict is Verdict.EQUIVALENT
    assert told.how == ("bounds" if mode == "exact" else "sample")
    assert (told.low, told.high) == (0.0, 0.0)
    assert asked == []


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_a_clear_case_takes_a_part_of_the_labels(collect: Collect, mode: str) -> None:
    found = collect(1, queries=40, quality=(-1.0, 3.0))
    for measure in MEASURES:
        (told,), asked = settled(found, planned(measure), mode)
        assert told.verdict is Verdict.BETTER
        assert told.how == ("bounds" if mode == "exact" else "sample")
        assert len(asked) < len(found.gains(measure))


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
@pytest.mark.parametrize("mode", ["exact", "decisive"])
@pytest.mark.parametrize("limit", [0, 1, 17, 60])
def test_a_budget_is_kept_to(collect: Collect, measure: Measure, mode: str, limit: int) -> None:
    for fails in (0.0, 0.3):
        tight = collect(2, queries=40, quality=(0.5, 0.5, 0.6), fails=fails)
        told, asked = settled(tight, planned(measure), mode, limit=limit)
        assert len(asked) <= limit
        left = {s.how for s in told}
        assert left <= ({"budget", "sample", "open"} if mode == "decisive" else {"open"})
        if limit <= 1:
            assert left == {"open"}
        assert all(s.verdict is Verdict.INCONCLUSIVE for s in told if s.how == "open")


@pytest.mark.parametrize("measure", MEASURES[:3], ids=IDS[:3])
@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_a_budget_that_is_enough_changes_nothing(
    collect: Collect, measure: Measure, mode: str
) -> None:
    found = collect(2, queries=40, quality=(0.5, 0.5, 0.6))
    enough, asked = settled(found, planned(measure), mode, limit=len(found.gains(measure)))
    assert "budget" not in {s.how for s in enough}
    free, others = settled(found, planned(measure), mode)
    assert others == asked
    assert [s.verdict for s in free] == [s.verdict for s in enough]


@pytest.mark.parametrize("mode", ["exact", "decisive"])
@pytest.mark.parametrize("measure", MEASURES[:3], ids=IDS[:3])
def test_asking_again_buys_the_same_labels(collect: Collect, measure: Measure, mode: str) -> None:
    found, plan = collect(3, queries=40, fails=0.1), planned(measure)
    first, asked = settled(found, plan, mode)
    second, others = settled(found, plan, mode)
    assert others == asked
    for one, other in zip(first, second, strict=True):
        assert (other.verdict, other.how) == (one.verdict, one.how)
        assert (other.low, other.high) == (one.low, one.high)
        assert other.estimate.column.tolist() == one.estimate.column.tolist()


def test_another_seed_draws_other_labels(collect: Collect) -> None:
    found = collect(1, queries=40, quality=(0.0, 1.0))
    drawn = [
        settled(found, planned(MEASURES[2], seed=seed), "decisive", limit=60) for seed in (0, 1)
    ]
    assert set(drawn[0][1]) != set(drawn[1][1])


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_a_sample_mostly_leads_where_all_labels_do(collect: Collect, measure: Measure) -> None:
    told, cost = list[bool](), list[float]()
    for quality in ((0.0, 1.5), (2.0, 0.0), (0.2, 1.0), (0.5, 0.5)):
        for seed in range(6):
            found, plan = collect(seed, queries=40, quality=quality), planned(measure, seed=seed)
            (one,), asked = settled(found, plan, "decisive")
            told.append([one.verdict] == of_all(found, plan))
            cost.append(len(asked) / len(found.gains(measure)))
    assert sum(told) >= 23  # of 24
    assert np.mean(cost) < 1


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_without_a_label_rankers_are_not_equivalent(collect: Collect, mode: str) -> None:
    found = collect(2, queries=40, quality=(0.0, 2.0))
    (told,), _ = settled(found, planned(MEASURES[2]), mode, limit=0)
    assert told.verdict is Verdict.INCONCLUSIVE


def bought(found: Any, measure: Measure) -> tuple[Settled, Any]:
    """How it is settled, and the differences as they should be with all labels."""
    # So few permutations leave room for most verdicts, so that mostly all labels are bought.
    plan = planned(measure, permutations=10, rule=Rule(margin=0.0))
    (told,), asked = settled(found, plan, "exact")
    assert len(asked) == len(set(asked))
    gains = found.gains(measure)
    failed = np.isnan(gains)
    # What failed at one rank of both lists moves none, and is not asked for without an ideal.
    failed[np.setdiff1d(np.arange(len(gains)), asked)] = False
    stakes = found.stakes(measure).without(failed)
    return told, stakes.column(stakes.weights[1] - stakes.weights[0], np.nan_to_num(gains))


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_all_labels_are_the_differences(collect: Collect, measure: Measure) -> None:
    for seed in range(3):
        told, expected = bought(collect(seed, queries=40, quality=(0.5, 0.5)), measure)
        assert told.how == "all"
        assert told.estimate.column == pytest.approx(expected, abs=1e-12)
        assert told.estimate.variances == pytest.approx(np.zeros(40), abs=1e-15)
        assert told.low == pytest.approx(expected.mean(), abs=1e-9)
        assert told.high == pytest.approx(expected.mean(), abs=1e-9)


def test_a_document_that_moves_up_is_asked_for(collect: Collect) -> None:
    for seed in range(6):
        for measure in MEASURES[2:4]:
            found = collect(seed, queries=40, quality=(0.4, 0.5), longest=9, fails=0.3)
            told, expected = bought(found, measure)
            if told.how == "all":
                assert told.estimate.column == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", [MEASURES[n] for n in (0, 1, 5)], ids=[IDS[0], IDS[1], IDS[5]])
def test_a_label_that_fails_has_no_part_in_the_ideal(collect: Collect, measure: Measure) -> None:
    for seed in range(4):
        found = collect(seed, queries=40, quality=(0.4, 0.5), fails=0.2)
        told, expected = bought(found, measure)
        if told.how == "all":
            assert told.estimate.column == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES[:3], ids=IDS[:3])
def test_exactly_settles_a_loss_as_well(collect: Collect, measure: Measure) -> None:
    plan = planned(measure)
    for seed, quality in enumerate([(0.0, 1.5), (2.0, 0.0), (0.4, 0.7), (0.5, 0.5)]):
        found = collect(seed, queries=40, quality=quality)
        (told,), asked = settled(found, plan, "exact", loss=True)
        (_,), fewer = settled(found, plan, "exact")
        assert [told.verdict] == of_all(found, plan)
        assert len(asked) >= len(fewer)
        # Whatever the labels that are left, the loss is told as it is with all of them.
        stakes, gains = found.stakes(measure), found.gains(measure)
        column = stakes.column(stakes.weights[1] - stakes.weights[0], gains)
        full = non_inferiority_p(column, plan.rule.margin) > plan.rule.alpha
        seen = non_inferiority_p(told.estimate.column, plan.rule.margin) > plan.rule.alpha
        assert seen == full


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_one_query_and_rankers_that_found_nothing_are_settled(collect: Collect, mode: str) -> None:
    for measure in MEASURES:
        alone = collect(1, queries=1, quality=(0.0, 3.0))
        (told,), _ = settled(alone, planned(measure), mode)
        assert told.verdict is Verdict.INCONCLUSIVE
        (told,), asked = settled(collect(1, longest=0), planned(measure), mode)
        assert told.verdict is Verdict.INCONCLUSIVE
        assert asked == []
