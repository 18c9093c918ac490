"""The ordinal head against values worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead

HEAD = OrdinalHead(
    features=("a", "b"),
    center=(1.0, 0.0),
    scale=(2.0, 1.0),
    weights=(4.0, -1.0),
    thresholds=(-1.0, 0.5, 2.0),
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_the_score_is_the_weighted_sum_of_standardised_features() -> None:
    scores = HEAD.scores(np.array([[1.0, 0.0], [3.0, 1.5], [0.0, -2.0]]))
    assert scores.tolist() == [0.0, 2.5, 0.0]


def test_probabilities_are_differences_of_the_cumulative_ones() -> None:
    (found,) = HEAD.probabilities(np.array([[3.0, 1.5]]))
    at_least = [1, sigmoid(3.5), sigmoid(2.0), sigmoid(0.5), 0]
    assert found == pytest.approx([at_least[k] - at_least[k + 1] for k in range(4)], abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2))
def test_every_row_is_a_distribution(features: list[float]) -> None:
    (row,) = HEAD.probabilities(np.array([features]))
    assert row.min() >= 0
    assert row.sum() == pytest.approx(1, abs=1e-12)


def test_a_higher_score_never_means_a_lower_expected_grade() -> None:
    rows = np.array([[x, 0.0] for x in np.linspace(-20, 20, 200)])
    expected = HEAD.probabilities(rows) @ np.arange(4)
    assert (np.diff(expected) >= -1e-12).all()
    assert expected[0] < 0.01
    assert expected[-1] > 2.99


def test_equal_cut_points_leave_a_grade_without_probability() -> None:
    head = OrdinalHead(("a",), (0.0,), (1.0,), (1.0,), (0.0, 0.0, 1.0))
    assert head.probabilities(np.array([[0.3]]))[0][1] == 0


def test_a_head_survives_its_file() -> None:
    assert OrdinalHead.from_json(json.loads(json.dumps(HEAD.to_json()))) == HEAD


@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 1), (1, 2, 1)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \[n, 2\]"):
        HEAD.scores(np.zeros(shape))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features": []}, "as many centers, scales and weights as features"),
        ({"features": "ab"}, "must be a list of names"),
        ({"center": [1]}, "as many centers"),
        ({"scale": [1, 0]}, "scales must be above 0"),
        ({"weights": [1, True]}, "holds True, not a number"),
        ({"weights": "12"}, "must be a list of numbers"),
        ({"weights": [1, math.inf]}, "must be finite"),
        ({"thresholds": []}, "cut points must not fall"),
        ({"thresholds": [1, 0]}, "cut points must not fall"),
    ],
)
def test_a_malformed_head_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        OrdinalHead.from_json({**HEAD.to_json(), **change})
