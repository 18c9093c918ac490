"""Measures by name, and their values for every query of a set."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Measure, measure_run, parse_measure
from relevance_eval.evaluators.measures.measure import NoGain
from relevance_eval.evaluators.run import Run

MakeRun = Callable[..., Run]
Certain = Callable[..., dict[str, Judgment]]
NAMES = ["nDCG@10", "EnDCG@10", "P@5", "R@10", "RR", "RR@5", "AP", "AP@5", "ERR@10", "Judged@10"]


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_is_named_as_it_was_asked_for(name: str) -> None:
    assert str(parse_measure(f" {name} ")) == name


def test_a_measure_knows_its_threshold_and_gain() -> None:
    assert parse_measure("P@5", relevant=1) == Measure("P", 5, 1, "linear")
    assert parse_measure("EnDCG@10", gain="exponential") == Measure("EnDCG", 10, 2, "exponential")


@pytest.mark.parametrize(
    "name", ["NDCG@10", "P", "EnDCG", "ERR", "nDCG@0", "P@-1", "P@5x", "MRR", "nDCG@10000000", ""]
)
def test_what_is_no_measure_is_told(name: str, explained: Callable[..., None]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_measure(name)
    says = f"{name!r} is not a measure"
    explained(caught.value, code=2, where=None, says=says, remedy="EnDCG@10")


def test_exponential_gain_is_not_trec_evals(explained: Callable[..., None]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_measure("nDCG@10", gain="exponential")
    explained(caught.value, code=2, where=None, says="linear gain", remedy="use EnDCG")


@pytest.mark.parametrize(
    ("name", "relevant", "value"), [("P@2", 1, 1.0), ("P@2", 3, 0.5), ("RR", 3, 0.5), ("AP", 1, 1)]
)
def test_the_threshold_says_what_is_relevant(
    make_run: MakeRun, certain: Certain, name: str, relevant: int, value: float
) -> None:
    measure = parse_measure(name, relevant=relevant)
    judged = {"q": certain(a=1, b=3)}
    assert measure_run(make_run("r", q="a b"), ["q"], judged, measure) == {"q": value}


def test_whole_grades_come_from_the_distribution(make_run: MakeRun) -> None:
    judged = {"q": {"a": Judgment("m", (0.2, 0.0, 0.2, 0.6)), "b": Judgment("m", (0.9, 0.1, 0, 0))}}
    found = measure_run(make_run("r", q="b a"), ["q"], judged, parse_measure("RR"))
    assert found == {"q": 0.5}


@pytest.fixture
def judged(certain: Certain) -> dict[str, dict[str, Judgment]]:
    """Two queries with a perfect document, one with nothing that has gain, one never judged."""
    return {"found": certain(a=3, b=0), "missed": certain(a=3), "barren": certain(a=0, b=0)}


QUERIES = ["unjudged", "found", "missed", "barren"]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Judged@10"])
@pytest.mark.parametrize(("no_gain", "left"), [("zero", QUERIES), ("skip", ["found", "missed"])])
@pytest.mark.parametrize("ranked", [{"found": "a", "barren": "a", "unjudged": "a"}, {}])
def test_a_query_without_gain_follows_the_policy_whatever_the_ranker_found(
    make_run: MakeRun,
    judged: dict[str, dict[str, Judgment]],
    name: str,
    no_gain: NoGain,
    left: list[str],
    ranked: dict[str, str],
) -> None:
    found = measure_run(make_run("r", **ranked), QUERIES, judged, parse_measure(name), no_gain)
    assert list(found) == left
    assert [q for q, value in found.items() if value > 0] == (["found"] if ranked else [])


@pytest.mark.parametrize("no_gain", ["zero", "skip"])
def test_coverage_leaves_no_query_out(
    make_run: MakeRun, judged: dict[str, dict[str, Judgment]], no_gain: NoGain
) -> None:
    run = make_run("r", found="a x", barren="b", unjudged="a")
    found = measure_run(run, QUERIES, judged, parse_measure("Judged@10"), no_gain)
    assert found == {"unjudged": 0.0, "found": 0.5, "missed": 0.0, "barren": 1.0}


def test_a_grade_below_the_threshold_is_no_gain_for_a_measure_of_yes_and_no(
    make_run: MakeRun, certain: Certain
) -> None:
    run, judged = make_run("r", q="a"), {"q": certain(a=1)}
    assert measure_run(run, ["q"], judged, parse_measure("P@5"), "skip") == {}
    assert measure_run(run, ["q"], judged, parse_measure("nDCG@5"), "skip") == {"q": 1.0}


@pytest.mark.parametrize("name", ["EnDCG@5", "sDCG@5", "RBP@5"])
def test_a_little_chance_of_a_gain_counts_for_measures_of_expected_gains(
    make_run: MakeRun, name: str
) -> None:
    judged = {"q": {"a": Judgment("m", (0.9, 0.1, 0.0, 0.0))}}
    (value,) = measure_run(
        make_run("r", q="a"), ["q"], judged, parse_measure(name), "skip"
    ).values()
    assert value > 0
    assert measure_run(make_run("r", q="a"), ["q"], judged, parse_measure("nDCG@5"), "skip") == {}


def test_queries_outside_the_set_have_no_part(make_run: MakeRun, certain: Certain) -> None:
    judged = {"q": certain(a=3), "other": certain(a=3)}
    run = make_run("r", q="a", other="a")
    for name in NAMES:
        assert set(measure_run(run, ["q"], judged, parse_measure(name))) == {"q"}
