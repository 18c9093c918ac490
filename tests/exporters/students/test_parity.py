"""What the comparison of a student with its labelers finds, with labelers that err as we say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.errors import ExportError  # noqa: E402
from relevance_eval.evaluators.document import Document  # noqa: E402
from relevance_eval.evaluators.example import Example  # noqa: E402
from relevance_eval.evaluators.judgment import Judgment  # noqa: E402
from relevance_eval.evaluators.labelers.session import Input  # noqa: E402
from relevance_eval.evaluators.pair import Pair  # noqa: E402
from relevance_eval.exporters.parity import (  # noqa: E402
    PYTORCH,
    Parity,
    check,
    judge,
    same,
    split,
    spread,
    usable,
)
from relevance_eval.exporters.settings import ExportSettings, TrainSettings  # noqa: E402
from relevance_eval.exporters.students.calibrate import Calibration  # noqa: E402
from relevance_eval.exporters.students.student import Student, new_student  # noqa: E402

Complains = Callable[..., Any]
Examples = Callable[..., list[Example]]


@pytest.fixture(scope="module")
def student(tiny_encoder: Path) -> Student:
    settings = TrainSettings(base=str(tiny_encoder), max_tokens=96)
    return new_student(settings, base_folder=tiny_encoder, seed=0)


@dataclass(frozen=True)
class Echo:
    """Answers as the student does, its grade-3 probability moved up for one pair in `every`.

    With `crowd`, for all pairs that are not alone instead.
    """

    student: Student
    moved: float = 0.0
    every: int = 1
    crowd: bool = False
    silent: int = 0
    name: str = "echo"
    fingerprint: str = "echo"

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        inputs = [i for p in pairs if isinstance(i := self.student.frame.input(p), Input)]
        plain = Calibration().judgments(self.student.logits(inputs), "echo")
        for place, judgment in enumerate(plain[: len(plain) - self.silent]):
            applies = len(pairs) > 1 if self.crowd else place % self.every == 0
            shift = self.moved if applies else 0.0
            low, *middle, high = judgment.probabilities
            yield place, Judgment("echo", (low - shift, *middle, high + shift))


def test_a_faithful_labeler_differs_in_nothing(student: Student, overlapping: Examples) -> None:
    found = check(student, {"ONNX": Echo(student)}, overlapping(10, 6))
    assert list(found) == [PYTORCH, "ONNX"]
    assert found["ONNX"].pairs == 60
    assert found["ONNX"].largest == pytest.approx(0, abs=1e-6)
    assert found["ONNX"].flips == 0
    assert found["ONNX"].kappa == pytest.approx(found[PYTORCH].kappa, abs=1e-6)
    assert found[PYTORCH].loss == 0


def test_differences_are_those_of_expected_grades(student: Student, overlapping: Examples) -> None:
    found = check(student, {"ONNX": Echo(student, moved=0.01, every=4)}, overlapping(10, 6))
    parity = found["ONNX"]
    assert parity.largest == pytest.approx(0.03, abs=1e-6)  # from grade 0 to grade 3
    assert parity.mean == pytest.approx(0.03 / 4, abs=1e-6)
    assert parity.neighbours == pytest.approx(0.03, abs=1e-6)  # alone, each pair is the first
    assert parity.loss == found[PYTORCH].kappa - parity.kappa != 0


def test_a_grade_that_depends_on_its_neighbours_is_noticed(
    student: Student, overlapping: Examples
) -> None:
    echo = Echo(student, moved=0.02, crowd=True)
    assert check(student, {"ONNX": echo}, overlapping(10, 6))["ONNX"].neighbours == pytest.approx(
        0.06, abs=1e-6
    )


def test_flips_are_counted(student: Student, overlapping: Examples) -> None:
    examples = overlapping(10, 6)
    inputs: Any = [student.frame.input(e.pair) for e in examples]
    expected = [j.expected for j in Calibration().judgments(student.logits(inputs), "s")]
    moved = 0.04
    flips = np.mean([round(e + 3 * moved) != round(e) for e in expected])
    assert check(student, {"ONNX": Echo(student, moved=moved)}, examples)["ONNX"].flips == flips


def test_kappa_is_that_of_expected_grades(student: Student, overlapping: Examples) -> None:
    examples = overlapping(10, 6)
    inputs: Any = [student.frame.input(e.pair) for e in examples]
    said = np.array([j.expected for j in Calibration().judgments(student.logits(inputs), "s")])
    true = np.array([e.judgment.expected for e in examples if e.judgment])
    # 1 - observed / chance disagreement, chance over all combinations of the two sides
    chance = np.mean((said[:, None] - true[None, :]) ** 2)
    kappa = 1 - np.mean((said - true) ** 2) / chance
    assert check(student, {}, examples)[PYTORCH].kappa == pytest.approx(kappa, abs=1e-9)


def test_a_pair_without_an_answer_is_no_parity(
    student: Student, overlapping: Examples, complains: Complains
) -> None:
    with complains(
        ExportError, "ONNX leaves 2 of 60 held-out pairs ungraded", code=5, remedy="precision"
    ):
        check(student, {"ONNX": Echo(student, silent=2)}, overlapping(10, 6))


def test_progress_ends_with_all_answers(student: Student, overlapping: Examples) -> None:
    seen: list[tuple[int, int]] = []
    check(student, {"ONNX": Echo(student)}, overlapping(10, 6), lambda *c: seen.append(c))
    assert seen == sorted(seen)
    assert seen[-1] == (2 * (60 + 24), 2 * (60 + 24))


def test_pairs_that_can_be_used_have_a_grade_and_a_text(
    student: Student, overlapping: Examples
) -> None:
    good = overlapping(10, 6)
    nothing = Example(Pair(good[0].pair.query, Document("d", {})), "random")
    ungraded = Example(good[0].pair, "random")
    empty = Example(nothing.pair, "random", judgment=Judgment.certain("t", 1))
    assert usable([nothing, ungraded, empty, *good, empty], student) == good


def test_a_sample_is_spread_over_all_pairs(overlapping: Examples) -> None:
    pairs = overlapping(10, 6)
    assert spread(pairs, 400) == pairs
    few = spread(pairs, 7)
    assert (len(few), few[0], few[-1]) == (7, pairs[0], pairs[-1])


@pytest.mark.parametrize(
    ("pairs", "most", "some"), [(60, 16, 16), (60, 64, 30), (3, 64, 1), (1, 64, 0)]
)
def test_what_is_split_off_is_at_most_half_and_not_among_the_others(
    overlapping: Examples, pairs: int, most: int, some: int
) -> None:
    examples = overlapping(10, 6)[:pairs]
    first, others = split(examples, most)
    assert len(first) == some
    assert sorted(map(id, [*first, *others])) == sorted(map(id, examples))


@pytest.mark.parametrize(("moved", "expected"), [(0.0, True), (0.0002, True), (0.001, False)])
def test_one_pair_that_is_graded_otherwise_is_another_labeler(
    student: Student, overlapping: Examples, moved: float, expected: bool
) -> None:
    assert same(student, Echo(student, moved=moved, every=48), overlapping(10, 6)) is expected


def test_a_labeler_without_all_answers_is_not_called_the_same(
    student: Student, overlapping: Examples, complains: Complains
) -> None:
    with complains(ExportError, "echo leaves 1 of 48", code=5, remedy="precision"):
        same(student, Echo(student, silent=1), overlapping(10, 6))


def parity(**changes: float) -> Parity:
    fine: dict[str, Any] = {"largest": 0.1, "mean": 0.01, "flips": 0.01, "kappa": 0.6, "loss": 0.0}
    return Parity(**{"pairs": 100, "neighbours": 0.05, **fine, **changes})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"largest": 0.6123}, "an expected grade differs by 0.6123 (0.5 allowed)"),
        ({"neighbours": 0.51}, "with its neighbours it differs by 0.51 (0.5 allowed)"),
        ({"flips": 0.06}, "share of grades that flip 0.06 (0.05 allowed)"),
        ({"loss": 0.03}, "quadratic kappa lost 0.03 (0.02 allowed)"),
        ({"loss": math.nan}, "quadratic kappa lost nan (0.02 allowed)"),
    ],
)
def test_each_bound_is_held(complains: Complains, changes: dict[str, float], says: str) -> None:
    settings = ExportSettings(max_flips=0.05, max_difference=0.5)
    with complains(
        ExportError, says, code=5, where="student", remedy="choose the precision int8-weights"
    ):
        judge(parity(**changes), settings, Path("student"))


def test_within_the_bounds_nothing_is_said() -> None:
    judge(parity(largest=0.25, flips=0.05, loss=-0.3), ExportSettings(), Path("student"))
