"""Temperature, cut points and the calibration error, on logits of a known model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from relevance_eval.exporters.students.calibrate import (
    FEWEST,
    Calibration,
    calibration_error,
    cross_fitted,
    fit_calibration,
    softmax,
)


def drawn(
    count: int, seed: int, sharpness: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.int64]]:
    """Logits, targets and grades: grades are drawn from the softmax of the logits / sharpness."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, 4))
    shares = softmax(logits.astype(np.float32)).cumsum(axis=1)
    grades = np.minimum((rng.random(count)[:, None] > shares).sum(axis=1), 3).astype(np.int64)
    return (sharpness * logits).astype(np.float32), np.eye(4)[grades], grades


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_how_much_too_sure_the_logits_are(sharpness: float) -> None:
    logits, targets, grades = drawn(8000, 0, sharpness)
    assert fit_calibration(logits, targets, grades).temperature == pytest.approx(
        sharpness, rel=0.06
    )


def test_the_calibration_error_of_queries_never_seen_goes_down() -> None:
    fit = fit_calibration(*drawn(2000, 0, 3.0))
    logits, targets, _ = drawn(2000, 1, 3.0)
    before = calibration_error(softmax(logits), targets)
    after = calibration_error(softmax(logits, fit.temperature), targets)
    assert after < before / 3


def test_a_student_that_is_always_right_and_sure_has_no_error() -> None:
    targets = np.eye(4)[np.array([0, 1, 2, 3, 3])]
    assert calibration_error(targets, targets) == 0.0


def test_a_student_that_is_always_sure_and_wrong_by_one_grade_has_a_third() -> None:
    # "grade 1 or more" is said of every pair and true of none; 2 and 3 or more are right
    said, true = np.eye(4)[[1, 1]], np.eye(4)[[0, 0]]
    assert calibration_error(said, true) == pytest.approx(1 / 3)


def test_cut_points_rise_and_name_grades_that_rounding_never_would() -> None:
    logits, targets, grades = drawn(3000, 2)
    weak = (logits / 8).astype(np.float32)  # expects middling grades only
    fit = fit_calibration(weak, targets, grades)
    assert list(fit.cuts) == sorted(fit.cuts)
    named = [j.grade for j in fit.judgments(weak, "student")]
    rounded = [j.grade for j in Calibration().judgments(weak, "student")]
    assert set(named) == {0, 1, 2, 3}
    assert 3 not in rounded


def test_with_few_labels_everything_is_left_as_it_was() -> None:
    logits, targets, grades = drawn(FEWEST - 1, 0, 5.0)
    assert fit_calibration(logits, targets, grades) == Calibration(1.0, ())


def test_where_a_calibration_is_fitted_its_halves_are_fitted_too() -> None:
    logits, targets, grades = drawn(FEWEST + 10, 0, 5.0)
    queries = [f"q{n // 4}" for n in range(FEWEST + 10)]
    assert fit_calibration(logits, targets, grades).temperature > 2
    halves = cross_fitted(logits, targets, grades, queries, seed=0)
    assert all(fit.temperature > 2 for fit in halves)


def test_one_grade_alone_gives_no_cut_points() -> None:
    logits, _, _ = drawn(100, 0)
    grades = np.full(100, 2)
    assert fit_calibration(logits, np.eye(4)[grades], grades).cuts == ()


def test_a_pair_is_calibrated_by_the_half_of_the_queries_that_it_is_not_in() -> None:
    logits, targets, grades = drawn(400, 0)
    queries = [f"q{n // 20}" for n in range(400)]
    fits = cross_fitted(logits, targets, grades, queries, seed=0)
    of_query = {
        q: {f for f, query in zip(fits, queries, strict=True) if query == q} for q in queries
    }
    assert all(len(found) == 1 for found in of_query.values())
    assert len(set(fits)) == 2
    changed = logits.copy()
    changed[:20] *= 9  # query q0 is much too sure now: nothing that is said of it may change
    again = cross_fitted(changed, targets, grades, queries, seed=0)
    assert again[:20] == fits[:20]
    assert again != fits


def test_the_same_labels_give_the_same_numbers() -> None:
    assert fit_calibration(*drawn(300, 7)) == fit_calibration(*drawn(300, 7))
