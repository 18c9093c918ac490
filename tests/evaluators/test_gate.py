"""The gate's decision: what passes, what fails, and what cannot be said."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.comparison import Comparison, Plan, compare
from relevance_eval.evaluators.gate import Check, Decision, Gate, Ruling, check_slices, rule
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.label_noise import LabelNoise
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.evaluators.trust import Finding, Trust
from relevance_eval.evaluators.verdict import Rule, Verdict

Complains = Callable[..., AbstractContextManager[Any]]
PLAN = Plan(
    primary=parse_measure("RR"), rule=Rule(0.05, 0.1), permutations=1000, resamples=1000,
    label_draws=0,
)  # fmt: skip
GOOD = {"good": Judgment.certain("m", 3)}
UNTRUSTED = Finding(Trust.UNTRUSTED, 0.4, None, 20, "kappa with people is 0.10")


def compared(
    *places: Sequence[int], plan: Plan = PLAN, took: Sequence[int | None] = (None, None, None)
) -> Comparison:
    """The good document at these places of the lists of rankers a, b, c (0: nowhere; -1: no hits
    at all; -2: the search failed); band tail from query 10 on."""
    queries = [
        Query(f"q{i}", "x", {"band": "tail" if i >= 10 else "head"}) for i in range(len(places[0]))
    ]
    runs = [
        Run(name, {q.id: answered(p, ms) for q, p in zip(queries, found, strict=True)})
        for name, found, ms in zip("abc", places, took, strict=False)
    ]
    return compare(runs, queries, {q.id: GOOD for q in queries}, plan)


def answered(place: int, took: int | None) -> Result:
    if place == -2:
        return Result((), problem="timed out", failed=True)
    hits = [Hit("good" if rank == place else f"bad{rank}", -rank) for rank in range(1, 6)]
    return Result(() if place == -1 else tuple(hits), took)


def decided(comparison: Comparison, gate: Gate = Gate()) -> list[tuple[str, Decision]]:  # noqa: B008
    return [(check.name, check.decision) for check in rule(comparison, gate).checks]


MIXED = [random.Random(i).randint(1, 5) for i in range(24)]
OTHER = [random.Random(100 + i).randint(1, 5) for i in range(24)]
FIRST, LAST = [1] * 24, [5] * 24
BETTER, NOT_WORSE = Gate("better"), Gate("not worse")


@pytest.mark.parametrize(
    ("gate", "before", "after", "decision"),
    [
        (BETTER, MIXED, FIRST, Decision.PASSED),
        (BETTER, FIRST, MIXED, Decision.FAILED),
        (BETTER, MIXED, MIXED, Decision.FAILED),
        (BETTER, MIXED, OTHER, Decision.INCONCLUSIVE),
        (NOT_WORSE, MIXED, FIRST, Decision.PASSED),
        (NOT_WORSE, FIRST, MIXED, Decision.FAILED),
        (NOT_WORSE, MIXED, MIXED, Decision.PASSED),
        (NOT_WORSE, MIXED, OTHER, Decision.INCONCLUSIVE),
    ],
)
def test_the_direction_decides_what_is_asked(
    gate: Gate, before: Sequence[int], after: Sequence[int], decision: Decision
) -> None:
    ruling = rule(compared(before, after), gate)
    assert ruling.decision is decision
    assert [c.decision for c in ruling.checks] == [decision]


def test_a_loss_that_is_certain_and_below_the_margin_is_not_worse() -> None:
    plan = replace(PLAN, rule=Rule(0.05, 0.9))
    assert decided(compared(FIRST, LAST, plan=plan)) == [("RR not worse by 0.9", Decision.PASSED)]
    ((name, decision),) = decided(compared(FIRST, LAST))
    assert (name, decision) == ("RR not worse by 0.1", Decision.FAILED)


@pytest.mark.parametrize(
    ("alpha", "p", "verdict", "decision"),
    [
        (0.05, 0.05, Verdict.WORSE, Decision.PASSED),
        (0.05, 0.051, Verdict.WORSE, Decision.FAILED),
        (0.05, 0.051, Verdict.BETTER, Decision.INCONCLUSIVE),
        (0.01, 0.02, Verdict.INCONCLUSIVE, Decision.INCONCLUSIVE),
        (0.1, 0.06, Verdict.INCONCLUSIVE, Decision.PASSED),
    ],
)
def test_not_worse_is_shown_at_the_plans_level_whatever_the_verdict(
    alpha: float, p: float, verdict: Verdict, decision: Decision
) -> None:
    found = compared(MIXED, OTHER, plan=replace(PLAN, rule=Rule(alpha, 0.1)))
    (contrast,) = found.contrasts
    shown = {"RR": replace(contrast.differences["RR"], p_non_inferior=p)}
    changed = replace(contrast, verdict=verdict, differences=shown)
    assert rule(replace(found, contrasts=[changed]), NOT_WORSE).decision is decision


def test_a_margin_of_0_asks_for_a_gain() -> None:
    plan = replace(PLAN, rule=Rule(0.05, 0.0))
    assert rule(compared(MIXED, FIRST, plan=plan), NOT_WORSE).decision is Decision.PASSED
    assert rule(compared(MIXED, MIXED, plan=plan), NOT_WORSE).decision is Decision.INCONCLUSIVE


def test_rankers_that_find_nothing_of_use_are_not_shown_to_be_as_good() -> None:
    nothing = [0] * 24
    assert rule(compared(nothing, nothing), NOT_WORSE).decision is Decision.INCONCLUSIVE


def test_one_query_decides_nothing() -> None:
    for gate in (BETTER, NOT_WORSE):
        assert rule(compared([5], [1]), gate).decision is Decision.INCONCLUSIVE


def test_every_ranker_must_pass() -> None:
    ruling = rule(compared(MIXED, FIRST, LAST), NOT_WORSE)
    assert [(c.subject, c.decision) for c in ruling.checks] == [
        ("b against a", Decision.PASSED), ("c against a", Decision.FAILED)
    ]  # fmt: skip
    assert ruling.decision is Decision.FAILED


def test_every_baseline_is_compared_with() -> None:
    ruling = rule(compared(MIXED, LAST, FIRST, plan=replace(PLAN, baselines=2)), BETTER)
    assert [c.subject for c in ruling.checks] == ["c against a", "c against b"]


def test_the_figures_are_in_the_detail() -> None:
    (check,) = rule(compared(MIXED, FIRST), BETTER).checks
    assert check.detail.startswith("+0.")
    assert "95 % interval +0." in check.detail
    assert check.detail.endswith("p = 0.0010 (of no difference), 24 queries")


@pytest.mark.parametrize(("spread", "doubtful"), [(0.01, True), (0.0, False)])
def test_an_interval_that_has_the_labelers_doubt_in_it_says_so(
    spread: float, doubtful: bool
) -> None:
    found = compared(MIXED, FIRST)
    (contrast,) = found.contrasts
    noisy = {"RR": replace(contrast.differences["RR"], noise=LabelNoise(spread, 0.0))}
    changed = replace(found, contrasts=[replace(contrast, differences=noisy)])
    (check,) = rule(changed, BETTER).checks
    assert ("interval with the labeler's doubt +0." in check.detail) is doubtful
    assert ("(of no difference, labels taken as they are)" in check.detail) is doubtful


# slices


def test_a_slice_that_loses_fails_though_the_whole_gains() -> None:
    before = [5] * 10 + [1] * 14
    after = [1] * 10 + [2] * 14
    gate = Gate("not worse", slices=("band",))
    assert decided(compared(before, after), gate) == [
        ("RR not worse by 0.1", Decision.INCONCLUSIVE),
        ("no loss on band=head", Decision.PASSED),
        ("no loss on band=tail", Decision.FAILED),
    ]
    assert rule(compared(before, after), gate).decision is Decision.FAILED


@pytest.mark.parametrize(("runs", "sign"), [((MIXED, OTHER), "+"), ((OTHER, MIXED), "-")])
def test_a_slice_that_shows_no_loss_tells_how_large_a_one_it_would_have_shown(
    runs: tuple[list[int], list[int]], sign: str
) -> None:
    (_, check) = rule(compared(*runs), Gate("better", slices=("band=tail",))).checks
    assert check.decision is Decision.PASSED
    assert check.detail.startswith(f"{sign}0.0262, ")
    assert check.detail.endswith("would be seen 4 times in 5")


def test_the_more_is_tested_the_larger_a_loss_must_be_to_be_seen() -> None:
    alone = compared(MIXED, OTHER).contrasts[0]
    both = compared(MIXED, OTHER, OTHER).contrasts[0]
    one, two = (c.differences["RR"].detectable for c in (alone, both))
    assert one
    assert two
    assert 1.05 * one < two < 1.3 * one


def test_a_slice_whose_queries_failed_is_inconclusive() -> None:
    after = [1] * 10 + [-2] * 10 + [1] * 4
    gate = Gate("not worse", slices=("band=tail",), unanswered=1.0)
    (_, check, _) = rule(compared(FIRST, after), gate).checks
    assert check.decision is Decision.INCONCLUSIVE
    assert check.detail == "fewer than 5 queries are left of it"


QUERIES = [
    Query(f"q{i}", "x", {"band": "head", "n": str(i), "kind": f"k{i // 4}"}) for i in range(24)
]


@pytest.mark.parametrize(
    ("name", "says", "remedy"),
    [
        ("author", "no query has the tag 'author'", "tags of the set: band, kind, n"),
        ("", "no query has the tag ''", "tags of the set"),
        ("band=tail", "no query has the value 'tail'", "values of the tag: head"),
        ("n", "the tag has 24 values, and 20 are the most", "an identifier"),
        ("kind", "4 queries are too few", "5 queries or more"),
        ("kind=k1", "4 queries are too few", "5 queries or more"),
    ],
)
def test_a_slice_that_can_say_nothing_is_refused(
    complains: Complains, name: str, says: str, remedy: str
) -> None:
    with complains(UsageError, says, code=2, where=f"slice {name}", remedy=remedy):
        check_slices(("band", name), QUERIES)


def test_slices_of_a_set_without_tags(complains: Complains) -> None:
    with complains(UsageError, "no query has the tag", code=2, where="slice a", remedy="no tags"):
        check_slices(("a",), [Query("q", "x")])


def test_slices_that_can_say_something_are_accepted() -> None:
    check_slices(("band", "band=head"), QUERIES)


# budgets


@pytest.mark.parametrize(("budget", "decision"), [(30, "passed"), (29.9, "failed")])
def test_the_servers_time_is_held_to_its_budget(budget: float, decision: str) -> None:
    gate = Gate("not worse", latency_ms=budget)
    (_, check) = rule(compared(MIXED, FIRST, took=(10, 30)), gate).checks
    assert (check.subject, check.detail, check.decision) == ("b", "30 ms", decision)


@pytest.mark.parametrize(("budget", "decision"), [(3, "passed"), (2.9, "failed")])
def test_the_servers_time_is_held_to_the_baselines(budget: float, decision: str) -> None:
    gate = Gate("not worse", latency_ratio=budget)
    (_, check) = rule(compared(MIXED, FIRST, took=(10, 30)), gate).checks
    assert (check.detail, check.decision) == ("30 ms, baseline 10 ms", decision)


def test_a_ratio_that_is_met_exactly_is_kept() -> None:
    gate = Gate("not worse", latency_ratio=1.15)  # 1.15 · 100 is less than 115 in floating point
    (_, check) = rule(compared(MIXED, FIRST, took=(100, 115)), gate).checks
    assert check.decision is Decision.PASSED


def test_a_share_that_is_met_exactly_is_kept() -> None:
    gate = Gate("not worse", zero_results=0.29)
    (_, check) = rule(compared([1] * 100, [-1] * 29 + [1] * 71), gate).checks
    assert (check.detail, check.decision) == ("29 of 100 queries have none", Decision.PASSED)


def test_a_baseline_of_no_milliseconds_counts_as_one() -> None:
    gate = Gate("not worse", latency_ratio=2)
    (_, check) = rule(compared(MIXED, FIRST, took=(0, 2)), gate).checks
    assert check.decision is Decision.PASSED


def test_a_time_that_nobody_knows_is_inconclusive() -> None:
    gate = Gate("not worse", latency_ms=9, latency_ratio=9)
    (_, one, two) = rule(compared(MIXED, FIRST, took=(10, None)), gate).checks
    assert {one.decision, two.decision} == {Decision.INCONCLUSIVE}
    assert "run file" in one.detail


@pytest.mark.parametrize(
    ("budget", "decision"), [(0.25, "passed"), (0.24, "failed"), (0, "failed")]
)
def test_queries_without_hits_are_held_to_their_budget(budget: float, decision: str) -> None:
    gate = Gate("not worse", zero_results=budget)
    (_, check) = rule(compared(FIRST, [-1] * 6 + [1] * 18), gate).checks
    assert (check.detail, check.decision) == ("6 of 24 queries have none", decision)


@pytest.mark.parametrize(("allowed", "decision"), [(0.25, "passed"), (0.2, "inconclusive")])
def test_searches_that_failed_are_no_evidence(allowed: float, decision: str) -> None:
    gate = Gate("not worse", unanswered=allowed)
    ruling = rule(compared(FIRST, [-2] * 6 + [1] * 18), gate)
    assert ruling.checks[-1].detail.startswith("6 of 24 queries are left out")
    assert ruling.checks[-1].decision == ruling.decision == decision


def test_a_share_of_queries_without_hits_is_one_of_those_that_were_answered() -> None:
    gate = Gate("not worse", zero_results=0.24, unanswered=1.0)
    after = [-2] * 4 + [-1] * 5 + [1] * 15  # 5 of 20 are more than 24 %, and 5 of 24 are not
    check = rule(compared(FIRST, after), gate).checks[-1]
    assert (check.detail, check.decision) == ("5 of 20 queries have none", Decision.FAILED)


@pytest.mark.parametrize(("failed", "decision"), [(1, "passed"), (2, "inconclusive")])
def test_a_twentieth_of_the_searches_may_fail_if_nothing_else_is_said(
    failed: int, decision: str
) -> None:
    after = [-2] * failed + [1] * (24 - failed)
    assert rule(compared(FIRST, after), NOT_WORSE).decision == decision


def test_budgets_are_no_matter_of_the_baselines_but_each_is_one_to_measure_time_by() -> None:
    gate = Gate("not worse", latency_ms=40, latency_ratio=3.5, zero_results=0.1)
    plan = replace(PLAN, baselines=2)
    empty = [-1] * 12 + [1] * 12
    found = compared(empty, empty, FIRST, plan=plan, took=(50, 5, 20))
    budgets = [(c.subject, c.decision) for c in rule(found, gate).checks[2:]]
    assert budgets == [
        ("c", Decision.PASSED),
        ("c against a", Decision.PASSED),
        ("c against b", Decision.FAILED),
        ("c", Decision.PASSED),
    ]


# trust


def test_an_untrusted_labeler_outweighs_all_that_rests_on_its_grades() -> None:
    gate = Gate("not worse", slices=("band",), zero_results=0.5)
    ruling = rule(compared(MIXED, LAST), gate, UNTRUSTED)
    assert ruling.decision is Decision.UNTRUSTED
    assert ruling.checks[0] == Check(
        "labeler", "trusted", Decision.UNTRUSTED, "kappa with people is 0.10"
    )
    assert [c.decision for c in ruling.checks[:-1]] == [Decision.UNTRUSTED] * 4
    assert ruling.checks[-1].decision is Decision.PASSED


@pytest.mark.parametrize("trust", [Trust.TRUSTED, Trust.UNKNOWN])
def test_a_labeler_that_is_not_shown_to_be_bad_changes_nothing(trust: Trust) -> None:
    comparison = compared(MIXED, FIRST)
    assert rule(comparison, BETTER, replace(UNTRUSTED, trust=trust)) == rule(comparison, BETTER)


@given(st.lists(st.sampled_from(Decision), min_size=1))
def test_the_whole_passes_only_if_every_check_does(decisions: list[Decision]) -> None:
    ruling = Ruling([Check("b", "n", d, "") for d in decisions])
    assert (ruling.decision is Decision.PASSED) == (set(decisions) == {Decision.PASSED})
    assert ruling.decision in decisions


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=12))
def test_no_ranker_is_better_both_ways(places: list[tuple[int, int]]) -> None:
    before, after = [[p[i] for p in places] for i in (0, 1)]
    both = [rule(compared(*pair), BETTER).decision for pair in ((before, after), (after, before))]
    assert both != [Decision.PASSED, Decision.PASSED]
