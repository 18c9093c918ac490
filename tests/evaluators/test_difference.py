"""Differences that are tested together: how each pays for the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from relevance_eval.evaluators.comparison import Plan
from relevance_eval.evaluators.difference import differences, per_query
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.statistics import equivalence_p, queries_needed, smallest_detectable
from relevance_eval.evaluators.verdict import Rule

PLAN = Plan(primary=parse_measure("RR"), permutations=200, resamples=200)


@pytest.mark.parametrize("correction", ["holm", "maxt"])
def test_equivalence_is_corrected_over_all_that_is_tested_together(correction: str) -> None:
    plan = replace(PLAN, correction="holm" if correction == "holm" else "maxt")
    columns = [np.array([spread, -spread] * 30) for spread in (0.05, 0.06, 0.1)]
    alone = [equivalence_p(c, 0.02) for c in columns]
    assert 3 * alone[0] < 2 * alone[1] < alone[2] < 1
    found = [d.p_equivalent for d in differences(columns, "RR", plan, margin=0.02)]
    assert found == pytest.approx([3 * alone[0], 2 * alone[1], alone[2]], rel=1e-12)


def test_luck_of_the_draw_never_undoes_the_correction() -> None:
    # Both p-values are drawn: that of the least extreme column would fall below the raw one in
    # half of these sets.
    for seed in range(10):
        generator = np.random.default_rng(seed)
        columns = [generator.normal(mean, 0.2, 40) for mean in (0.1, 0.05, 0.0)]
        found = differences(columns, "RR", replace(PLAN, correction="maxt"), margin=0.0)
        assert all(d.p_corrected >= d.p_sign_flip for d in found), seed


@pytest.mark.parametrize("alpha", [0.01, 0.2])
@pytest.mark.parametrize("count", [1, 3])
def test_what_could_be_found_goes_by_the_rules_level_shared_by_all(
    alpha: float, count: int
) -> None:
    column = np.random.default_rng(4).normal(0, 0.2, 50)
    plan = replace(PLAN, rule=Rule(alpha=alpha), target=0.03)
    for found in differences([column] * count, "RR", plan, margin=0.01):
        assert found.detectable == smallest_detectable(column, alpha=alpha / count)
        spread = float(np.std(column, ddof=1))
        assert found.queries_for_target == queries_needed(spread, 0.03, alpha=alpha / count)


def test_values_that_differ_by_rounding_alone_are_a_tie_and_nothing_else_is() -> None:
    baseline = {"q1": 0.3, "q2": 0.3, "q3": 0.5}
    column = per_query(baseline, {"q1": 0.1 + 0.2, "q2": 0.3 + 1e-6, "q3": 0.5 - 1e-6})
    assert column[0] == 0.0
    (found,) = differences([column], "RR", PLAN, margin=0.0)
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)


def test_a_part_of_the_queries_has_the_label_noise_of_its_own_queries() -> None:
    generator = np.random.default_rng(5)
    column, draws = np.full(20, 0.1), np.full((200, 20), 0.1)
    draws[:, 10:] += generator.normal(0, 0.5, (200, 10))
    sure = np.arange(20) < 10
    parts = differences(
        [column, column], "RR", PLAN, margin=0.0, places=[sure, ~sure], drawn=[draws, draws]
    )
    alone = [
        differences([column[k]], "RR", PLAN, margin=0.0, drawn=[draws[:, k]])[0]
        for k in (sure, ~sure)
    ]
    assert [d.noise for d in parts] == [d.noise for d in alone]
    spreads = [d.noise.spread for d in parts if d.noise]
    assert spreads[0] == 0 < spreads[1]
