"""What the loss punishes, on numbers that can be worked out by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.exporters.students.losses import (  # noqa: E402
    Loss,
    cross_entropy,
    margin,
    ordinal,
)

EVEN = [0.0, 0.0, 0.0, 0.0]
"""Logits of a student that holds all grades for equally likely: it expects 1.5."""


def sure(grade: int) -> list[float]:
    """Logits of a student that has no doubt."""
    return [60.0 if g == grade else 0.0 for g in range(4)]


def one(grade: int) -> list[float]:
    return [float(g == grade) for g in range(4)]


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values)


def test_cross_entropy_of_a_student_without_a_clue_is_the_log_of_four() -> None:
    found = cross_entropy(rows(EVEN, EVEN), rows(one(0), one(3)), torch.ones(2))
    assert found.item() == pytest.approx(math.log(4))


def test_cross_entropy_is_least_at_the_teachers_own_distribution() -> None:
    target = [0.1, 0.2, 0.3, 0.4]
    own = rows([math.log(p) for p in target])
    entropy = -sum(p * math.log(p) for p in target)
    at_target = cross_entropy(own, rows(target), torch.ones(1)).item()
    assert at_target == pytest.approx(entropy, abs=1e-6)
    assert cross_entropy(rows(EVEN), rows(target), torch.ones(1)).item() > at_target


def test_the_ordinal_term_counts_how_far_a_grade_is_off() -> None:
    wrong = [ordinal(rows(sure(g)), rows(one(0)), torch.ones(1)).item() for g in range(4)]
    assert wrong == pytest.approx([0, 1, 2, 3], abs=1e-5)


def test_a_pair_that_weighs_three_counts_three_times() -> None:
    logits, targets = rows(EVEN, sure(2)), rows(one(1), one(2))
    light = ordinal(logits, targets, torch.tensor([1.0, 1.0])).item()
    heavy = ordinal(logits, targets, torch.tensor([3.0, 1.0])).item()
    alone = ordinal(logits[:1], targets[:1], torch.ones(1)).item()
    assert (light, heavy) == pytest.approx((alone / 2, 3 * alone / 4), abs=1e-6)


def test_the_margin_is_the_squared_difference_of_expected_grades_within_a_query() -> None:
    logits, targets = rows(sure(3), sure(0), EVEN), rows(one(3), one(2), one(0))
    # errors 0, -2 and 1.5; documents one and two belong to one query
    found = margin(logits, targets, torch.ones(3), torch.tensor([7, 7, 8])).item()
    assert found == pytest.approx((0 - -2) ** 2, abs=1e-5)
    joined = margin(logits, targets, torch.ones(3), torch.tensor([7, 7, 7])).item()
    assert joined == pytest.approx((2**2 + 1.5**2 + 3.5**2) / 3, abs=1e-5)


def test_a_student_that_is_off_by_the_same_everywhere_has_no_margin_to_mend() -> None:
    logits, targets = rows(sure(1), sure(3)), rows(one(0), one(2))
    assert margin(logits, targets, torch.ones(2), torch.tensor([0, 0])).item() < 1e-6


def test_queries_with_one_document_have_no_margin() -> None:
    found = margin(rows(EVEN, EVEN), rows(one(0), one(3)), torch.ones(2), torch.tensor([0, 1]))
    assert found.item() == 0.0


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    batch = (rows(EVEN, sure(1)), rows(one(2), one(0)), torch.ones(2), torch.tensor([0, 0]))
    parts = [Loss(1, 0, 0)(*batch), Loss(0, 1, 0)(*batch), Loss(0, 0, 1)(*batch)]
    whole = Loss(1.0, 0.5, 0.25)(*batch).item()
    assert whole == pytest.approx((parts[0] + parts[1] / 2 + parts[2] / 4).item(), rel=1e-6)


def test_every_term_pulls_the_logits_towards_the_target() -> None:
    for loss in (Loss(1, 0, 0), Loss(0, 1, 0), Loss(0, 0, 1)):
        logits = rows(EVEN, EVEN).requires_grad_()
        arguments = rows(one(3), one(0)), torch.ones(2), torch.tensor([0, 0])
        before = loss(logits, *arguments)
        before.backward()
        assert logits.grad is not None
        with torch.no_grad():
            assert loss(logits - 0.1 * logits.grad, *arguments) < before
