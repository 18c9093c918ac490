"""Fitting the built-in labeler's head and cut points, on grades drawn from a known model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from relevance_eval.evaluators.labelers.features import FEATURES
from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.calibrate import expected_grades, fit_head
from relevance_eval.exporters.builtin.cuts import fit_cuts, named_grades
from relevance_eval.exporters.builtin.evaluation import fitted_cuts, given_by
from relevance_eval.exporters.builtin.metrics import agreement, rounded
from relevance_eval.exporters.builtin.pairs import Pairs

TRUE = OrdinalHead(("cosine",), (0.4,), (0.2,), (1.5,), (1.0, 2.5, 4.0))


def drawn(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cosines and the grades that the true head gives them by chance."""
    rng = np.random.default_rng(seed)
    cosine = rng.normal(0.4, 0.2, count)
    shares = TRUE.probabilities(cosine[:, None])
    grades = (rng.random(count)[:, None] > np.cumsum(shares, axis=1)).sum(axis=1)
    return cosine, grades.astype(np.int64)


def quadratic_kappa(given: NDArray[np.int64], grades: NDArray[np.int64]) -> float:
    gap = (given - grades) ** 2
    chance = (given[:, None] - grades[None, :]) ** 2
    return 1 - float(gap.mean()) / float(chance.mean())


def pairs(count: int, seed: int) -> Pairs:
    cosine, grades = drawn(count, seed)
    features = np.zeros((count, len(FEATURES)))
    features[:, list(FEATURES).index("cosine")] = cosine
    return Pairs(np.zeros(count, dtype=np.int64), grades, features)


def test_the_head_finds_the_model_that_made_the_grades() -> None:
    head = fit_head([pairs(20_000, 0)], ["cosine"])
    grid = np.linspace(-0.2, 1.0, 50)[:, None]
    assert np.abs(head.probabilities(grid) - TRUE.probabilities(grid)).max() < 0.03


def test_cut_points_rise_and_agree_better_than_rounding_on_pairs_they_never_saw() -> None:
    cosine, grades = drawn(4000, 1)
    cuts = fit_cuts([expected_grades(TRUE.probabilities(cosine[:, None]))], [grades])
    assert list(cuts) == sorted(cuts)
    unseen, wanted = drawn(1500, 2)
    expected = expected_grades(TRUE.probabilities(unseen[:, None]))
    by_cuts = quadratic_kappa(named_grades(expected, cuts), wanted)
    assert by_cuts > quadratic_kappa(rounded(expected), wanted) + 0.02


def test_each_collection_counts_the_same_whatever_its_size() -> None:
    cosine, grades = drawn(1000, 3)
    expected = expected_grades(TRUE.probabilities(cosine[:, None]))
    small, large = expected[:200], np.tile(expected[200:], 5)
    once = fit_cuts([small, expected[200:]], [grades[:200], grades[200:]])
    assert fit_cuts([small, large], [grades[:200], np.tile(grades[200:], 5)]) == pytest.approx(
        once, abs=0.15
    )


def test_the_same_pairs_give_the_same_numbers() -> None:
    part = pairs(500, 4)
    one, two = fit_head([part], ["cosine"]), fit_head([part], ["cosine"])
    assert one == two
    assert fitted_cuts(one, [part]) == fitted_cuts(two, [part])


def test_what_is_measured_is_the_grade_that_is_named() -> None:
    part = pairs(800, 5)
    head = fit_head([part], ["cosine"])
    given = given_by(head, fitted_cuts(head, [part]), part)
    figures = agreement(given.sums(part), np.ones(1))
    assert figures["quadratic kappa"] == pytest.approx(quadratic_kappa(given.named, part.grades))
