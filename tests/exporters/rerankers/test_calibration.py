"""From scores to probabilities of grades: on grades drawn from a known model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relevance_eval.errors import InputError
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.cuts import fit_cuts, named_grades
from relevance_eval.exporters.ordinal import fit_ordinal
from relevance_eval.exporters.rerankers.calibration import (
    calibration_error,
    cross_fitted,
    fit,
    rises,
)
from relevance_eval.exporters.students import calibrate as students

TRUE = OrdinalHead(("score",), (-2.0,), (4.0,), (1.5,), (0.5, 1.5, 2.5))
Drawn = tuple[NDArray[np.float64], NDArray[np.int64], list[str]]


def drawn(queries: int, documents: int, seed: int = 0) -> Drawn:
    """Scores as a reranker's logits, grades that the true head gives them by chance, queries."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(-2, 4, (queries * documents, 1))
    shares = TRUE.probabilities(scores)
    grades = (rng.random(len(scores))[:, None] > np.cumsum(shares, axis=1)).sum(axis=1)
    names = [f"q{n // documents}" for n in range(len(scores))]
    return scores, grades.astype(np.int64), names


def test_the_fit_finds_the_model_that_made_the_grades() -> None:
    scores, grades, _ = drawn(400, 25)
    head = fit(scores, grades, ["score"]).head
    grid = np.linspace(-14, 10, 50)[:, None]
    assert np.abs(head.probabilities(grid) - TRUE.probabilities(grid)).max() < 0.03


def test_a_higher_score_never_means_a_lower_grade() -> None:
    scores, grades, _ = drawn(10, 10)
    for turned in (scores, -scores):
        found = fit(turned, grades, ["score"])
        grid = np.sort(turned, axis=0)
        judged = found.judgments(grid, "m")
        assert np.diff([j.expected for j in judged]).min() >= 0
        assert np.diff([j.grade for j in judged]).min() >= 0
        assert rises(found.head) == (turned is scores)


@pytest.mark.parametrize("kept", [(0, 1), (0, 2), (0, 3), (1, 2), (0, 1, 2), (0, 2, 3), (2, 3)])
def test_grades_that_nobody_gave_are_never_named(kept: tuple[int, ...]) -> None:
    scores, grades, _ = drawn(40, 20)
    rows = np.isin(grades, kept)
    found = fit(scores[rows], grades[rows], ["score"])
    assert np.isfinite(found.head.thresholds).all()
    probabilities = found.head.probabilities(scores[rows])
    for grade in set(GRADES) - set(kept):
        assert probabilities[:, grade].mean() < 0.02
    assert list(found.cuts) == sorted(found.cuts)
    grid = np.linspace(-30, 30, 200)[:, None]
    assert {j.grade for j in found.judgments(grid, "m")} == set(kept)


def test_grades_that_scores_tell_apart_without_fault_have_a_finite_fit() -> None:
    scores = np.linspace(-1, 1, 80)[:, None]
    grades = np.repeat(np.arange(4), 20)
    found = fit(scores, grades, ["score"])
    assert np.isfinite(found.head.weights).all()
    assert [j.grade for j in found.judgments(scores, "m")] == grades.tolist()


def test_cut_points_lie_between_expected_grades_and_name_the_same() -> None:
    scores, grades, _ = drawn(10, 10)
    found = fit(scores, grades, ["score"])
    expected = found.head.probabilities(scores) @ np.array(GRADES)
    assert np.abs(expected[:, None] - np.array(found.cuts)).min() > 1e-9
    plain = fit_cuts([expected], [grades])
    assert (named_grades(expected, found.cuts) == named_grades(expected, plain)).all()


def test_a_pair_is_graded_by_a_fit_that_never_saw_its_query() -> None:
    scores, grades, queries = drawn(20, 15)
    before = cross_fitted(scores, grades, queries, ["score"], folds=5, seed=0)
    changed = grades.copy()
    changed[:15] = 3 - changed[:15]
    after = cross_fitted(scores, changed, queries, ["score"], folds=5, seed=0)
    same = [one == other for one, other in zip(before, after, strict=True)]
    assert all(same[:15])  # its own fit is of the others' grades, which are as they were
    assert sum(same) == 15 * 4  # as are those of the three queries in its fold
    assert before != cross_fitted(scores, grades, queries, ["score"], folds=5, seed=1)


def test_two_queries_make_two_folds() -> None:
    scores, grades, queries = drawn(2, 30)
    assert len(cross_fitted(scores, grades, queries, ["score"], folds=5, seed=0)) == 60


def test_a_grade_that_one_query_alone_has(complains: Callable[..., Any]) -> None:
    scores, _, queries = drawn(4, 10)
    grades = np.array([3] * 5 + [0] * 35)
    with complains(InputError, "only grade 0 is left", code=2, remedy="of more queries"):
        cross_fitted(scores, grades, queries, ["score"], folds=4, seed=0)


def test_the_calibration_error_is_that_of_students_and_lies_in_its_interval() -> None:
    scores, grades, queries = drawn(30, 20)
    for head in (TRUE, fit(scores, 3 - grades, ["score"]).head):
        probabilities = head.probabilities(scores)
        found = calibration_error(probabilities, grades, queries, seed=0)
        expected = students.calibration_error(probabilities, np.eye(4)[grades])
        assert found.mean == pytest.approx(expected, abs=1e-12)
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low < found.mean < found.high


def test_the_interval_covers_the_error_of_an_endless_sample() -> None:
    """A head that is off by a known amount, judged on 40 queries at a time."""
    wrong = OrdinalHead(TRUE.features, TRUE.center, TRUE.scale, TRUE.weights, (-0.5, 0.5, 1.5))
    scores, grades, _ = drawn(20_000, 20, seed=1)
    truth = students.calibration_error(wrong.probabilities(scores), np.eye(4)[grades])
    inside = 0
    for seed in range(60):
        scores, grades, queries = drawn(40, 20, seed=100 + seed)
        found = calibration_error(wrong.probabilities(scores), grades, queries, seed=0)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert inside >= 52  # 57 are expected; 52 or fewer of 60 have a chance below 2 %


def test_a_prior_of_no_pairs_changes_nothing() -> None:
    scores, grades, _ = drawn(20, 20)
    plain = fit_ordinal(scores, grades, ["score"])
    assert fit_ordinal(scores, grades, ["score"], prior=0.0) == plain
    share = np.full(len(scores), 7.0)
    weighed = fit_ordinal(scores, grades, ["score"], share=share)
    assert weighed.thresholds == pytest.approx(plain.thresholds, abs=1e-3)
    free = fit_ordinal(-scores, grades, ["score"])
    assert free.weights[0] < 0  # unless it is held to rise
    assert fit_ordinal(-scores, grades, ["score"], rising=True).weights == pytest.approx((0.0,))
