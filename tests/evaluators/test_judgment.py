"""Judgments: distributions, and why there is none."""

from __future__ import annotations

import math

import pytest

from relevance_eval.evaluators.judgment import GRADES, Judgment, Outcome


@pytest.mark.parametrize("grade", GRADES)
def test_a_certain_judgment_is_its_grade(grade: int) -> None:
    judgment = Judgment.certain("person:ann", grade)
    assert judgment.grade == judgment.expected == grade
    assert sum(judgment.probabilities) == judgment.probabilities[grade] == 1
    assert judgment.graded


@pytest.mark.parametrize(
    ("probabilities", "expected", "grade"),
    [
        ((0.1, 0.2, 0.3, 0.4), 2.0, 2),
        ((0.5, 0.5, 0.0, 0.0), 0.5, 1),
        ((0.5, 0.0, 0.0, 0.5), 1.5, 2),
        ((0.51, 0.49, 0.0, 0.0), 0.49, 0),
    ],
)
def test_the_grade_is_the_nearest_to_the_expected_one(
    probabilities: tuple[float, ...], expected: float, grade: int
) -> None:
    judgment = Judgment("m", probabilities)
    assert judgment.expected == pytest.approx(expected, abs=1e-15)
    assert judgment.grade == grade


@pytest.mark.parametrize(
    ("probabilities", "grade"),
    [
        ((1.0, 0.0, 0.0, 0.0), 0),
        ((0.6, 0.4, 0.0, 0.0), 1),
        ((0.4, 0.4, 0.2, 0.0), 2),
        ((0.2, 0.2, 0.4, 0.2), 3),
    ],
)
def test_a_labelers_own_cut_points_name_the_grade_and_leave_the_expectation(
    probabilities: tuple[float, ...], grade: int
) -> None:
    judgment = Judgment.with_cuts("m", probabilities, (0.4, 0.75, 1.5))
    assert judgment.grade == grade
    assert judgment.expected == Judgment("m", probabilities).expected
    assert Judgment.with_cuts("m", probabilities, ()) == Judgment("m", probabilities)


def test_people_who_disagree_share_the_probability() -> None:
    votes = [Judgment.certain(f"person:{n}", g) for n, g in (("a", 3), ("b", 1), ("c", 3))]
    shared = Judgment.shared("person:3 people", votes)
    assert shared.labeler == "person:3 people"
    assert shared.probabilities == pytest.approx((0, 1 / 3, 0, 2 / 3), abs=1e-15)


@pytest.mark.parametrize(
    ("judgment", "outcome"),
    [
        (Judgment.failed("m", "timed out"), Outcome.FAILED),
        (Judgment.refused("m", "no text"), Outcome.REFUSED),
    ],
)
def test_a_failure_is_never_a_grade(judgment: Judgment, outcome: Outcome) -> None:
    assert judgment.outcome is outcome
    assert not judgment.graded
    assert judgment.reason
    assert math.isnan(judgment.expected)
    with pytest.raises(ValueError, match="NaN"):
        _ = judgment.grade
