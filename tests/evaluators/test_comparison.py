"""From runs and judgments to verdicts."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.comparison import Comparison, Contrast, Difference, Plan, compare
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.evaluators.statistics import (
    bca_interval,
    equivalence_p,
    mean_interval,
    non_inferiority_p,
    paired_t_p,
    sign_flip_p,
    smallest_detectable,
)
from relevance_eval.evaluators.verdict import Rule, Verdict

MakeRun = Callable[..., Run]
Certain = Callable[..., dict[str, Judgment]]
RR = Plan(primary=parse_measure("RR"), rule=Rule(alpha=0.05, margin=0.01))
FIRST, SECOND, MIXED = [1] * 12, [2] * 12, [1, 2] * 6


def ranked(name: str, places: Mapping[str, int]) -> Run:
    """A run with the good document at these places, 1 to 10, by query id; 0: nowhere."""
    results = {
        query_id: Result(
            tuple(Hit("good" if r == place else f"bad{r}", -float(r)) for r in range(1, 11))
        )
        for query_id, place in places.items()
    }
    return Run(name, results)


def compared(plan: Plan, *places: Sequence[int], order: Sequence[int] = ()) -> Comparison:
    """Runs `a`, `b`, ... whose RR on query i is 1 / places[i]; `order` of the queries."""
    ids = [f"q{i}" for i in range(len(places[0]))]
    runs = [ranked(n, dict(zip(ids, p, strict=True))) for n, p in zip("abcd", places, strict=False)]
    judged = {i: {"good": Judgment.certain("m", 3)} for i in ids}
    return compare(
        runs, [Query(ids[i], f"text {i}") for i in order or range(len(ids))], judged, plan
    )


def only(comparison: Comparison) -> tuple[Contrast, Difference]:
    (contrast,) = comparison.contrasts
    return contrast, contrast.differences[str(comparison.plan.primary)]


def column(baseline: Sequence[int], ranker: Sequence[int]) -> npt.NDArray[np.float64]:
    gains = [[1 / p if p else 0.0 for p in places] for places in (baseline, ranker)]
    return np.array(gains[1]) - np.array(gains[0])


@pytest.mark.parametrize(
    ("baseline", "ranker", "verdict", "wins_ties_losses"),
    [
        (SECOND, FIRST, "better", (12, 0, 0)),
        (FIRST, SECOND, "worse", (0, 0, 12)),
        (MIXED, [2, 1] * 6, "inconclusive", (6, 0, 6)),
        (FIRST, [2, *FIRST[1:]], "inconclusive", (0, 11, 1)),
        (MIXED, MIXED, "equivalent", (0, 12, 0)),
        ([10] * 12, [9] * 3 + [10] * 9, "equivalent", (3, 9, 0)),
        ([2], [1], "inconclusive", (1, 0, 0)),
    ],
    ids=["better", "worse", "mixed", "one loss", "same", "too small to matter", "one query"],
)
def test_the_verdict_says_what_the_queries_say(
    baseline: list[int], ranker: list[int], verdict: str, wins_ties_losses: tuple[int, int, int]
) -> None:
    contrast, found = only(compared(RR, baseline, ranker))
    assert contrast.verdict is Verdict(verdict)
    assert (found.wins, found.ties, found.losses) == wins_ties_losses


def test_a_difference_carries_the_statistics_of_its_queries() -> None:
    baseline, ranker = [1, 2, 4, 3, 0, 1], [2, 1, 1, 2, 1, 1]
    contrast, found = only(compared(RR, baseline, ranker))
    values = column(baseline, ranker)
    assert (contrast.baseline, contrast.ranker, found.queries) == ("a", "b", 6)
    student = mean_interval(values)
    assert (found.mean, found.low_t, found.high_t) == pytest.approx(student, abs=1e-12)
    bootstrap = bca_interval(values, seed=0)
    assert (found.mean, found.low_bca, found.high_bca) == pytest.approx(bootstrap, abs=1e-12)
    assert found.p_t == pytest.approx(paired_t_p(values), rel=1e-9)
    assert found.p_sign_flip == found.p_corrected == sign_flip_p(values, seed=0)
    assert found.detectable == pytest.approx(smallest_detectable(values), rel=1e-9)
    assert found.p_non_inferior == pytest.approx(non_inferiority_p(values, 0.01), rel=1e-9)
    assert found.p_equivalent == pytest.approx(equivalence_p(values, 0.01), rel=1e-9)


def test_all_differences_zero_say_so_without_a_warning() -> None:
    contrast, found = only(compared(replace(RR, rule=Rule(margin=0.0)), MIXED, MIXED))
    assert contrast.verdict is Verdict.INCONCLUSIVE
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)
    assert (found.p_t, found.p_sign_flip, found.p_corrected) == (1.0, 1.0, 1.0)
    assert contrast.changes == []


def test_one_query_has_a_difference_and_no_interval() -> None:
    _, found = only(compared(RR, [2], [1]))
    assert (found.mean, found.low, found.high, found.detectable) == (0.5, None, None, None)
    assert (found.p_t, found.p_sign_flip) == (1.0, 1.0)


def test_several_rankers_are_corrected_together() -> None:
    # Six wins alone: p = 2/64 = 0.03125. Holm doubles the smaller p of two rankers.
    alone, found = only(compared(RR, [2] * 6, [1] * 6))
    assert (alone.verdict, found.p_corrected) == (Verdict.BETTER, 0.03125)
    both = compared(replace(RR, correction="holm"), [2] * 6, [1] * 6, [1, 3] * 3)
    first, second = (c.differences["RR"] for c in both.contrasts)
    assert (first.p_sign_flip, first.p_corrected) == (0.03125, 0.0625)
    assert first.p_corrected <= second.p_corrected == second.p_sign_flip
    assert [c.verdict for c in both.contrasts] == [Verdict.INCONCLUSIVE] * 2
    assert [(c.baseline, c.ranker) for c in both.contrasts] == [("a", "b"), ("a", "c")]


def test_maxt_knows_that_a_twin_adds_no_chance_of_a_false_alarm() -> None:
    places = [2] * 6, [1] * 6, [1] * 6
    holm, maxt = (
        [c.differences["RR"] for c in compared(replace(RR, correction=by), *places).contrasts]
        for by in ("holm", "maxt")
    )
    assert [d.p_corrected for d in holm] == [0.0625, 0.0625]
    assert [d.p_corrected for d in maxt] == [0.03125, 0.03125]


def test_a_corrected_p_is_never_below_the_raw_one() -> None:
    places = [[random.Random(100 * r + i).randint(1, 5) for i in range(60)] for r in range(4)]
    for contrast in compared(RR, *places).contrasts:
        found = contrast.differences["RR"]
        assert found.p_corrected >= found.p_sign_flip


def test_each_ranker_is_compared_with_each_baseline_and_all_pairs_are_corrected() -> None:
    plan = replace(RR, baselines=2, correction="holm")
    found = compared(plan, [2] * 12, [2] * 12, [1] * 12, MIXED)
    pairs = [(c.baseline, c.ranker) for c in found.contrasts]
    assert pairs == [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]
    differences = [c.differences["RR"] for c in found.contrasts]
    assert [d.mean for d in differences] == [0.5, 0.25, 0.5, 0.25]
    assert differences[0].p_corrected == 4 * differences[0].p_sign_flip
    one = compared(replace(plan, baselines=1), [2] * 12, [1] * 12, MIXED)
    assert one.contrasts[0].differences["RR"].p_corrected == 2 * differences[0].p_sign_flip


@pytest.mark.parametrize("baselines", [0, 2, 3])
def test_baselines_leave_a_ranker_to_compare(
    explained: Callable[..., None], baselines: int
) -> None:
    with pytest.raises(UsageError) as caught:
        compared(replace(RR, baselines=baselines), FIRST, SECOND)
    explained(
        caught.value,
        code=2,
        where=None,
        says=f"{baselines} of 2 rankers cannot be baselines",
        remedy="name the baselines first",
    )


def test_a_query_that_does_not_differ_changes_no_permutation_p() -> None:
    before, after = [1, 2, 4, 3, 5, 1], [2, 1, 1, 2, 1, 1]
    _, one = only(compared(RR, before, after))
    _, two = only(compared(RR, [*before, 3], [*after, 3]))
    assert two.p_sign_flip == one.p_sign_flip
    assert (two.queries, two.ties) == (one.queries + 1, one.ties + 1)


def test_a_margin_of_0_asks_for_better_where_others_ask_for_no_worse() -> None:
    plan = replace(RR, rule=Rule(margin=0.0))
    _, better = only(compared(plan, [2, 2, 3] * 4, [1] * 12))
    _, same = only(compared(plan, MIXED, MIXED))
    assert better.p_non_inferior < 0.001
    assert (better.p_equivalent, same.p_equivalent, same.p_non_inferior) == (1.0, 1.0, 1.0)


def test_how_many_more_queries_would_show_the_target() -> None:
    _, found = only(compared(replace(RR, target=0.05), MIXED * 5, [1, 3] * 30))
    assert found.queries_for_target is not None
    assert found.more_queries == max(0, found.queries_for_target - 60)
    _, easy = only(compared(replace(RR, target=0.9), MIXED * 5, [1, 3] * 30))
    assert easy.more_queries == 0


def test_the_interval_reaches_as_far_as_the_bootstraps_and_students_at_each_end() -> None:
    places = [*[2] * 25, *[10] * 15]
    _, found = only(compared(RR, places, [*[2] * 30, *[1] * 10]))
    assert (found.low, found.high) == (found.low_queries, found.high_queries)
    assert found.high == found.high_bca != found.high_t
    assert found.low == found.low_t != found.low_bca


def uncertain(places: Sequence[tuple[int, int]], plan: Plan) -> tuple[Contrast, Contrast]:
    """The comparison of two rankers whose labels are in doubt, and that with them swapped."""
    ids = [f"q{i}" for i in range(len(places))]
    one, two = (dict(zip(ids, p, strict=True)) for p in zip(*places, strict=True))
    doubt = {"good": Judgment("m", (0.1, 0.2, 0.3, 0.4)), "bad3": Judgment("m", (0.6, 0.2, 0.2, 0))}
    queries, judged = [Query(i, i) for i in ids], dict.fromkeys(ids, doubt)
    straight = compare([ranked("a", one), ranked("b", two)], queries, judged, plan)
    swapped = compare([ranked("a", two), ranked("b", one)], queries, judged, plan)
    return straight.contrasts[0], swapped.contrasts[0]


@settings(derandomize=True, deadline=None, max_examples=10)
@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=20, max_size=40),
    st.sampled_from(["EnDCG@10", "nDCG@10", "RR", "P@5"]),
)
def test_swapping_mirrors_the_interval_also_where_labels_are_in_doubt(
    places: list[tuple[int, int]], name: str
) -> None:
    plan = Plan(parse_measure(name), permutations=500, resamples=500, label_draws=100)
    straight, swapped = uncertain(places, plan)
    one, two = straight.differences[name], swapped.differences[name]
    assert (two.mean, two.low, two.high) == (-one.mean, -(one.high or 0), -(one.low or 0))
    assert (one.low or 0) <= (one.low_queries or 0) <= (one.high_queries or 0) <= (one.high or 0)
    assert swapped.flip_risk == straight.flip_risk
    opposite = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    assert swapped.verdict is opposite.get(straight.verdict, straight.verdict)


def test_labels_in_doubt_widen_the_interval_of_the_primary_measure_and_may_flip_the_verdict() -> (
    None
):
    others = (parse_measure("P@5"),)
    plan = Plan(parse_measure("EnDCG@10"), others, label_draws=300)
    found, _ = uncertain([(1, 2), (1, 3), (2, 1)] * 10, plan)
    primary, other = found.differences["EnDCG@10"], found.differences["P@5"]
    assert primary.noise is not None
    assert primary.noise.spread > 0
    assert (primary.low or 0) < (primary.low_queries or 0)
    assert (primary.high or 0) > (primary.high_queries or 0)
    assert found.flip_risk is not None
    assert 0 < found.flip_risk < 1
    assert other.noise is None
    assert other.low == other.low_queries


def test_the_seed_draws_the_labels_too() -> None:
    plan = Plan(parse_measure("EnDCG@10"), label_draws=100)
    noises = [
        uncertain([(1, 2), (1, 3), (2, 1)] * 10, replace(plan, seed=s))[0]
        .differences["EnDCG@10"]
        .noise
        for s in (0, 1, 1)
    ]
    assert noises[0] != noises[1] == noises[2]


def test_certain_labels_have_no_noise_and_no_flip_risk() -> None:
    contrast, found = only(compared(RR, SECOND, FIRST))
    assert (found.noise, contrast.flip_risk) == (None, 0.0)
    assert only(compared(replace(RR, label_draws=0), SECOND, FIRST))[0].flip_risk is None


PLACES = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=30)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(PLACES)
def test_swapping_the_rankers_negates_the_difference_and_nothing_else(
    places: list[tuple[int, int]],
) -> None:
    before, after = [a for a, _ in places], [b for _, b in places]
    contrast, one = only(compared(RR, before, after))
    swapped, two = only(compared(RR, after, before))
    assert (two.mean, two.wins, two.ties, two.losses) == (-one.mean, one.losses, one.ties, one.wins)
    assert (two.low, two.high) == (-(one.high or 0), -(one.low or 0))
    assert (two.p_t, two.p_sign_flip, two.detectable) == (one.p_t, one.p_sign_flip, one.detectable)
    opposite = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    assert swapped.verdict is opposite.get(contrast.verdict, contrast.verdict)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(PLACES, st.integers(0, 2**32))
def test_the_order_of_the_queries_does_not_matter(places: list[tuple[int, int]], seed: int) -> None:
    before, after = [a for a, _ in places], [b for _, b in places]
    order = random.Random(seed).sample(range(len(places)), len(places))
    contrast, one = only(compared(RR, before, after))
    shuffled, two = only(compared(RR, before, after, order=order))
    assert shuffled.verdict is contrast.verdict
    assert two.p_sign_flip == one.p_sign_flip
    assert (two.mean, two.p_t) == pytest.approx((one.mean, one.p_t), rel=1e-9, abs=1e-12)
    assert (two.wins, two.ties, two.losses) == (one.wins, one.ties, one.losses)


def test_the_same_seed_gives_the_same_comparison_and_another_seed_another_p() -> None:
    places = [[random.Random(i).randint(1, 5) for i in range(40)], [2] * 40]
    first, again, other = (compared(replace(RR, seed=s), *places) for s in (1, 1, 2))
    assert first == again
    assert only(first)[1].p_sign_flip != only(other)[1].p_sign_flip


def test_the_queries_that_changed_most_come_first() -> None:
    before, after = [1, 4, 2, 1, 3, 2], [1, 2, 1, 2, 3, 4]
    contrast, _ = only(compared(replace(RR, changes=3), before, after))
    assert [c.query_id for c in contrast.changes] == ["q2", "q3", "q1"]
    first, second, _ = contrast.changes
    assert (first.text, first.baseline, first.ranker, first.difference) == ("text 2", 0.5, 1, 0.5)
    assert second.difference == -0.5


def test_all_measures_of_the_plan_are_told_and_the_primary_decides() -> None:
    others = (parse_measure("P@1"), parse_measure("RR"), parse_measure("Judged@10"))
    found = compared(replace(RR, others=others), SECOND, FIRST)
    assert list(found.contrasts[0].differences) == ["RR", "P@1", "Judged@10"]
    assert [r.measures["P@1"].mean for r in found.rankers] == [0.0, 1.0]
    assert [r.measures["RR"] for r in found.rankers] == [(0.5, 0.5, 0.5), (1.0, 1.0, 1.0)]
    assert found.contrasts[0].differences["Judged@10"].mean == 0.0


def test_a_ranker_is_told_with_its_gaps_and_its_latency(certain: Certain) -> None:
    hit = (Hit("x", 1.0),)
    run = Run(
        "a",
        {
            "q1": Result(hit, took=10),
            "q2": Result((), took=30, problem="timed out"),
            "other": Result(hit, took=9000, problem="not asked"),
        },
    )
    asked = [Query(i, i) for i in ("q1", "q2", "q3")]
    found = compare([run, Run("b", {})], asked, {"q1": certain(x=3)}, RR).rankers
    assert found[0].empty == ["q2", "q3"]
    assert found[0].problems == {"q2": "timed out"}
    assert (found[0].took_p50, found[0].took_p95) == (20.0, pytest.approx(29.0))
    assert (found[1].empty, found[1].took_p50) == (["q1", "q2", "q3"], None)


@pytest.mark.parametrize("primary", ["RR", "nDCG@10", "EnDCG@10", "ERR@10"])
@pytest.mark.parametrize(("no_gain", "mean"), [("zero", -0.5), ("skip", -1.0)])
def test_a_ranker_that_returned_nothing_loses_on_the_queries_that_count(
    make_run: MakeRun, certain: Certain, primary: str, no_gain: str, mean: float
) -> None:
    plan = Plan(primary=parse_measure(primary), no_gain="zero" if no_gain == "zero" else "skip")
    judged = {"q1": certain(x=3), "q2": certain(x=0)}
    runs = [make_run("a", q1="x", q2="x"), make_run("b")]
    _, found = only(compare(runs, [Query("q1", "1"), Query("q2", "2")], judged, plan))
    assert found.mean == pytest.approx(mean if primary != "ERR@10" else mean * 7 / 16)


def test_other_measures_may_have_no_query_left(make_run: MakeRun, certain: Certain) -> None:
    plan = Plan(primary=parse_measure("nDCG@10"), others=(parse_measure("RR"),), no_gain="skip")
    runs = [make_run("a", q="x y"), make_run("b", q="y x")]
    found = compare(runs, [Query("q", "1")], {"q": certain(x=1)}, plan)
    assert "RR" not in found.rankers[0].measures
    assert found.contrasts[0].differences["RR"].queries == 0


def test_all_rankers_share_one_ideal(make_run: MakeRun, certain: Certain) -> None:
    runs = [make_run("a", q="poor"), make_run("b", q="best")]
    found = compare(runs, [Query("q", "1")], {"q": certain(poor=1, best=3)}, Plan())
    means = [r.measures["EnDCG@10"].mean for r in found.rankers]
    ideal = 3 + 1 / np.log2(3)
    assert means == pytest.approx([1 / ideal, 3 / ideal], abs=1e-12)


@pytest.mark.parametrize(
    ("names", "grade", "says", "remedy"),
    [
        ("a", 3, "two rankers or more are needed", ""),
        ("", 3, "two rankers or more are needed", ""),
        ("aba", 3, "two rankers have one name: a, b, a", "name each once"),
        ("ab", 0, "nothing found has any gain", "set no_gain = 'zero'"),
    ],
)
def test_what_cannot_be_compared_is_told(
    make_run: MakeRun,
    certain: Certain,
    explained: Callable[..., None],
    names: str,
    grade: int,
    says: str,
    remedy: str,
) -> None:
    runs = [make_run(name, q="x") for name in names]
    with pytest.raises(UsageError) as caught:
        compare(runs, [Query("q", "1")], {"q": certain(x=grade)}, replace(RR, no_gain="skip"))
    explained(caught.value, code=2, where=None, says=says, remedy=remedy)


@pytest.mark.parametrize("broken", ["a", "b"])
def test_a_query_whose_search_failed_is_left_out_for_all_and_told(broken: str) -> None:
    ids = [f"q{i}" for i in range(12)]
    lost = Result((), None, "429: try later", failed=True)
    runs = [ranked(name, dict.fromkeys(ids, 1)) for name in "ab"]
    runs = [
        Run(r.ranker, {**r.results, "q3": lost, "unasked": lost}) if r.ranker == broken else r
        for r in runs
    ]
    judged = {i: {"good": Judgment.certain("m", 3)} for i in ids}
    found = compare(runs, [Query(i, i) for i in ids], judged, RR)
    contrast, difference = only(found)
    assert (found.queries, found.unanswered) == (11, ["q3"])
    assert (contrast.verdict, difference.mean) == (Verdict.EQUIVALENT, 0.0)
    problems = {r.ranker: r.problems.get("q3") for r in found.rankers}
    assert problems == {"a": None, "b": None} | {broken: "429: try later"}


def test_a_failed_label_is_taken_out_of_the_list_and_is_no_grade_0() -> None:
    ids = [f"q{i}" for i in range(12)]
    runs = [ranked("a", dict.fromkeys(ids, 1)), ranked("b", dict.fromkeys(ids, 2))]
    judged = {i: {"good": Judgment.certain("m", 3)} for i in ids}
    failed = {i: {"bad1"} for i in ids}
    found = compare(runs, [Query(i, i) for i in ids], judged, RR, failed)
    assert set(found.rankers[1].values["RR"].values()) == {1.0}


def test_rankers_that_find_nothing_of_use_are_not_shown_to_be_equivalent() -> None:
    contrast, _ = only(compared(RR, [0] * 12, [0] * 12))
    assert contrast.verdict is Verdict.INCONCLUSIVE


def test_the_primary_measure_is_not_replaced_by_another_of_its_name() -> None:
    exponential = parse_measure("EnDCG@10", gain="exponential")
    plan = Plan(primary=exponential, others=(parse_measure("EnDCG@10"), parse_measure("RR")))
    assert plan.measures == (exponential, parse_measure("RR"))
