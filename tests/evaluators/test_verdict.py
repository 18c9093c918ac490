"""The verdict on one ranker."""

from __future__ import annotations

import pytest

from relevance_eval.evaluators.verdict import Rule, Verdict, decide


@pytest.mark.parametrize(
    ("difference", "p", "equivalence_p", "verdict"),
    [
        (0.1, 0.01, 1.0, "better"),
        (0.1, 0.05, 1.0, "better"),
        (-0.1, 0.01, 1.0, "worse"),
        (0.1, 0.0501, 1.0, "inconclusive"),
        (-0.1, 0.2, 0.051, "inconclusive"),
        (0.0, 0.01, 0.2, "inconclusive"),
        (0.0, 1.0, 0.05, "equivalent"),
        (0.005, 0.001, 0.01, "equivalent"),
    ],
)
def test_a_verdict_follows_from_the_two_p_values(
    difference: float, p: float, equivalence_p: float, verdict: str
) -> None:
    found = decide(difference=difference, p=p, equivalence_p=equivalence_p, rule=Rule(0.05, 0.01))
    assert found is Verdict(verdict)


def test_without_a_margin_nothing_is_equivalent() -> None:
    found = decide(difference=0.005, p=0.001, equivalence_p=0.0, rule=Rule(0.05, 0.0))
    assert found is Verdict.BETTER


def test_the_level_is_the_rules() -> None:
    found = decide(difference=0.1, p=0.02, equivalence_p=0.02, rule=Rule(0.01, 0.01))
    assert found is Verdict.INCONCLUSIVE


def test_the_rule_is_5_percent_and_a_hundredth_if_nothing_else_is_said() -> None:
    assert Rule() == Rule(alpha=0.05, margin=0.01)
