"""A reply becomes a distribution, a certain grade, a refusal or a failure, and never a guess."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from relevance_eval.evaluators.judgment import Judgment, Outcome
from relevance_eval.exporters.endpoints.reply import Position, Reply, Token
from relevance_eval.exporters.teachers.grading import judgment_of

JSON = ['{"', "grade", '":', " ", "2", "}"]


def graded(reply: Reply, least_mass: float = 0.5) -> Judgment:
    return judgment_of(reply, "teacher", least_mass)


def told(tokens: Sequence[str], at: int, text: str = "", **shares: float) -> Judgment:
    """The judgment where the token `at` has the likeliest tokens `shares`; `_` is a blank."""
    top = tuple(Token(t.replace("_", " ").strip("d"), math.log(p)) for t, p in shares.items())
    positions = tuple(Position(t, top if i == at else ()) for i, t in enumerate(tokens))
    return graded(Reply(text=text or "".join(tokens), positions=positions))


def test_a_grade_is_the_distribution_over_the_four_grades() -> None:
    found = told(JSON, 4, d0=0.1, d1=0.2, d2=0.5, d3=0.2)
    assert found.probabilities == pytest.approx((0.1, 0.2, 0.5, 0.2))
    assert (found.labeler, found.outcome) == ("teacher", Outcome.GRADED)


def test_spellings_of_a_grade_are_summed_and_other_words_are_left_out() -> None:
    found = told(JSON, 4, d2=0.4, _2=0.2, d3=0.2, d4=0.1, none=0.1)
    assert found.probabilities == pytest.approx((0, 0, 0.75, 0.25))


@pytest.mark.parametrize(
    ("tokens", "at", "text"),
    [
        (["2"], 0, ""),
        ([" 2", "\n"], 0, ""),
        (['{"grade":', " 2", "}"], 1, ""),
        (['{"grade', '":2', "}"], 1, ""),
        (["```", "json", "\n", *JSON, "\n", "```", ""], 7, '{"grade": 2}'),
        (["{\n ", ' "', "gra", "de", '" :', " 2", "\n}", ""], 5, '{\n  "grade" : 2\n}'),
    ],
)
def test_the_place_of_the_grade_is_found(tokens: list[str], at: int, text: str) -> None:
    assert told(tokens, at, text, d2=0.75, d1=0.25).probabilities == (0, 0.25, 0.75, 0)


def test_a_model_that_would_rather_say_something_else_has_not_graded() -> None:
    found = told(JSON, 4, d2=0.3, d1=0.1, d7=0.4)
    assert (found.outcome, found.reason) == (
        Outcome.FAILED,
        "the grades have less than 0.5 of the probability",
    )


def test_how_much_the_grades_must_have_is_a_setting() -> None:
    place = Position("2", (Token("2", math.log(0.3)), Token("7", math.log(0.6))))
    reply = Reply(text="2", positions=(place,))
    assert graded(reply, 0.25).probabilities == (0, 0, 1, 0)
    assert not graded(reply, 0.5).graded
    nothing = Reply(text="2", positions=(Position("2", (Token("7", 0.0),)),))
    assert graded(nothing, 0.0).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ('{"grade": 0}', 0),
        (' {\n"grade" :3 } ', 3),
        ('```json\n{"grade": 1}\n```', 1),
        ("2", 2),
        (" 2\n", 2),
    ],
)
def test_without_log_probabilities_the_answer_is_certain(text: str, grade: int) -> None:
    assert graded(Reply(text=text)) == Judgment.certain("teacher", grade)


def test_probabilities_that_fit_another_answer_are_not_read() -> None:
    assert told(["3"], 0, '{"grade": 2}', d3=0.9).probabilities == (0, 0, 1, 0)
    two = ['{"grade": ', "2", '}{"grade": ', "2", "}"]
    assert told(two, 1, '{"grade": 2}', d3=0.9).probabilities == (0, 0, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "-1",
        "2.5",
        "22",
        "2 or 3",
        "Grade: 2",
        "The document answers the query.",
        '{"grade": "2"}',
        '{"grade": 2.0}',
        '{"grade": 5}',
        '{"grade": 2',
        '{"grade": 2, "reason": "x"}',
        '{"grade": 2}{"grade": 3}',
        '[{"grade": 2}]',
        '{"grade": true}',
        "٣",
    ],
)
def test_what_is_not_a_grade_is_a_failure_and_no_zero(text: str) -> None:
    found = graded(Reply(text=text))
    assert found.outcome is Outcome.FAILED
    assert found.reason.startswith("no grade but ")
    assert found.probabilities == ()


def test_a_problem_is_a_failure_and_a_refusal_a_refusal() -> None:
    assert graded(Reply(problem="cut")) == Judgment.failed("teacher", "cut")
    assert graded(Reply(refusal="no")) == Judgment.refused("teacher", "no")


def test_a_reason_stays_short_whatever_a_model_says() -> None:
    assert len(graded(Reply(text="word\n" * 10**5)).reason) < 100
