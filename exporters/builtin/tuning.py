"""Tuning the encoder on graded pairs, so little that it keeps what it knows."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize, softplus
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.exporters.builtin.encoder import batches_by_length, padded
from relevance_eval.exporters.builtin.groups import SCALES, Group
from relevance_eval.exporters.builtin.rendering import Renderer

__all__ = ["Recipe", "Weights", "features", "half_way", "plant", "states", "tune"]

_LOG = logging.getLogger(__name__)
Weights = Mapping[str, torch.Tensor]
"""A model's parameters by name."""
_SPECIAL = torch.tensor([0, 100, 101, 102, 103])  # as in features.py
_TINY = 1e-6
_LONGEST = 500  # characters of a body that query words are planted behind


@dataclass(frozen=True)
class Recipe:
    """How to tune.

    rate: peak of the encoder's learning rate, reached after a tenth of the steps; head_rate: of
    the head on it. pairwise: weight of the loss of orders. planted: share of the documents that
    get their query's words in front or behind, their grades unchanged. body_tokens: of a
    document's body that are read. tokens_per_batch: padded, at most.
    """

    steps: int = 40
    rate: float = 3e-5
    head_rate: float = 1e-2
    warm_up: float = 0.1
    pairwise: float = 0.5
    planted: float = 0.15
    body_tokens: int = 126
    tokens_per_batch: int = 2048


