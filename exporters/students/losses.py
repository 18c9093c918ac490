"""What a student is punished for: three terms over the pairs of a batch."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Loss", "cross_entropy", "margin", "ordinal"]


@dataclass(frozen=True)
class Loss:
    """The weighted sum of the terms; a weight of 0 leaves a term out."""

    cross_entropy: float
    ordinal: float
    margin: float

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor, queries: Tensor) -> Tensor:
        """A scalar, 0 or more.

        Args:
            logits: float [batch, grades].
            targets: the teacher's probabilities, float [batch, grades], each row summing to 1.
            weights: of each pair, float [batch], above 0.
            queries: a number for each query, int [batch]; pairs of one number are compared.
        """
        logits = logits.float()
        total = logits.new_zeros(())
        if self.cross_entropy:
            total = total + self.cross_entropy * cross_entropy(logits, targets, weights)
        if self.ordinal:
            total = total + self.ordinal * ordinal(logits, targets, weights)
        if self.margin:
            total = total + self.margin * margin(logits, targets, weights, queries)
        return total


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean of -sum_k t_k log p_k over the batch, in nats."""
    each = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
    return (weights * each).sum() / weights.sum()


def ordinal(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean of sum_k (P(y <= k) - T(y <= k))^2: the ranked probability score (Epstein 1969).

    Mass on a grade far from the target costs more than mass on the one beside it; 0 to 3.
    """
    gap = (logits.softmax(dim=1) - targets).cumsum(dim=1)
    return (weights * (gap**2).sum(dim=1)).sum() / weights.sum()


def margin(logits: Tensor, targets: Tensor, weights: Tensor, queries: Tensor) -> Tensor:
    """Mean of ((e_i - e_j) - (t_i - t_j))^2 over pairs of documents of one query.

    e and t are the expected grades of student and teacher: Margin-MSE (Hofstätter et al. 2020)
    with grades in the place of scores; 0 to 36. A pair of documents weighs the square root of the
    product of its two weights. 0 where no query has two documents.
    """
    grades = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
    error = (logits.softmax(dim=1) - targets) @ grades
    gaps = (error[:, None] - error[None, :]) ** 2
    paired = torch.triu(queries[:, None] == queries[None, :], diagonal=1)
    shared = (weights[:, None] * weights[None, :]).sqrt() * paired
    return (shared * gaps).sum() / shared.sum().clamp(min=1e-12)
