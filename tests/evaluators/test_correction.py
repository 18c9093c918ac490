"""People's grades of an audit against a labeler's of all queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from relevance_eval.errors import InputError, UsageError
from relevance_eval.evaluators.audit import Audit, draw_audit
from relevance_eval.evaluators.correction import (
    Audited,
    Correction,
    audited,
    correct,
    difference,
)
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Values, measure_run, parse_measure
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.evaluators.statistics import mean_interval
from relevance_eval.evaluators.statistics.prediction_powered import Powered

MEASURE = parse_measure("EnDCG@3")
COUNT = 60
QUERIES = [Query(f"q{n:02}", f"text {n}", {"kind": "ab"[n % 2]}) for n in range(COUNT)]


def ranked(name: str, seed: int) -> Run:
    generator = np.random.default_rng(seed)
    orders = {q.id: generator.permutation(6)[:4] for q in QUERIES}
    results = {
        i: Result(tuple(Hit(f"d{d}", -float(r)) for r, d in enumerate(order)))
        for i, order in orders.items()
    }
    return Run(name, results)


RUNS = [ranked("old", 1), ranked("new", 2), ranked("newer", 3)]
TRUTH: Qrels = {
    q.id: {f"d{d}": int(g) for d, g in enumerate(np.random.default_rng(n).integers(0, 4, 6))}
    for n, q in enumerate(QUERIES)
}


def labelled(people: Qrels, pleased_by: str | None = None) -> dict[str, dict[str, Judgment]]:
    """A labeler that errs by a grade now and then, or grades what one ranker has first as a 3."""
    generator = np.random.default_rng(0)
    judged = {
        q: {
            i: Judgment.certain("m", int(np.clip(g + generator.integers(-1, 2), 0, 3)))
            for i, g in grades.items()
        }
        for q, grades in people.items()
    }
    for run in RUNS:
        if run.ranker == pleased_by:
            for q in judged:
                judged[q][run.hits(q)[0].document_id] = Judgment.certain("m", 3)
    return judged


def values(
    judged: Mapping[str, Mapping[str, Judgment]], queries: Sequence[Query] = QUERIES
) -> dict[str, Values]:
    return {r.ranker: measure_run(r, [q.id for q in queries], judged, MEASURE) for r in RUNS}


AUDIT = draw_audit(QUERIES, 20, "kind", seed=5)
GRADES: Qrels = {i: TRUTH[i] for i in AUDIT.drawn}
MODEL = values(labelled(TRUTH))


def found(
    people: Mapping[str, Qrels], audit: Audit | None = AUDIT, queries: Sequence[Query] = QUERIES
) -> Audited:
    return audited(audit, queries, RUNS, people, MEASURE)


def corrected(
    people: Mapping[str, Qrels],
    model: Mapping[str, Values] = MODEL,
    runs: Sequence[Run] = RUNS,
    queries: Sequence[Query] = QUERIES,
) -> Correction:
    return correct(model, runs, queries, found(people, AUDIT, queries), MEASURE)


def held(powered: Powered, truth: float) -> bool:
    _, low, high = powered.interval
    assert low is not None
    assert high is not None
    return low <= truth <= high


def test_corrected_figures_hold_what_people_say_of_all_queries() -> None:
    truth = values(
        {q: {i: Judgment.certain("p", g) for i, g in r.items()} for q, r in TRUTH.items()}
    )
    means = {n: float(np.mean(list(v.values()))) for n, v in truth.items()}
    result = corrected({"ann": GRADES})
    assert result.rankers.keys() == {"old", "new", "newer"}
    assert all(held(result.rankers[n], means[n]) for n in result.rankers)
    assert result.contrasts.keys() == result.biases.keys() == {"new", "newer"}
    assert all(held(c, means[n] - means["old"]) for n, c in result.contrasts.items())
    assert all((c.audited, c.queries) == (20, 60) for c in result.contrasts.values())
    assert result.notes == []


def test_an_audit_of_all_queries_leaves_the_t_interval_of_people_alone() -> None:
    everything = draw_audit(QUERIES, COUNT)
    joined = audited(everything, QUERIES, RUNS, {"ann": TRUTH}, MEASURE)
    result = correct(MODEL, RUNS, QUERIES, joined, MEASURE)
    people = values(
        {q: {i: Judgment.certain("p", g) for i, g in r.items()} for q, r in TRUTH.items()}
    )
    apart = [people["new"][q.id] - people["old"][q.id] for q in QUERIES]
    assert result.contrasts["new"].people == pytest.approx(mean_interval(np.array(apart)), abs=1e-9)


def test_a_query_without_hits_is_graded_in_full_as_it_is() -> None:
    """Left out, it would make every corrected mean too high."""
    empty = {q.id for q in QUERIES[:20]}
    runs = [Run(r.ranker, {q: x for q, x in r.results.items() if q not in empty}) for r in RUNS]
    people = {q: grades for q, grades in TRUTH.items() if q not in empty}
    judged = {q: {i: Judgment.certain("p", g) for i, g in r.items()} for q, r in people.items()}
    ids = [q.id for q in QUERIES]
    truth = {r.ranker: measure_run(r, ids, judged, MEASURE) for r in runs}
    model = {r.ranker: measure_run(r, ids, labelled(people), MEASURE) for r in runs}
    everything = audited(draw_audit(QUERIES, COUNT), QUERIES, runs, {"ann": people}, MEASURE)
    assert everything.incomplete == {}
    result = correct(model, runs, QUERIES, everything, MEASURE)
    for name, powered in result.rankers.items():
        assert powered.audited == COUNT
        assert powered.people.mean == pytest.approx(np.mean(list(truth[name].values())))


def test_the_labelers_error_is_peoples_value_minus_its_own() -> None:
    audit = draw_audit(QUERIES, 20)
    grades = {i: TRUTH[i] for i in audit.drawn}
    result = correct(MODEL, RUNS, QUERIES, found({"ann": grades}, audit), MEASURE)
    judged = {i: {d: Judgment.certain("p", g) for d, g in r.items()} for i, r in grades.items()}
    for run in RUNS:
        people = measure_run(run, list(grades), judged, MEASURE)
        apart = [people[i] - MODEL[run.ranker][i] for i in grades]
        assert result.errors[run.ranker].error == pytest.approx(
            mean_interval(np.array(apart)), abs=1e-9
        )
    assert {b.favours for b in result.biases.values()} == {None}


def test_the_level_is_that_of_corrected_intervals_and_errors_keep_95_percent() -> None:
    joined = found({"ann": GRADES})
    narrow, wide = (correct(MODEL, RUNS, QUERIES, joined, MEASURE, level=v) for v in (0.9, 0.99))
    pairs = [(narrow.rankers[n], wide.rankers[n]) for n in narrow.rankers]
    for one, two in [*pairs, *((narrow.contrasts[n], wide.contrasts[n]) for n in wide.contrasts)]:
        quantiles = stats.t.ppf([0.95, 0.995], one.degrees)
        ends = [(p.interval.high or 0) - p.interval.mean for p in (one, two)]
        assert ends[0] / ends[1] == pytest.approx(quantiles[0] / quantiles[1])
    assert (narrow.errors, narrow.biases) == (wide.errors, wide.biases)


def test_a_difference_is_estimated_from_the_queries_whose_lists_differ() -> None:
    old, new, _ = RUNS
    half = {q.id: (old if n < 30 else new).results[q.id] for n, q in enumerate(QUERIES)}
    values_of_half = {q.id: MODEL["old" if n < 30 else "new"][q.id] for n, q in enumerate(QUERIES)}
    model = {"old": MODEL["old"], "new": values_of_half}
    audit = draw_audit(QUERIES, 20)
    grades = {i: TRUTH[i] for i in audit.drawn}
    runs = [old, Run("new", half)]
    result = correct(model, runs, QUERIES, found({"ann": grades}, audit), MEASURE)
    differing = sum(q.id in audit.drawn for q in QUERIES[30:])
    assert 2 < differing < 18
    assert result.contrasts["new"].degrees == differing - 1
    assert result.rankers["new"].degrees == 19


def test_values_that_differ_by_rounding_alone_do_not_differ() -> None:
    apart = difference(np.array([0.1 + 0.2, 0.5]), np.array([0.3, 0.25]))
    assert apart.tolist() == [0.0, 0.25]


def test_a_labeler_that_favours_a_ranker_is_found_out() -> None:
    pleased = corrected({"ann": GRADES}, values(labelled(TRUTH, "new")))
    assert pleased.biases["new"].favours == "new"
    assert pleased.biases["new"].error.mean < 0
    displeased = corrected({"ann": GRADES}, values(labelled(TRUTH, "old")))
    assert displeased.biases["new"].favours == "old"


@pytest.mark.parametrize("chosen", ["no file", "other queries", "other set"])
def test_what_is_not_random_gets_no_corrected_interval(
    explained: Callable[..., None], chosen: str
) -> None:
    audit = {
        "no file": None,
        "other queries": AUDIT.model_copy(update={"seed": 6}),
        "other set": draw_audit(QUERIES[:50], 20),
    }[chosen]
    joined = found({"ann": GRADES}, audit)
    says = {
        "no file": "not drawn at random",
        "other queries": "chosen by hand",
        "other set": "another set",
    }[chosen]
    with pytest.raises(UsageError) as caught:
        correct(MODEL, RUNS, QUERIES, joined, MEASURE)
    explained(caught.value, code=2, where=None, says=says)
    assert joined.refusal == caught.value.message


def test_a_query_whose_pool_people_did_not_finish_is_left_out_and_told() -> None:
    short = dict(GRADES)
    first, second, *_ = AUDIT.drawn
    hit = RUNS[0].hits(first)[0].document_id
    short[first] = {i: g for i, g in GRADES[first].items() if i != hit}
    del short[second]
    joined = found({"ann": short})
    assert joined.incomplete.keys() == {first, second}
    assert joined.incomplete[first] == 1
    assert len(joined.people) == 18
    result = corrected({"ann": short})
    assert result.contrasts["new"].audited == 18
    assert "2 drawn queries are left out" in result.notes[0]


@pytest.mark.parametrize("run", RUNS, ids=lambda r: r.ranker)
def test_what_any_ranker_alone_has_found_needs_a_grade(run: Run) -> None:
    def tops(query_id: str) -> list[set[str]]:
        others = (r for r in RUNS if r is not run)
        return [{h.document_id for h in r.hits(query_id)[:3]} for r in (run, *others)]

    own = {i: own - one - other for i in AUDIT.drawn for own, one, other in [tops(i)]}
    lacking = {i: {d: g for d, g in GRADES[i].items() if d not in own[i]} for i in GRADES}
    assert found({"ann": lacking}).incomplete == {i: len(ds) for i, ds in own.items() if ds} != {}


def test_documents_below_the_measures_depth_need_no_grade() -> None:
    deep = {q: run_only(TRUTH[q], q) for q in AUDIT.drawn}
    assert found({"ann": deep}).incomplete == {}


def run_only(grades: Mapping[str, int], query_id: str) -> dict[str, int]:
    top = {h.document_id for r in RUNS for h in r.hits(query_id)[:3]}
    return {i: g for i, g in grades.items() if i in top}


def test_graded_queries_that_were_not_drawn_are_left_out_and_told() -> None:
    joined = found({"ann": {**TRUTH, "stranger": {"d0": 3}}})
    assert len(joined.beyond) == 41
    assert joined.people.keys() == AUDIT.drawn.keys()
    result = corrected({"ann": TRUTH})
    assert result.contrasts == corrected({"ann": GRADES}).contrasts
    assert result.notes == ["40 graded queries are left out, since they were not drawn"]


def test_people_who_disagree_share_and_are_counted() -> None:
    first = next(iter(GRADES))
    other = {**GRADES, first: {i: 3 - g for i, g in GRADES[first].items()}}
    joined = found({"ann": GRADES, "ben": other})
    assert joined.conflicts == len(GRADES[first])
    assert joined.people[first]["d0"].expected == 1.5
    told = corrected({"ann": GRADES, "ben": other}).notes
    assert told == [f"people disagree on {joined.conflicts} pairs: their grades are averaged"]


@pytest.mark.parametrize("grade", [-1, 4, 7])
def test_a_grade_outside_the_scale_is_told(explained: Callable[..., None], grade: int) -> None:
    with pytest.raises(InputError) as caught:
        found({"ann": {"q00": {"d0": grade}}})
    place, says = "ann, query q00, document d0", f"the grade {grade} is outside the scale 0 to 3"
    explained(caught.value, code=2, where=place, says=says, remedy="map the grades")


def test_an_audit_that_nobody_graded_is_told() -> None:
    assert found({"ann": {}}).refusal == (
        "no query of the audit has a pool that people graded in full"
    )


def test_one_graded_query_has_an_estimate_without_an_interval() -> None:
    first = next(iter(GRADES))
    result = corrected({"ann": {first: GRADES[first]}})
    assert result.contrasts["new"].interval.low is None
    assert result.biases["new"].favours is None
    assert any("no interval" in note for note in result.notes)


def test_a_stratum_without_two_graded_queries_gives_up_the_strata() -> None:
    kinds = {q.id: q.tags["kind"] for q in QUERIES}
    lonely = [i for i in AUDIT.drawn if kinds[i] == "b"][1:]
    result = corrected({"ann": {i: g for i, g in GRADES.items() if i not in lonely}})
    assert any("weighted by chances" in note for note in result.notes)
    assert result.contrasts["new"].degrees == 10


def test_queries_that_were_not_measured_are_no_part_of_the_population() -> None:
    gone = next(iter(AUDIT.drawn))
    model = {n: {q: v for q, v in row.items() if q != gone} for n, row in MODEL.items()}
    result = corrected({"ann": GRADES}, model)
    assert (result.contrasts["new"].audited, result.contrasts["new"].queries) == (19, 59)


def test_an_audit_of_which_nothing_was_measured_is_told() -> None:
    model = {n: {q: v for q, v in row.items() if q not in AUDIT.drawn} for n, row in MODEL.items()}
    with pytest.raises(UsageError, match="no query of the audit was measured"):
        corrected({"ann": GRADES}, model)


def test_an_audit_by_weights_is_corrected_by_them() -> None:
    weights = {q.id: 1.0 + 3 * (q.tags["kind"] == "a") for q in QUERIES}
    audit = draw_audit(QUERIES, 20, weights=weights, seed=1)
    grades = {i: TRUTH[i] for i in audit.drawn}
    flat = {n: dict.fromkeys(row, 0.0) for n, row in MODEL.items()}
    result = correct(flat, RUNS, QUERIES, found({"ann": grades}, audit), MEASURE)
    judged = {i: {d: Judgment.certain("p", g) for d, g in r.items()} for i, r in grades.items()}
    people = measure_run(RUNS[0], list(grades), judged, MEASURE)
    inverse = np.array([1 / audit.drawn[i] for i in people])
    expected = float(inverse @ list(people.values()) / inverse.sum())
    assert result.rankers["old"].interval.mean == pytest.approx(expected, rel=1e-9)


def test_a_ranker_against_its_own_copy_differs_by_0() -> None:
    twins = [RUNS[0], replace(RUNS[0], ranker="new")]
    model = {"old": MODEL["old"], "new": MODEL["old"]}
    result = correct(model, twins, QUERIES, found({"ann": GRADES}), MEASURE)
    assert result.contrasts["new"].interval == (0.0, 0.0, 0.0)
    assert (result.contrasts["new"].p, result.biases["new"].favours) == (1.0, None)


def test_swapping_the_rankers_negates_the_difference() -> None:
    one = corrected({"ann": GRADES}, runs=RUNS[:2]).contrasts["new"]
    other = corrected({"ann": GRADES}, runs=RUNS[1::-1]).contrasts["old"]
    assert one.interval.low is not None
    assert one.interval.high is not None
    assert other.interval == (-one.interval.mean, -one.interval.high, -one.interval.low)
    assert (other.error, other.width, other.to_halve) == (one.error, one.width, one.to_halve)


@given(st.permutations(QUERIES))
@settings(deadline=None, max_examples=10)
def test_the_order_of_the_set_changes_no_bit(order: list[Query]) -> None:
    shuffled = {n: {q.id: row[q.id] for q in order} for n, row in MODEL.items()}
    people = {"ann": {q.id: GRADES[q.id] for q in order if q.id in GRADES}}
    assert corrected(people, shuffled, queries=order) == corrected({"ann": GRADES})
