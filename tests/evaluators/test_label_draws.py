"""Labels drawn from what the labeler holds possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.label_draws import LabelDraws, draw_labels, drawn_grades
from relevance_eval.evaluators.measures import measure_run, parse_measure
from relevance_eval.evaluators.run import Run

MakeRun = Callable[..., Run]
P1 = parse_measure("P@1")
HALF = Judgment("m", (0.5, 0.0, 0.0, 0.5))
SURE = Judgment.certain("m", 3)
NONE = Judgment.certain("m", 0)
Judged = Mapping[str, Mapping[str, Judgment]]


def drawn(runs: list[Run], judged: Judged, name: str = "P@1", **how: int) -> LabelDraws | None:
    measure = parse_measure(name)
    measured = {r.ranker: measure_run(r, list(judged), judged, measure) for r in runs}
    return draw_labels(runs, judged, measure, measured, **{"draws": 400, "seed": 0, **how})


def found(*args: object, **how: object) -> LabelDraws:
    draws = drawn(*args, **how)  # type: ignore[arg-type]
    assert draws is not None
    return draws


def test_grades_are_drawn_as_often_as_they_are_probable() -> None:
    given = (0.1, 0.2, 0.3, 0.4)
    grades = drawn_grades([Judgment("m", given)], "q", 20_000, 0)[:, 0]
    assert np.bincount(grades, minlength=4) / 20_000 == pytest.approx(given, abs=0.015)


@pytest.mark.parametrize("grade", [0, 1, 2, 3])
def test_a_certain_grade_is_always_drawn(grade: int) -> None:
    assert (drawn_grades([Judgment.certain("m", grade)], "q", 500, 0) == grade).all()


def test_probabilities_that_rounding_keeps_below_1_draw_no_grade_beyond_the_scale() -> None:
    rounded = Judgment("m", (0.1, 0.2, 0.3, 0.39))
    assert drawn_grades([rounded], "q", 20_000, 0).max() == 3


def test_a_set_of_labels_is_shared_by_all_rankers(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x y"), make_run("b", q="x z")]
    draws = found(runs, {"q": {"x": HALF, "y": NONE, "z": NONE}})
    assert (draws.differences("a", "b") == 0).all()
    assert draws.values["a"].mean() == pytest.approx(0.5, abs=0.1)


def test_pairs_are_drawn_independently(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x", r="x"), make_run("b", q="y", r="y")]
    draws = found(runs, {"q": {"x": HALF, "y": HALF}, "r": {"x": HALF, "y": HALF}})
    columns = np.column_stack([draws.values["a"], draws.values["b"]])
    off = np.corrcoef(columns.T)[~np.eye(4, dtype=bool)]
    assert np.abs(off).max() < 0.2  # four standard deviations of a correlation of 400


def test_certain_judgments_draw_nothing(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x"), make_run("b", q="y")]
    assert drawn(runs, {"q": {"x": SURE, "y": NONE}}) is None
    assert drawn(runs, {"q": {"x": HALF, "y": NONE}}, draws=0) is None
    assert drawn(runs, {"q": {"x": HALF, "y": NONE}}, "Judged@10") is None


def test_a_query_that_is_certain_keeps_its_measured_values(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x", sure="x"), make_run("b", q="y", sure="y")]
    judged = {"q": {"x": HALF, "y": NONE}, "sure": {"x": SURE, "y": NONE}}
    values = found(runs, judged).values
    assert (values["a"][:, 1] == 1).all()
    assert (values["b"][:, 1] == 0).all()
    assert set(values["a"][:, 0]) == {0.0, 1.0}


def test_the_ideal_is_that_of_the_labels_drawn(make_run: MakeRun) -> None:
    runs = [make_run("a", q="x y"), make_run("b", q="y x")]
    values = found(runs, {"q": {"x": HALF, "y": NONE}}, "nDCG@10").values
    # Whenever x is good it is the ideal's first; else there is no gain, which counts 0.
    assert set(values["a"].ravel()) == {0.0, 1.0}
    assert set(values["b"].ravel()) == {0.0, 1 / np.log2(3)}


def test_draws_depend_on_seed_and_query_and_on_no_order(make_run: MakeRun) -> None:
    judged = {"q": {"x": HALF, "y": HALF}, "r": {"x": HALF, "y": HALF}}
    turned = {q: dict(reversed(list(known.items()))) for q, known in reversed(judged.items())}
    runs = [make_run("a", q="x", r="x"), make_run("b", q="y", r="y")]
    one, two = found(runs, judged), found(runs[::-1], turned)
    assert (one.values["a"] == two.values["a"][:, ::-1]).all()
    assert (one.differences("a", "b") == -two.differences("b", "a")[:, ::-1]).all()
    assert (one.values["a"][:, 0] != one.values["a"][:, 1]).any()
    assert (one.values["a"] != found(runs, judged, seed=1).values["a"]).any()


def test_many_queries_are_drawn_less_often_and_fill_no_memory(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relevance_eval.evaluators.label_draws.CELLS", 1200)
    runs = [make_run("a", q="x"), make_run("b", q="y")]
    judged = {"q": {"x": HALF, "y": NONE}} | {f"q{i}": {"x": SURE, "y": NONE} for i in range(2)}
    assert found(runs, judged).values["a"].shape == (200, 3)
    assert found(runs, judged, draws=150).values["a"].shape == (150, 3)
