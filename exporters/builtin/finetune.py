"""Fine-tuning the upper layers of the sentence encoder as a bi-encoder."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.exporters.builtin.encoder import FROZEN_LAYERS, Lower, pad_states, upper_states
from relevance_eval.exporters.builtin.steps import UNKNOWN, Block, TextKey

__all__ = ["Settings", "finetune"]

_LOG = logging.getLogger(__name__)
_SPECIAL = (0, 100, 101, 102, 103)


@dataclass(frozen=True)
class Settings:
    """How the encoder is trained.

    rate: peak learning rate of the encoder. head_rate: of the scales and cut points.
    warmup: share of the steps, 0 to 1. order: weight of the pairwise loss against the
    ordinal one. late: initial weight of late interaction in the score (0 leaves it out).
    """

    rate: float = 4e-5
    head_rate: float = 5e-3
    warmup: float = 0.1
    order: float = 0.5
    late: float = 6.0
    cosine: float = 6.0


class _Scorer(nn.Module):
    """score = a * cosine + b * late interaction; each collection has cut points of its own."""

    def __init__(self, collections: Sequence[str], settings: Settings) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.tensor([settings.cosine, settings.late]))
        self.cuts = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor([4.0, 0.0, 0.0])) for name in collections}
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Scores [Q, D] of features [Q, D, 2]."""
        return features @ self.scales

    def thresholds(self, collection: str) -> torch.Tensor:
        """The ordered cut points [3] of a collection."""
        free = self.cuts[collection]
        return torch.cumsum(torch.cat([free[:1], functional.softplus(free[1:])]), dim=0)


def _encoded(
    model: BertModel, texts: Sequence[Lower], chunk: int = 8
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Unit embeddings [N, D] and each text's unit content-token states [T_i, D]."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index][0]))
    pooled: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    tokens: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    for at in range(0, len(order), chunk):
        part = order[at : at + chunk]
        states, mask = pad_states([texts[index] for index in part])
        last = upper_states(model, states, mask)
        for row, index in enumerate(part):
            ids = texts[index][0]
            own = last[row, : len(ids)]
            pooled[index] = own.mean(dim=0)
            content = torch.from_numpy(~np.isin(ids, _SPECIAL))
            tokens[index] = functional.normalize(own[content], dim=1)
    return functional.normalize(torch.stack(pooled), dim=1), tokens


def _features(model: BertModel, block: Block, store: Mapping[TextKey, Lower]) -> torch.Tensor:
    """Cosine and mean late interaction of all pairs of the block, [Q, D, 2]."""
    queries, query_tokens = _encoded(model, [store[key] for key in block.queries], chunk=32)
    documents, document_tokens = _encoded(model, [store[key] for key in block.documents])
    similarity = torch.cat(query_tokens) @ torch.cat(document_tokens).T
    best = torch.stack(
        [part.amax(dim=1) for part in similarity.split([len(t) for t in document_tokens], dim=1)],
        dim=1,
    )
    late = torch.stack([part.mean(dim=0) for part in best.split([len(t) for t in query_tokens])])
    return torch.stack([queries @ documents.T, late], dim=2)


def _loss(scores: torch.Tensor, cuts: torch.Tensor, block: Block, order: float) -> torch.Tensor:
    """Ordinal cross-entropy where grades are known + order * pairwise loss within queries."""
    soft = torch.from_numpy(block.soft)
    known = ~torch.isnan(soft[..., 0])
    logits = scores[..., None] - cuts
    ordinal = functional.binary_cross_entropy_with_logits(logits[known], soft[known])
    grades = torch.from_numpy(block.order)
    gap = grades[:, :, None] - grades[:, None, :]
    usable = (gap > 0) & (grades[:, None, :] != UNKNOWN)
    if not usable.any():
        return ordinal
    margin = scores[:, :, None] - scores[:, None, :]
    weight = gap[usable].to(scores.dtype)
    pairwise = (functional.softplus(-margin[usable]) * weight).sum() / weight.sum()
    return ordinal + order * pairwise


def finetune(
    base: BertModel,
    blocks: Sequence[Block],
    store: Mapping[TextKey, Lower],
    settings: Settings,
    seed: int,
) -> BertModel:
    """A copy of `base`, its layers above the frozen ones trained on the blocks in order.

    Logs the loss every 25 steps. The same seed on the same machine gives the same weights.
    """
    torch.manual_seed(seed)
    model = copy.deepcopy(base)
    model.requires_grad_(False)
    upper = list(model.encoder.layer)[FROZEN_LAYERS:]
    for layer in upper:
        layer.requires_grad_(True)
        layer.train()
    scorer = _Scorer(sorted({block.collection for block in blocks}), settings)
    weights = [weight for layer in upper for weight in layer.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": weights, "lr": settings.rate, "weight_decay": 0.01},
            {"params": list(scorer.parameters()), "lr": settings.head_rate, "weight_decay": 0.0},
        ]
    )
    warm = max(1, int(settings.warmup * len(blocks)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warm, max(0.0, (len(blocks) - step) / (len(blocks) - warm))),
    )
    total = 0.0
    for number, block in enumerate(blocks, start=1):
        scores = scorer(_features(model, block, store))
        loss = _loss(scores, scorer.thresholds(block.collection), block, settings.order)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
        if number % 25 == 0:
            _LOG.info("step %d of %d, loss %.4f", number, len(blocks), total / 25)
            total = 0.0
    return model.eval()
