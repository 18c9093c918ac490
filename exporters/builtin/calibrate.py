"""Fitting the ordinal head to human grades."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.pairs import Pairs, joined
from relevance_eval.exporters.ordinal import fit_ordinal

__all__ = ["expected_grades", "fit_head", "query_folds"]


def fit_head(parts: Sequence[Pairs], names: Sequence[str], grades: int = 4) -> OrdinalHead:
    """Maximum likelihood of the cumulative-link model, with a small ridge on the weights.

    Each collection in `parts` counts the same in all, each of its pairs the same: no grade is
    weighted up. Raises ValueError if the optimiser does not converge.
    """
    pairs = joined(parts)
    share = np.concatenate([np.full(len(p.grades), 1.0 / len(p.grades)) for p in parts])
    return fit_ordinal(pairs.columns(names), pairs.grades, names, share=share, count=grades)


def expected_grades(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean grade under each row of probabilities [n, K], 0 to K - 1."""
    return probabilities @ np.arange(probabilities.shape[1], dtype=np.float64)


def query_folds(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of `count` queries, int64 [count], folds of equal size at random."""
    order = np.random.default_rng(seed).permutation(count)
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % folds
    return fold
