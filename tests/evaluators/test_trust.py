"""Trust is decided by kappa's interval against a bar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.agreement import Agreement, agree
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.evaluators.trust import Trust, decide_trust


def agreement(count: int, model: str = "0122") -> Agreement:
    """Of queries whose documents people grade 0, 1, 2, 3, and that many graded by a labeler."""
    people = {f"q{n}": {f"d{g}": g for g in range(4)} for n in range(count)}
    judged = {
        q: {f"d{i}": Judgment.certain("m", int(g)) for i, g in enumerate(model)} for q in people
    }
    return agree(people, judged, resamples=200)


def with_kappa(low: float, high: float) -> Agreement:
    return replace(agreement(20), quadratic_kappa=Interval((low + high) / 2, low, high))


@pytest.mark.parametrize(
    ("low", "high", "trust"),
    [
        (0.5, 0.7, Trust.TRUSTED),
        (0.4, 0.7, Trust.TRUSTED),
        (0.39, 0.7, Trust.UNKNOWN),
        (0.2, 0.4, Trust.UNKNOWN),
        (0.2, 0.39, Trust.UNTRUSTED),
    ],
)
def test_the_whole_interval_must_lie_on_one_side_of_the_bar(
    low: float, high: float, trust: Trust
) -> None:
    found = decide_trust(with_kappa(low, high), 0.4)
    assert (found.trust, found.bar, found.queries) == (trust, 0.4, 20)
    assert f"{low:.2f} to {high:.2f}" in found.reason


def test_without_an_audit_trust_is_unknown() -> None:
    found = decide_trust(None, 0.4)
    assert (found.trust, found.kappa, found.queries) == (Trust.UNKNOWN, None, 0)
    assert "no person has graded" in found.reason


@pytest.mark.parametrize(("count", "trust"), [(1, Trust.UNKNOWN), (4, Trust.UNKNOWN)])
def test_a_few_queries_that_agree_entirely_earn_no_trust(count: int, trust: Trust) -> None:
    found = decide_trust(agreement(count, "0123"), 0.4)
    assert found.trust is trust
    assert f"people graded {count} queries" in found.reason


def test_a_labeler_that_grades_as_people_do_is_trusted() -> None:
    assert decide_trust(agreement(20, "0123"), 0.9).trust is Trust.TRUSTED


def test_a_labeler_that_grades_the_other_way_round_is_untrusted() -> None:
    assert decide_trust(agreement(20, "3210"), 0.0).trust is Trust.UNTRUSTED


def test_one_grade_for_all_by_both_tells_nothing() -> None:
    people = {f"q{n}": {"d": 0, "e": 0} for n in range(20)}
    judged = {q: {i: Judgment.certain("m", 0) for i in grades} for q, grades in people.items()}
    found = decide_trust(agree(people, judged, resamples=200), 0.2)
    assert (found.trust, found.kappa) == (Trust.UNKNOWN, None)
    assert "gave grade 0 to all" in found.reason
    judged["q0"]["d"] = Judgment.certain("m", 3)
    assert decide_trust(agree(people, judged, resamples=200), 0.2).trust is Trust.UNTRUSTED


@pytest.mark.parametrize("bar", [-1.1, 2.0, float("nan")])
def test_a_bar_that_is_no_kappa_is_told(bar: float) -> None:
    with pytest.raises(UsageError, match="is no kappa"):
        decide_trust(None, bar)
