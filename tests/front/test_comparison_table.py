"""What a person reads of a comparison: the verdict, how sure it is, and slices that say more."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from relevance_eval.answer import contrast_result, plan_result
from relevance_eval.cli.tables import (
    evidence,
    interval_text,
    limits,
    measures_tables,
    show_slices,
)
from relevance_eval.evaluators.comparison import Comparison, Plan, compare
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run

Answer = Callable[..., dict[str, Any]]
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")
PLAN = Plan(primary=parse_measure("RR"), permutations=1000, resamples=1000, label_draws=100)
DOUBT = {"good": Judgment("m", (0.1, 0.1, 0.2, 0.6)), "bad2": Judgment("m", (0.7, 0.1, 0.1, 0.1))}
CERTAIN = {"good": Judgment.certain("m", 3)}


def compared(
    *places: Sequence[int], plan: Plan = PLAN, judged: dict[str, Judgment] = CERTAIN
) -> Comparison:
    """The good document at these places of the lists of rankers a, b, c; tail from query 10 on."""
    queries = [
        Query(f"q{i}", "x", {"band": "tail" if i >= 10 else "head"}) for i in range(len(places[0]))
    ]
    runs = [
        Run(name, {
            q.id: Result(tuple(Hit("good" if r == p else f"bad{r}", -r) for r in range(1, 6)))
            for q, p in zip(queries, found, strict=True)
        })
        for name, found in zip("abc", places, strict=False)
    ]  # fmt: skip
    return compare(runs, queries, {q.id: judged for q in queries}, plan)


def said(comparison: Comparison) -> str:
    contrast = comparison.contrasts[0]
    return "\n".join(evidence(contrast, contrast.differences["RR"], comparison))


def shown(comparison: Comparison) -> str:
    out = Console(file=io.StringIO(), width=100)
    show_slices(out, comparison.contrasts[0])
    return out.file.getvalue()  # type: ignore[attr-defined]


MIXED = [random.Random(i).randint(1, 5) for i in range(24)]
OTHER = [random.Random(100 + i).randint(1, 5) for i in range(24)]


def test_labels_in_doubt_are_told_with_the_interval_that_has_them_and_the_one_that_has_not() -> (
    None
):
    found = compared([2] * 24, [1] * 24, judged=DOUBT)
    assert "by the choice of queries alone +0." in said(found)
    assert "in 0 % of draws of the labels" in said(found)
    assert "the labeler's own doubt, not labels that are wrong" in limits(found)


def test_a_verdict_that_the_doubt_could_undo_is_told() -> None:
    found = compared([2] * 24, [1] * 24, judged=DOUBT)
    (contrast,) = found.contrasts
    assert "could undo it" not in said(found)
    assert not contrast_result(contrast, "RR")["in_doubt"]
    wide = replace(contrast.differences["RR"], low=-0.01)
    contrast = replace(contrast, differences={**contrast.differences, "RR": wide})
    assert "the labeler's own doubt could undo it" in said(replace(found, contrasts=[contrast]))
    assert contrast_result(contrast, "RR")["in_doubt"]


def test_certain_labels_are_not_told_to_be_in_doubt() -> None:
    found = compared([2] * 24, [1] * 24)
    assert "queries alone" not in said(found)
    assert "draws" not in said(found)
    assert "covers the choice of queries, not labels" in limits(found)


def test_rankers_that_find_the_same_are_told_without_the_doubt_that_changes_nothing() -> None:
    assert "draws" not in said(compared(MIXED, MIXED, judged=DOUBT))


def test_how_many_more_queries_would_show_the_target_is_told() -> None:
    found = compared(MIXED, OTHER, plan=replace(PLAN, target=0.02))
    more = found.contrasts[0].differences["RR"].more_queries
    assert f"to find one of 0.02 as often takes {more:,} more" in said(found)
    assert "as often" not in said(compared(MIXED, OTHER, plan=replace(PLAN, target=0.9)))


@pytest.mark.parametrize(("correction", "name"), [("maxt", "MaxT"), ("holm", "Holm")])
def test_the_correction_is_named_where_there_is_something_to_correct(
    correction: str, name: str
) -> None:
    plan = replace(PLAN, correction="holm" if correction == "holm" else "maxt")
    assert f"(permutation, {name})" in said(compared(MIXED, OTHER, MIXED, plan=plan))
    assert "(permutation)" in said(compared(MIXED, OTHER, plan=plan))


def test_a_slice_that_is_significant_is_shown_and_one_that_says_nothing_is_counted() -> None:
    text = shown(compared([2] * 24, [2, 1] * 5 + [1] * 14))
    (row,) = (line for line in text.splitlines() if line.startswith("band"))
    assert row.split()[:4] == ["band", "tail", "14", "+0.500"]
    assert row.split()[-1] == "better"
    assert "slices that say nothing else: 1" in text


def test_a_slice_that_goes_the_other_way_is_shown() -> None:
    text = shown(compared([2] * 10 + [1] * 14, [1] * 10 + [2] * 14))
    rows = [line.split() for line in text.splitlines() if line.startswith("band")]
    assert [(r[1], r[-1]) for r in rows] == [("head", "better"), ("tail", "worse")]


def test_slices_that_say_nothing_else_take_no_room() -> None:
    assert shown(compared(MIXED, MIXED)) == ""


def test_the_answer_for_programs_has_intervals_noise_and_all_slices() -> None:
    found = compared([2] * 24, [2, 1] * 5 + [1] * 14, judged=DOUBT)
    told = contrast_result(found.contrasts[0], "RR")
    difference = told["differences"]["RR"]
    assert difference["low"] < difference["low_queries"] < difference["high_queries"]
    assert set(difference["noise"]) == {"spread", "shift"}
    assert difference["more_queries"] == max(0, difference["queries_for_target"] - 24)
    assert {"low_t", "high_t", "p_non_inferior", "p_equivalent"} < set(difference)
    assert 0 <= told["flip_risk"] <= 1
    slices = [(s["tag"], s["value"], s["difference"]["queries"]) for s in told["slices"]]
    assert slices == [("band", "head", 10), ("band", "tail", 14)]
    plan = plan_result(found.plan)
    assert (plan["correction"], plan["target"], plan["label_draws"]) == ("maxt", 0.01, 100)


def test_two_baselines_of_the_command_line(answer: Answer, folder: Path) -> None:
    (folder / "c.run").write_text((folder / "a.run").read_text())
    words = ("compare", "a.run", "b.run", "c.run", *FILES, "--baselines", "2")
    found = answer(*words, cwd=folder)
    pairs = [(c["baseline"], c["ranker"]) for c in found["comparisons"]]
    assert pairs == [("a", "c"), ("b", "c")]
    assert found["baselines"] == ["a", "b"]


def test_baselines_that_leave_no_ranker_are_refused_before_anything_is_bought(
    complaint: Callable[..., str], folder: Path
) -> None:
    words = ("compare", "a.run", "b.run", *FILES, "--baselines", "2")
    assert "2 of 2 rankers cannot be baselines" in complaint(*words, cwd=folder)
    assert not (folder / ".relevance-eval").exists()


@pytest.mark.parametrize("name", ["rrf-boost-{:03}", "title-and-body-with-synonyms-boosted-{:03}"])
@pytest.mark.parametrize("count", [2, 4, 5, 11])
def test_no_name_and_no_figure_is_cut_where_many_rankers_are_compared(
    name: str, count: int
) -> None:
    (summary, *_) = compared(MIXED, OTHER).rankers
    names = [name.format(i) for i in range(count)]
    out = Console(file=io.StringIO(), width=80)
    for table in measures_tables([replace(summary, ranker=n) for n in names], ["RR"], out.width):
        out.print(table)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert text.count(interval_text(summary.measures["RR"])) == count
    if len(name) < 20:
        assert [n for n in names if n in text] == names
