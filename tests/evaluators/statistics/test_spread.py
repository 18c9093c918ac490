"""The standard deviation, and what rounding may not make of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from relevance_eval.evaluators.statistics.spread import below, standard_deviation


def test_it_has_n_minus_1_degrees_of_freedom(sample: npt.NDArray[np.float64]) -> None:
    assert standard_deviation(sample) == pytest.approx(np.std(sample, ddof=1), rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_values_that_differ_by_rounding_alone_have_none_gains_and_losses_alike(sign: int) -> None:
    values = sign * np.array([0.3 - 0.2, 0.4 - 0.3, 0.5 - 0.4])
    assert len(set(values.tolist())) > 1
    assert standard_deviation(values) == 0.0
    assert standard_deviation(values + np.array([0.0, 0.0, 1e-9])) > 0


@pytest.mark.parametrize(
    ("value", "told"), [(0.3 - 0.2, False), (0.1, False), (0.1 + 1e-6, False), (0.1 - 1e-6, True)]
)
def test_below_is_by_more_than_rounding(value: float, told: bool) -> None:
    assert below(value, 0.1) is told
