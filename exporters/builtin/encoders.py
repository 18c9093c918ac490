"""The labeler's encoders: one for each fold, which never saw its queries, and the shipped one."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.exporters.builtin.calibrate import query_folds
from relevance_eval.exporters.builtin.encoder import base_folder, load_encoder
from relevance_eval.exporters.builtin.groups import WEIGHTS, Material
from relevance_eval.exporters.builtin.rendering import Renderer
from relevance_eval.exporters.builtin.tuning import Weights, half_way, tune

__all__ = ["FOLDS", "Encoders"]

_LOG = logging.getLogger(__name__)
FOLDS = 5


class Encoders:
    """Encoders half-way between the published one and tuned ones. Tuned weights are kept in
    `work`, and not made again when they are there.

    Args:
        data: the collections.
        graded: those that are cut into folds by query.
        seed: of the folds, and of what is read in which order.
    """

    def __init__(
        self, data: Path, work: Path, graded: Sequence[str], renderer: Renderer, seed: int
    ) -> None:
        self.data, self.work, self.graded = data, work, graded
        self.renderer, self.seed = renderer, seed

    @cached_property
    def material(self) -> Material:
        return Material.read(self.data)

    def of_fold(self, fold: int) -> BertModel:
        """An encoder that never saw a query of this fold."""
        return self._moved([self._tuned(fold)])

    def shipped(self) -> BertModel:
        """Half-way to the mean of the folds' tuned ones: it has seen all queries."""
        return self._moved([self._tuned(fold) for fold in range(FOLDS)])

    def _moved(self, tuned: Sequence[Weights]) -> BertModel:
        encoder = load_encoder(base_folder())
        encoder.load_state_dict(half_way(encoder.state_dict(), tuned))
        return encoder

    def _tuned(self, fold: int) -> Weights:
        kept = self.work / f"tuned-without-{fold}-seed-{self.seed}.pt"
        if not kept.exists():
            _LOG.info("tuning without fold %d", fold)
            rng = np.random.default_rng([self.seed, fold + 1])
            batches = self.material.batches(self._seen(fold), rng)
            encoder = load_encoder(base_folder())
            tuned = tune(encoder, self.renderer, batches, WEIGHTS, self.seed)
            partial = kept.with_suffix(".part")
            torch.save(tuned.state_dict(), partial)
            partial.replace(kept)
        return torch.load(kept)

    def _seen(self, fold: int) -> Mapping[str, Sequence[str]]:
        """The queries of the graded collections that are in other folds."""
        seen: dict[str, list[str]] = {}
        for name in self.graded:
            queries = list(self.material.corpora[name].qrels)
            folds = query_folds(len(queries), FOLDS, self.seed).tolist()
            seen[name] = [q for q, own in zip(queries, folds, strict=True) if own != fold]
        return seen
