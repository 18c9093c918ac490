"""What may not change a comparison: order, names, which side is the baseline, the unit."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.comparison import Comparison, Contrast, Plan, compare
from relevance_eval.evaluators.difference import differences
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.evaluators.verdict import Rule, Verdict

PLAN = Plan(others=(parse_measure("RR"),), rule=Rule(margin=0.05), permutations=300, resamples=300)
OPPOSITE = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}

Grades = tuple[int, ...]


class Collected:
    """Judged queries, and the lists of documents that three rankers return for them, some of them
    never judged."""

    def __init__(self, grades: Sequence[Grades], seed: int):
        self.grades = grades
        self.ids = [f"q{i}" for i in range(len(grades))]
        draw = random.Random(seed)
        self.lists = [[draw.sample(range(8), draw.randint(0, 8)) for _ in grades] for _ in range(3)]

    def run(self, place: int, name: str = "", prefix: str = "d") -> Run:
        results = {
            q: Result(tuple(Hit(f"{prefix}{d}", -float(r)) for r, d in enumerate(row)))
            for q, row in zip(self.ids, self.lists[place], strict=True)
        }
        return Run(name or "abc"[place], results)

    def judged(self, prefix: str = "d") -> Mapping[str, Mapping[str, Judgment]]:
        return {
            q: {f"{prefix}{d}": Judgment.certain("m", g) for d, g in enumerate(row)}
            for q, row in zip(self.ids, self.grades, strict=True)
        }

    def queries(self, order: Sequence[int] = ()) -> list[Query]:
        tags = ({"band": "head"}, {"band": "tail"})
        found = [Query(q, f"text {q}", tags=tags[n % 2]) for n, q in enumerate(self.ids)]
        return [found[n] for n in order] if order else found

    def compared(self, places: Sequence[int], plan: Plan = PLAN) -> Comparison:
        return compare([self.run(n) for n in places], self.queries(), self.judged(), plan)


GRADES = st.lists(st.tuples(*[st.integers(0, 3)] * 6), min_size=2, max_size=30)
COLLECTED = st.builds(Collected, GRADES, st.integers(0, 2**32))
FEW = settings(derandomize=True, deadline=None, max_examples=25)


def by_pair(found: Comparison) -> dict[tuple[str, str], Contrast]:
    return {(c.baseline, c.ranker): c for c in found.contrasts}


@FEW
@given(COLLECTED, st.integers(0, 2**32), st.sampled_from(["holm", "maxt"]))
def test_the_order_of_the_queries_does_not_matter_for_several_rankers_and_slices(
    collected: Collected, seed: int, correction: str
) -> None:
    plan = replace(PLAN, correction=correction)
    order = random.Random(seed).sample(range(len(collected.ids)), len(collected.ids))
    runs, judged = [collected.run(n) for n in range(3)], collected.judged()
    plain = compare(runs, collected.queries(), judged, plan)
    shuffled = compare(runs, collected.queries(order), judged, plan)
    assert shuffled.contrasts == plain.contrasts


def test_the_order_of_the_queries_does_not_matter_where_labels_are_in_doubt() -> None:
    collected = Collected([(0, 1, 2, 3, 1, 0)] * 30, seed=6)
    doubtful = {
        q: {d: Judgment.with_cuts("m", [0.1, 0.4, 0.4, 0.1], ()) for d in row}
        for q, row in collected.judged().items()
    }
    order = random.Random(1).sample(range(30), 30)
    runs, plan = [collected.run(n) for n in range(2)], replace(PLAN, label_draws=200)
    plain = compare(runs, collected.queries(), doubtful, plan)
    shuffled = compare(runs, collected.queries(order), doubtful, plan)
    assert plain.contrasts[0].flip_risk
    assert shuffled.contrasts == plain.contrasts


@FEW
@given(COLLECTED, st.sampled_from(["holm", "maxt"]))
def test_the_order_of_the_rankers_does_not_matter(collected: Collected, correction: str) -> None:
    plan = replace(PLAN, correction=correction)
    plain, turned = (by_pair(collected.compared(places, plan)) for places in ((0, 1, 2), (0, 2, 1)))
    assert set(plain) == set(turned)
    for pair, one in plain.items():
        other = turned[pair]
        assert other.verdict is one.verdict
        for name, before in one.differences.items():
            after = other.differences[name]
            assert (after.mean, after.p_sign_flip) == (before.mean, before.p_sign_flip)
            assert after.p_corrected == pytest.approx(before.p_corrected, abs=1e-12)


@FEW
@given(COLLECTED, st.sampled_from(["holm", "maxt"]))
def test_rankers_on_two_baselines_are_the_mirror_image_of_the_baselines_on_the_ranker(
    collected: Collected, correction: str
) -> None:
    plan = replace(PLAN, correction=correction)
    plain = by_pair(collected.compared((0, 1, 2), replace(plan, baselines=2)))
    mirrored = by_pair(collected.compared((2, 0, 1), plan))
    assert {(b, a) for a, b in plain} == set(mirrored)
    for (baseline, ranker), one in plain.items():
        other = mirrored[ranker, baseline]
        assert other.verdict is OPPOSITE.get(one.verdict, one.verdict)
        for name, before in one.differences.items():
            after = other.differences[name]
            assert after.mean == -before.mean
            assert (after.low_bca, after.high_bca) == (-before.high_bca, -before.low_bca)
            assert (after.low, after.high) == (-before.high, -before.low)
            assert (after.p_sign_flip, after.p_corrected) == (
                before.p_sign_flip,
                before.p_corrected,
            )
            assert (after.wins, after.ties, after.losses) == (
                before.losses,
                before.ties,
                before.wins,
            )


@FEW
@given(COLLECTED)
def test_names_of_rankers_and_documents_do_not_matter(collected: Collected) -> None:
    plain = collected.compared((0, 1))
    runs = [collected.run(n, name, prefix="z") for n, name in ((0, "x"), (1, "w"))]
    renamed = compare(runs, collected.queries(), collected.judged(prefix="z"), PLAN)
    assert renamed.contrasts[0].differences == plain.contrasts[0].differences
    assert renamed.contrasts[0].verdict is plain.contrasts[0].verdict


@FEW
@given(COLLECTED)
def test_a_ranker_and_its_copy_are_told_the_same_and_do_not_differ(collected: Collected) -> None:
    runs = [collected.run(0), collected.run(1), collected.run(1, "copy")]
    first, second = compare(runs, collected.queries(), collected.judged(), PLAN).contrasts
    assert second.differences == first.differences
    assert second.verdict is first.verdict
    (itself,) = compare(runs[1:], collected.queries(), collected.judged(), PLAN).contrasts
    found = itself.differences["EnDCG@10"]
    assert (found.mean, found.low, found.high, found.p_corrected) == (0.0, 0.0, 0.0, 1.0)


COLUMNS = st.lists(
    st.lists(st.integers(-100, 100), min_size=2, max_size=30), min_size=1, max_size=1
) | st.integers(2, 30).flatmap(
    lambda n: st.lists(
        st.lists(st.integers(-100, 100), min_size=n, max_size=n), min_size=2, max_size=3
    )
)


@FEW
@given(COLUMNS, st.sampled_from([0.125, 0.5, 4.0]), st.sampled_from(["holm", "maxt"]))
def test_the_unit_of_the_measure_does_not_matter(
    hundredths: list[list[int]], scale: float, correction: str
) -> None:
    # Powers of two, so that scaling rounds nothing and the bits can be compared.
    plan = replace(PLAN, correction=correction, target=0.0625)
    columns = [np.array(c) / 100 for c in hundredths]
    plain = differences(columns, "m", plan, margin=0.05)
    scaled = differences(
        [c * scale for c in columns],
        "m",
        replace(plan, target=plan.target * scale),
        margin=0.05 * scale,
    )
    lengths = ("mean", "low", "high", "low_bca", "high_bca", "low_t", "high_t", "detectable")
    for one, other in zip(plain, scaled, strict=True):
        old, new = asdict(one), asdict(other)
        for field in (*lengths, "low_queries", "high_queries"):
            assert new.pop(field) == old.pop(field) * scale, field
        assert new == old


@FEW
@given(st.lists(st.integers(-100, 100), min_size=2, max_size=30), st.integers(1, 20))
def test_a_ranker_that_gains_on_every_query_never_looks_less_good(
    hundredths: list[int], gain: int
) -> None:
    before, after = (np.array(hundredths) / 100, (np.array(hundredths) + gain) / 100)
    (one,), (other,) = (differences([c], "m", PLAN, margin=0.0) for c in (before, after))
    assert other.mean > one.mean
    assert (other.low_t or 0) > (one.low_t or 0)
    assert other.p_non_inferior <= one.p_non_inferior + 1e-12
    assert other.wins >= one.wins
    assert other.losses <= one.losses