class _Head(torch.nn.Module):
    """A cumulative-link model of (cosine, late_square, query_length), with cut points for each
    scale; it begins near the head of the frozen encoder."""

    def __init__(self, scales: Sequence[str]) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor([3.6, 3.8, 0.55]))
        cuts = {name: torch.nn.Parameter(torch.tensor([2.6, 1.4, 1.0])) for name in scales}
        self.cuts = torch.nn.ParameterDict(cuts)

    def forward(self, inputs: torch.Tensor, scale: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores [n] and log-probabilities of the grades [n, 4] of features [n, 3]."""
        score = inputs @ self.weights
        first, *steps = self.cuts[scale]
        cuts = [first]
        for step in steps:
            cuts.append(cuts[-1] + softplus(step))
        above = torch.sigmoid(score[:, None] - torch.stack(cuts))
        ones, zeros = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
        shares = torch.cat([ones, above], dim=1) - torch.cat([above, zeros], dim=1)
        return score, torch.log(shares.clamp_min(_TINY))


def tune(
    encoder: BertModel,
    renderer: Renderer,
    batches: Iterator[Sequence[Group]],
    weights: Mapping[str, float],
    seed: int,
    recipe: Recipe | None = None,
) -> BertModel:
    """Train the matrices of the encoder's layers, without dropout, in place, and return it.

    Embeddings, biases and normalizations stay as they are: by these a ranker's model is known for
    a relative of the labeler's (`evaluators/circularity.py`).

    batches: the groups of each step. weights: what a group counts in the loss, by collection.
    """
    recipe = recipe or Recipe()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    renderer = replace(renderer, body_cap=recipe.body_tokens)
    encoder.requires_grad_(False)
    own = [value.requires_grad_() for value in encoder.encoder.parameters() if value.dim() > 1]
    head = _Head(SCALES)
    trained = [
        {"params": own, "lr": recipe.rate, "weight_decay": 0.01},
        {"params": list(head.parameters()), "lr": recipe.head_rate, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(trained)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, recipe))
    start = time.perf_counter()
    for step in range(recipe.steps):
        groups = [plant(group, recipe.planted, rng) for group in next(batches)]
        loss = _loss(encoder, head, renderer, groups, weights, recipe)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(own, 1.0)
        optimizer.step()
        schedule.step()
        seconds = time.perf_counter() - start
        _LOG.info("step %d of %d: loss %.4f, %.0f s", step + 1, recipe.steps, loss.item(), seconds)
    return encoder


def half_way(base: Weights, tuned: Sequence[Weights]) -> dict[str, torch.Tensor]:
    """The weights in the middle between the base and the mean of the tuned ones: they keep more of
    both than either (Wortsman et al., CVPR 2022)."""
    middle: dict[str, torch.Tensor] = {}
    for name, value in base.items():
        mean = torch.stack([own[name].float() for own in tuned]).mean(dim=0)
        middle[name] = torch.lerp(value.float(), mean, 0.5)
    return middle


def plant(group: Group, share: float, rng: np.random.Generator) -> Group:
    """The group, with the query's words one to three times in front of the body, or behind it, in
    this share of its documents: so that words alone do not count."""
    documents: list[Mapping[str, str]] = []
    for fields in group.documents:
        if rng.random() < share:
            words = " ".join([group.query] * int(rng.integers(1, 4)))
            body = fields.get("body", "")
            in_front = rng.random() < 0.7
            text = f"{words}\n\n{body}" if in_front else f"{body[:_LONGEST]}\n\n{words}"
            fields = {**fields, "body": text}
        documents.append(fields)
    return replace(group, documents=documents)


def _share(step: int, recipe: Recipe) -> float:
    """The rate's share of its peak: rises, then falls to 0, both in a line."""
    rising = max(1, round(recipe.warm_up * recipe.steps))
    if step < rising:
        return (step + 1) / rising
    return (recipe.steps - step) / (recipe.steps - rising + 1)


def _loss(
    encoder: BertModel,
    head: _Head,
    renderer: Renderer,
    groups: Sequence[Group],
    weights: Mapping[str, float],
    recipe: Recipe,
) -> torch.Tensor:
    """The weighted mean over groups of ordinal cross-entropy and of the loss of orders."""
    queries = [renderer.query(group.query) for group in groups]
    documents = [[renderer.document(fields) for fields in group.documents] for group in groups]
    texts = {
        ids.tobytes(): ids
        for own, query in zip(documents, queries, strict=True)
        for ids in (query, *own)
    }
    encoded = states(encoder, texts, recipe.tokens_per_batch)
    total = torch.zeros(())
    for group, query, own in zip(groups, queries, documents, strict=True):
        pairs = [features(encoded[query.tobytes()], encoded[ids.tobytes()]) for ids in own]
        score, logs = head(torch.stack(pairs), group.scale)
        loss = -(torch.from_numpy(group.targets).float() * logs).sum(dim=1).mean()
        expected = torch.from_numpy(group.expected)
        above = expected[:, None] > expected[None, :] + 0.5
        if above.any():
            gaps = (score[:, None] - score[None, :])[above]
            loss = loss + recipe.pairwise * softplus(-gaps).mean()
        total = total + weights[group.collection] * loss
    return total / sum(weights[group.collection] for group in groups)


_Encoded = tuple[torch.Tensor, torch.Tensor]
"""States of the tokens that are words, each of norm 1 [T, D], and the pooled one [D]."""


def states(
    encoder: BertModel, texts: Mapping[bytes, NDArray[np.int64]], tokens_per_batch: int
) -> dict[bytes, _Encoded]:
    """Each text once, in batches of this many padded tokens at most."""
    names = list(texts)
    found: dict[bytes, _Encoded] = {}
    for batch in batches_by_length([len(texts[name]) for name in names], tokens_per_batch):
        ids, mask = (torch.from_numpy(a) for a in padded([texts[names[row]] for row in batch]))
        output = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        words = ~torch.isin(ids, _SPECIAL)
        for place, row in enumerate(batch):
            pooled = output[place, : len(texts[names[row]])].mean(dim=0)
            unit = normalize(output[place][words[place]], dim=1)
            found[names[row]] = (unit, normalize(pooled, dim=0))
    return found


def features(query: _Encoded, document: _Encoded) -> torch.Tensor:
    """cosine, late_square and query_length of a pair, as features.py has them, but with a
    gradient."""
    words, pooled = query
    late = torch.zeros(())
    if len(words) and len(document[0]):
        late = (words @ document[0].T).amax(dim=1).mean()
    length = torch.log1p(torch.tensor(float(len(words))))
    return torch.stack([pooled @ document[1], late * late.abs(), length])
