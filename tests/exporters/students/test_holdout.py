"""The score that training is steered by, and what is told of held-out pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.exporters.students.calibrate import FEWEST, Calibration
from relevance_eval.exporters.students.holdout import Holdout, figures

Make = Callable[..., list[Example]]


def sure(grades: np.ndarray) -> np.ndarray:
    """Logits that leave no doubt about these grades."""
    return (60 * np.eye(4)[grades]).astype(np.float32)


def test_the_score_is_the_quadratic_kappa_where_the_student_has_no_doubt(
    overlapping: Make,
) -> None:
    holdout = Holdout(overlapping(10, 6))
    said = np.random.default_rng(0).integers(0, 4, len(holdout))
    told = figures(holdout.examples, Calibration().judgments(sure(said), "s"), seed=0)
    assert holdout.score(sure(said)) == pytest.approx(told["quadratic_kappa"]["value"], abs=1e-6)
    assert holdout.score(sure(holdout.grades)) == pytest.approx(1.0)


def test_a_student_that_says_the_same_of_everything_scores_nothing(overlapping: Make) -> None:
    holdout = Holdout(overlapping(10, 6))
    assert holdout.score(np.zeros((60, 4), np.float32)) == pytest.approx(0.0, abs=1e-9)


def test_where_the_reference_never_varies_the_log_loss_takes_its_place(overlapping: Make) -> None:
    same = [replace(e, judgment=Judgment.certain("t", 1)) for e in overlapping(10, 6)]
    holdout = Holdout(same)
    assert holdout.measure == "minus log loss"
    better, worse = (sure(np.full(60, grade)) / 20 for grade in (1, 2))
    assert holdout.score(better) > holdout.score(worse)


def test_calibration_is_fitted_on_people_where_they_graded_enough(overlapping: Make) -> None:
    examples = overlapping(20, 6)
    few, many = (
        [
            replace(e, judgment=replace(e.judgment, labeler="person:ann")) if n < count else e
            for n, e in enumerate(examples)
            if e.judgment
        ]
        for count in (FEWEST - 1, FEWEST)
    )
    logits = np.random.default_rng(0).normal(0, 1, (120, 4)).astype(np.float32)
    found = [Holdout(part).calibrated(logits, seed=0)[2] for part in (few, many)]
    assert [(r["fitted_on"], r["pairs"]) for r in found] == [("teacher", 120), ("people", FEWEST)]


def test_a_report_of_few_pairs_says_that_nothing_was_fitted(overlapping: Make) -> None:
    holdout = Holdout(overlapping(4, 6))
    logits = np.random.default_rng(0).normal(0, 1, (24, 4)).astype(np.float32)
    shipped, judgments, report = holdout.calibrated(logits, seed=0)
    assert shipped == Calibration()
    assert report["before"] == report["after"]
    assert "fewer than 30" in report["note"]
    assert len(judgments) == 24


def shout(example: Example) -> Example:
    query = replace(example.pair.query, text=example.pair.query.text.upper())
    return replace(example, pair=replace(example.pair, query=query))


def test_a_query_in_other_letters_is_no_other_query(overlapping: Make) -> None:
    examples = overlapping(8, 3)
    shouted = [shout(e) if place % 2 else e for place, e in enumerate(examples)]
    judgments = [e.judgment for e in examples if e.judgment]
    assert figures(shouted, judgments, seed=0) == figures(examples, judgments, seed=0)


def test_what_is_told_after_calibration_was_said_by_fits_on_other_queries(
    overlapping: Make,
) -> None:
    """On logits without any meaning, fitting and measuring on the same pairs would show a gain."""
    holdout = Holdout(overlapping(40, 3))
    logits = np.random.default_rng(1).normal(0, 0.01, (120, 4)).astype(np.float32)
    _, judgments, report = holdout.calibrated(logits, seed=0)
    told = figures(holdout.examples, judgments, seed=0)
    assert told["quadratic_kappa"]["low"] < 0.05
    assert report["after"]["log_loss"] > 1.0
