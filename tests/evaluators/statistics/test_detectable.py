"""The smallest difference that a query set can find."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.statistics import paired_t_p, smallest_detectable


@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.8), (0.05, 0.95)])
def test_it_follows_the_formula(
    sample: npt.NDArray[np.float64], alpha: float, power: float
) -> None:
    t = stats.t(len(sample) - 1)
    reference = (t.ppf(1 - alpha / 2) + t.ppf(power)) * stats.sem(sample)
    found = smallest_detectable(sample, alpha=alpha, power=power)
    assert found == pytest.approx(reference, rel=1e-9)


def test_a_true_difference_of_that_size_is_found_four_times_in_five() -> None:
    generator = np.random.default_rng(9)
    sets = generator.normal(0, 0.2, (2000, 50))
    true = (stats.t(49).ppf(0.975) + stats.t(49).ppf(0.8)) * 0.2 / math.sqrt(50)
    found = np.mean([paired_t_p(s + true) <= 0.05 for s in sets])
    claimed = np.mean([smallest_detectable(s) for s in sets])
    assert claimed == pytest.approx(true, rel=0.02)
    assert found == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("differences", [[], [0.5]])
def test_one_query_can_find_nothing(differences: list[float]) -> None:
    assert smallest_detectable(np.array(differences)) is None


def test_queries_that_never_differ_could_have_shown_anything() -> None:
    assert smallest_detectable(np.zeros(10)) == 0.0
