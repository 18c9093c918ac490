"""Parts of the query set, each with its own verdict, corrected over all of a tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from relevance_eval.evaluators.comparison import Comparison, Plan, compare
from relevance_eval.evaluators.difference import differences
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.slices import slice_places, slices
from relevance_eval.evaluators.verdict import Rule, Verdict

MakeRun = Callable[..., Run]
PLAN = Plan(primary=parse_measure("RR"), permutations=1000, resamples=1000)


def tagged(*tags: dict[str, str]) -> list[Query]:
    return [Query(f"q{i}", f"text {i}", t) for i, t in enumerate(tags)]


def test_slices_are_the_values_of_the_tags_in_the_order_of_the_alphabet() -> None:
    queries = tagged(*[{"kind": "topic", "band": "tail"}] * 5, *[{"kind": "author"}] * 6, {})
    found = slice_places(queries)
    assert {t: list(v) for t, v in found.items()} == {"band": ["tail"], "kind": ["author", "topic"]}
    assert list(found) == ["band", "kind"]
    assert found["kind"]["author"].tolist() == [False] * 5 + [True] * 6 + [False]


@pytest.mark.parametrize(("count", "told"), [(4, {}), (5, {"kind": ["few"]})])
def test_a_slice_of_fewer_than_five_queries_is_left_out(
    count: int, told: dict[str, list[str]]
) -> None:
    found = slice_places(tagged(*[{"kind": "few"}] * count))
    assert {t: list(v) for t, v in found.items()} == told


@pytest.mark.parametrize(("values", "told"), [(20, ["owner"]), (21, [])])
def test_a_tag_of_more_than_twenty_values_is_left_out(values: int, told: list[str]) -> None:
    queries = tagged(*[{"owner": f"o{i % values}"} for i in range(5 * values)])
    assert list(slice_places(queries)) == told


def test_queries_without_tags_have_no_slices() -> None:
    assert slice_places(tagged(*[{}] * 12)) == {}
    assert slices([np.ones(12)], tagged(*[{}] * 12), PLAN, margin=0.01, drawn=[None]) == [[]]


def test_a_slice_is_tested_as_if_it_were_the_whole_set_and_corrected_over_its_tag() -> None:
    column = np.array([0.1] * 8 + [-0.2, 0.3, -0.1, 0.2, -0.1, 0.1])
    queries = tagged(*[{"band": "head"}] * 8, *[{"band": "tail"}] * 6)
    plan = replace(PLAN, correction="holm")
    head, tail = slices([column], queries, plan, margin=0.01, drawn=[None])[0]
    (alone,) = differences([column[:8]], "RR", plan, margin=0.01)
    assert (head.tag, head.value, head.verdict) == ("band", "head", Verdict.BETTER)
    assert (tail.value, tail.verdict) == ("tail", Verdict.INCONCLUSIVE)
    assert head.difference.p_corrected == 2 * alone.p_corrected == 4 / 2**8
    corrected = {"p_corrected": alone.p_corrected, "p_equivalent": alone.p_equivalent}
    assert replace(head.difference, **corrected) == alone


@pytest.mark.parametrize("correction", ["holm", "maxt"])
def test_slices_are_corrected_over_rankers_too(correction: str) -> None:
    plan = replace(PLAN, correction="holm" if correction == "holm" else "maxt")
    generator = np.random.default_rng(0)
    columns = [generator.normal(0.1, 0.2, 40) for _ in range(3)]
    queries = tagged(*[{"band": "head"}] * 20, *[{"band": "tail"}] * 20)
    one = slices(columns[:1], queries, plan, margin=0.01, drawn=[None])[0]
    three = slices(columns, queries, plan, margin=0.01, drawn=[None] * 3)
    assert [[s.value for s in found] for found in three] == [["head", "tail"]] * 3
    pairs = list(zip(one, three[0], strict=True))
    assert all(t.difference.mean == a.difference.mean for a, t in pairs)
    assert all(t.difference.p_corrected >= a.difference.p_corrected for a, t in pairs)
    # Whatever is least significant of all pays for nobody.
    assert any(t.difference.p_corrected > a.difference.p_corrected for a, t in pairs)


def test_false_alarms_over_all_slices_are_as_rare_as_the_level_says() -> None:
    generator, alarms = np.random.default_rng(3), 0
    queries = tagged(*[{"kind": f"k{i % 5}"} for i in range(60)])
    plan = replace(PLAN, permutations=399)
    for _ in range(200):
        found = slices([generator.normal(0, 0.2, 60)], queries, plan, margin=0.0, drawn=[None])
        alarms += any(s.difference.p_corrected <= 0.05 for s in found[0])
    assert 1 <= alarms <= 20  # 10 are expected; beyond three standard deviations is no chance


def compared(make_run: MakeRun, certain: Callable[..., object], no_gain: str) -> Comparison:
    """Twelve queries; on the six of `old`, nothing has any gain."""
    ids = [f"q{i}" for i in range(12)]
    runs = [make_run("a", **dict.fromkeys(ids, "y x")), make_run("b", **dict.fromkeys(ids, "x y"))]
    queries = [Query(q, q, {"band": "new" if i < 6 else "old"}) for i, q in enumerate(ids)]
    judged = {q: certain(x=3 if i < 6 else 0, y=0) for i, q in enumerate(ids)}
    plan = replace(PLAN, no_gain="skip" if no_gain == "skip" else "zero")
    return compare(runs, queries, judged, plan)  # type: ignore[arg-type]


@pytest.mark.parametrize(("no_gain", "told"), [("zero", ["new", "old"]), ("skip", ["new"])])
def test_queries_that_are_left_out_are_in_no_slice(
    make_run: MakeRun, certain: Callable[..., object], no_gain: str, told: list[str]
) -> None:
    (contrast,) = compared(make_run, certain, no_gain).contrasts
    assert [s.value for s in contrast.slices] == told
    assert contrast.slices[0].difference.mean == 0.5
    assert contrast.slices[0].difference.queries == 6


def test_rankers_that_find_nothing_of_use_are_not_equivalent_on_a_slice_either(
    make_run: MakeRun,
) -> None:
    queries = tagged(*[{"band": "head"}] * 6)
    runs = [make_run(name, **{q.id: "x y" for q in queries}) for name in "ab"]
    (contrast,) = compare(runs, queries, {}, PLAN).contrasts
    assert [s.verdict for s in contrast.slices] == [Verdict.INCONCLUSIVE]


def test_a_slice_that_label_noise_could_undo_is_in_doubt() -> None:
    column = np.array([0.1] * 8)
    queries = tagged(*[{"band": "head"}] * 8)
    draws = np.random.default_rng(0).normal(0.1, 1.0, (200, 1)) * np.ones((1, 8))
    (doubtful,) = slices([column], queries, PLAN, margin=0.01, drawn=[draws])[0]
    (certain,) = slices([column], queries, PLAN, margin=0.01, drawn=[None])[0]
    assert (doubtful.verdict, doubtful.in_doubt) == (Verdict.BETTER, True)
    assert (certain.verdict, certain.in_doubt) == (Verdict.BETTER, False)
    people = np.array([0.4, -0.1, 0.5, -0.1, 0.3, 0.3, 0.4, -0.1])
    (wide,) = slices([people], queries, replace(PLAN, rule=Rule(0.2, 0)), margin=0, drawn=[None])[0]
    assert (wide.verdict, wide.in_doubt) == (Verdict.BETTER, False)
    (flat,) = slices([column * 0], queries, PLAN, margin=0.01, drawn=[draws])[0]
    assert not flat.in_doubt
