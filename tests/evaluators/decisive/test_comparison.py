"""A comparison from few labels, beside the one from all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.comparison import Comparison
from relevance_eval.evaluators.decisive.comparison import (
    Budget,
    check_decisive,
    compare_decisively,
)
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Measure, parse_measure
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.run import Result, Run
from relevance_eval.evaluators.verdict import Rule, Verdict

Collect = Callable[..., Any]
Explained = Callable[..., None]
NAMES = ("EnDCG@5", "nDCG@10", "sDCG@5", "RBP@5", "P@5")


def planned(name: str, **options: Any) -> Plan:
    plain = Plan(primary=parse_measure(name), rule=Rule(margin=0.05), permutations=2000)
    return replace(plain, resamples=50, label_draws=0, **options)


def everything(name: str) -> Plan:
    """So few permutations leave room for any verdict, so that all labels are bought."""
    return replace(planned(name), rule=Rule(margin=0.0), permutations=10)


@pytest.mark.parametrize("name", ["ERR@10", "RR", "AP", "R@10", "Judged@10"])
def test_a_measure_that_is_no_sum_needs_all_labels(
    collect: Collect, explained: Explained, name: str
) -> None:
    found, plan = collect(1), planned(name)
    with pytest.raises(UsageError) as caught:
        found.sparingly(plan)
    says = f"{plan.primary} needs all labels: it is no sum over ranks"
    explained(caught.value, code=2, where=None, says=says, remedy="labels = 'all'")
    assert found.asked == []


def test_leaving_queries_out_needs_all_labels(collect: Collect, explained: Explained) -> None:
    found = collect(1)
    with pytest.raises(UsageError) as caught:
        found.sparingly(planned("EnDCG@5", no_gain="skip"))
    says = "which queries count depends on them"
    explained(caught.value, code=2, where=None, says=says, remedy="no_gain = 'zero'")
    assert found.asked == []


@pytest.mark.parametrize("name", NAMES)
def test_a_sum_over_ranks_does_not(name: str) -> None:
    check_decisive(planned(name))


@pytest.mark.parametrize(
    ("names", "baselines", "says"),
    [
        (["a"], 1, "two rankers or more are needed"),
        (["a", "a"], 1, "two rankers have one name"),
        (["a", "b"], 2, "2 of 2 rankers cannot be baselines"),
        (["a", "b"], 0, "0 of 2 rankers cannot be baselines"),
    ],
)
def test_what_is_no_comparison_is_told_before_labels_are_bought(
    collect: Collect, names: Sequence[str], baselines: int, says: str
) -> None:
    found = collect(1)
    runs = [replace(found.runs[0], ranker=name) for name in names]
    with pytest.raises(UsageError) as caught:
        replace(found, runs=runs).sparingly(planned("EnDCG@5", baselines=baselines))
    assert says in caught.value.message
    assert found.asked == []


def same(few: Comparison, full: Comparison, name: str) -> None:
    """The same differences, tests and summaries of the measure."""
    assert (few.queries, few.unanswered) == (full.queries, full.unanswered)
    for one, other in zip(few.rankers, full.rankers, strict=True):
        assert one.ranker == other.ranker
        assert (one.empty, one.problems) == (other.empty, other.problems)
    for one, other in zip(few.contrasts, full.contrasts, strict=True):
        assert (one.baseline, one.ranker) == (other.baseline, other.ranker)
        assert one.verdict is other.verdict
        mine, theirs = one.differences[name], other.differences[name]
        for field in ("mean", "low", "high", "p_t", "p_sign_flip", "p_equivalent"):
            assert getattr(mine, field) == pytest.approx(getattr(theirs, field), abs=1e-9), field
        assert (mine.wins, mine.ties, mine.losses) == (theirs.wins, theirs.ties, theirs.losses)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("baselines", [1, 2])
def test_from_all_labels_it_is_the_comparison(collect: Collect, name: str, baselines: int) -> None:
    found = collect(1, queries=40, quality=(0.5, 0.5, 0.6))
    plan = replace(everything(name), baselines=baselines)
    few, full = found.sparingly(plan), found.fully(plan)
    assert {c.settled.how for c in few.contrasts if c.settled} == {"all"}
    same(few, full, name)
    assert len(found.asked) == len(set(found.asked))
    if name in NAMES[:2]:
        for one, other in zip(few.rankers, full.rankers, strict=True):
            assert one.values[name] == pytest.approx(other.values[name], abs=1e-9)


@pytest.mark.parametrize("name", NAMES[:2])
def test_labels_that_fail_take_documents_out_of_both(collect: Collect, name: str) -> None:
    compared = 0
    for seed in range(6):
        found = collect(seed, queries=40, quality=(0.4, 0.5), fails=0.2)
        few, full = (find(everything(name)) for find in (found.sparingly, found.fully))
        if {c.settled.how for c in few.contrasts if c.settled} == {"all"}:
            same(few, full, name)
            compared += 1
    assert compared  # the others were settled without all labels


@pytest.mark.parametrize("mode", ["exact", "decisive"])
@pytest.mark.parametrize("name", NAMES)
def test_a_search_that_failed_leaves_its_query_out(collect: Collect, name: str, mode: str) -> None:
    found, plan = collect(3, queries=40, quality=(0.0, 2.0)), planned(name)
    broken = Result((), problem="all shards failed", failed=True)
    results = {**found.runs[1].results, "q07": broken}
    found = replace(found, runs=[found.runs[0], Run("b", results)])
    few, full = found.sparingly(plan, mode=mode), found.fully(plan)
    assert few.unanswered == full.unanswered == ["q07"]
    assert few.queries == 39
    assert "q07" not in {query for query, _ in found.asked}
    assert few.contrasts[0].verdict is full.contrasts[0].verdict
    assert few.rankers[1].problems == {"q07": "all shards failed"}


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_coverage_is_the_share_of_each_list_that_is_known(collect: Collect, mode: str) -> None:
    found = collect(4, queries=40, quality=(0.3, 0.6))
    few = found.sparingly(planned("sDCG@5"), mode=mode, budget=Budget(labels=60))
    bought = set(found.asked)
    assert 0 < len(bought) <= 60
    for run, told in zip(found.runs, few.rankers, strict=True):
        for query in found.queries:
            shown = [hit.document_id for hit in run.hits(query.id)][:5]
            known = [(query.id, d) in bought for d in shown]
            expected = float(np.mean(known)) if known else 0.0
            assert told.values["Judged@5"][query.id] == pytest.approx(expected)


def test_coverage_shows_the_labels_that_failed(collect: Collect) -> None:
    found = collect(2, queries=40, quality=(0.5, 0.5), longest=5, fails=0.2)
    plan = replace(everything("sDCG@5"), others=(parse_measure("Judged@5"),))
    few, full = found.sparingly(plan), found.fully(plan)
    for one, other in zip(few.rankers, full.rankers, strict=True):
        assert max(one.values["Judged@5"].values()) <= max(other.values["Judged@5"].values())
        assert one.measures["Judged@5"].mean <= other.measures["Judged@5"].mean


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_a_budget_holds_for_labels_and_for_time(collect: Collect, mode: str) -> None:
    found, plan = collect(5, queries=40, quality=(0.5, 0.5)), planned("EnDCG@5")
    few = found.sparingly(plan, mode=mode, budget=Budget(labels=30))
    assert len(found.asked) <= 30
    (told,) = (c.settled for c in few.contrasts)
    assert told
    assert told.how == "open" if mode == "exact" else told.how in ("open", "budget")
    late = found.sparingly(plan, mode=mode, budget=Budget(seconds=0.0))
    first, units = len(found.asked), sum(map(len, found.pool.values()))
    assert first < 0.15 * units  # what one look takes, at most
    assert late.contrasts[0].settled
    assert late.contrasts[0].settled.how in ("open", "budget")


def test_a_cheap_labeler_that_is_right_saves_labels(collect: Collect) -> None:
    """And its word is not taken for a label: one that is wrong changes no verdict."""
    found, plan = collect(5, queries=40, quality=(0.0, 1.5)), planned("EnDCG@5")
    alone = found.sparingly(plan, mode="decisive").contrasts[0]
    bought = len(found.asked)
    right = found.sparingly(plan, mode="decisive", cheap=found.judged).contrasts[0]
    assert len(found.asked) <= bought
    assert right.settled
    assert alone.settled
    assert right.settled.estimate.variances.sum() < alone.settled.estimate.variances.sum()
    wrong = {
        q: {d: Judgment.certain("wrong", 3 - j.grade) for d, j in row.items()}
        for q, row in found.judged.items()
    }
    misled = found.sparingly(plan, mode="decisive", cheap=wrong).contrasts[0]
    assert misled.verdict is alone.verdict is right.verdict


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_a_labeler_that_stops_answering_has_failed_nothing(collect: Collect, mode: str) -> None:
    """What it was not asked about may be anything, and no verdict is called certain."""
    found, plan = collect(5, queries=40, quality=(0.5, 0.5)), planned("EnDCG@5")
    found = replace(found, answers=30)
    (contrast,) = found.sparingly(plan, mode=mode).contrasts
    assert contrast.settled
    assert contrast.settled.low < contrast.settled.high
    difference = contrast.differences["EnDCG@5"]
    if mode == "decisive" and contrast.settled.how == "budget":  # by the looks that are whole
        assert difference.p_corrected < 1
    else:
        assert (contrast.settled.how, contrast.verdict) == ("open", Verdict.INCONCLUSIVE)
        assert (difference.p_corrected, difference.p_non_inferior) == (1.0, 1.0)


@pytest.mark.parametrize("mode", ["exact", "decisive"])
@pytest.mark.parametrize("name", NAMES)
def test_a_clear_verdict_is_that_of_all_labels(collect: Collect, name: str, mode: str) -> None:
    for seed, quality in enumerate([(-1.0, 3.0), (3.0, -1.0)]):
        found, plan = collect(seed, queries=40, quality=quality), planned(name)
        few, full = found.sparingly(plan, mode=mode), found.fully(plan)
        assert few.contrasts[0].verdict is full.contrasts[0].verdict
        assert few.contrasts[0].verdict in (Verdict.BETTER, Verdict.WORSE)
        assert set(found.asked) <= set(found.judgments)


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_the_same_seed_is_the_same_comparison(collect: Collect, mode: str) -> None:
    found, plan = collect(6, queries=40, fails=0.1), planned("EnDCG@5")
    first = found.sparingly(plan, mode=mode)
    asked = list(found.asked)
    second = found.sparingly(plan, mode=mode)
    assert found.asked == asked
    assert second.contrasts[0].differences == first.contrasts[0].differences
    assert [r.values for r in second.rankers] == [r.values for r in first.rankers]


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_labels_in_doubt_widen_the_interval(collect: Collect, mode: str) -> None:
    found, plan = collect(7, queries=40, quality=(0.0, 2.0)), planned("EnDCG@5")
    certain = found.sparingly(plan, mode=mode).contrasts[0].differences["EnDCG@5"]
    doubtful = found.sparingly(replace(plan, label_draws=100), mode=mode)
    difference = doubtful.contrasts[0].differences["EnDCG@5"]
    assert certain.noise is None
    assert difference.noise is not None
    assert difference.noise.spread > 0
    assert difference.low < certain.low < certain.high < difference.high
    assert difference.mean == certain.mean


@pytest.mark.parametrize("failed", [False, True])
def test_no_query_is_left_to_measure_on(collect: Collect, failed: bool) -> None:
    found = collect(1, queries=1)
    results = {"q00": Result((), problem="timed out", failed=True)}
    runs = [Run(name, results if failed else {}) for name in "ab"]
    with pytest.raises(UsageError):
        compare_decisively(
            runs, found.queries if failed else [], {}, planned("P@5"), found.buy, mode="exact"
        )


@pytest.mark.parametrize("mode", ["exact", "decisive"])
def test_rankers_that_find_nothing_of_use_are_not_equivalent(
    collect: Collect, make_run: Callable[..., Run], mode: str
) -> None:
    found = collect(1, queries=10)
    ids = [q.id for q in found.queries]
    runs = [make_run("a", **dict.fromkeys(ids, "")), make_run("b", **dict.fromkeys(ids, ""))]
    nothing = replace(found, runs=runs, pool={q: [] for q in ids}, judgments={}, documents={})
    full = nothing.fully(planned("EnDCG@5"))
    assert full.contrasts[0].verdict is Verdict.INCONCLUSIVE
    few = nothing.sparingly(planned("EnDCG@5"), mode=mode)
    assert few.contrasts[0].verdict is Verdict.INCONCLUSIVE


def test_a_document_without_a_text_is_no_part_of_any_list(collect: Collect) -> None:
    found = collect(8, queries=40, quality=(0.5, 0.5))
    lost = sorted(found.documents)[::4]
    kept = {i: d for i, d in found.documents.items() if i not in lost}
    plan = everything("EnDCG@5")
    judged = {(q, d): j for (q, d), j in found.judgments.items() if d in kept}
    short = replace(found, documents=kept, judgments=judged)
    few, full = short.sparingly(plan), short.fully(plan)
    assert not {d for _, d in found.asked} & set(lost)
    same(few, full, "EnDCG@5")


@pytest.mark.parametrize("measure", [Measure("RBP", 5, persistence=0.5), parse_measure("nDCG")])
def test_any_sum_is_compared(collect: Collect, measure: Measure) -> None:
    found = collect(2, queries=40, quality=(0.5, 0.5))
    plan = replace(everything("P@5"), primary=measure)
    few = found.sparingly(plan)
    assert {c.settled.how for c in few.contrasts if c.settled} == {"all"}
    same(few, found.fully(plan), str(measure))


def test_a_mean_that_leans_on_forecasts_has_no_interval(collect: Collect) -> None:
    found = collect(7, queries=40, quality=(0.0, 2.0))
    few = found.sparingly(planned("EnDCG@5"), mode="decisive")
    assert {c.settled.how for c in few.contrasts if c.settled} == {"sample"}
    for ranker in few.rankers:
        mean = ranker.measures["EnDCG@5"]
        assert (mean.low, mean.high) == (None, None)
        assert ranker.measures["Judged@5"].low is not None
