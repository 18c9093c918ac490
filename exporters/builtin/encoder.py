"""The sentence encoder in PyTorch, split in a frozen lower and a trainable upper half.

The embeddings and the lower layers never change, so what they say about a text is computed
once and kept; training and encoding then only run the upper layers.
"""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.features import TextEncoding, text_encoding

__all__ = [
    "FROZEN_LAYERS",
    "Lower",
    "batches_by_length",
    "encode",
    "load_encoder",
    "lower_states",
    "pad_states",
    "upper_states",
]

FROZEN_LAYERS = 3
"""Layers, from the bottom, that keep their published weights (of 6)."""

Lower = tuple[NDArray[np.int64], NDArray[np.float16]]
"""A text: token ids int64 [T] and the states above the frozen layers, float16 [T, D]."""


def load_encoder(folder: Path) -> BertModel:
    """The BERT model of a folder in Hugging Face's layout, float32, in evaluation mode."""
    model = AutoModel.from_pretrained(
        str(folder), add_pooling_layer=False, attn_implementation="eager"
    )
    if not isinstance(model, BertModel):
        raise ValueError(f"{folder} holds a {type(model).__name__}, not a BertModel")
    return model.eval()


def batches_by_length(lengths: Sequence[int], tokens_per_batch: int = 4096) -> Iterable[list[int]]:
    """Indices of texts, sorted by length and cut so that a padded batch stays small.

    tokens_per_batch: padded tokens in one batch, at most (a longer text goes alone).
    """
    batch: list[int] = []
    for index in np.argsort(np.asarray(lengths), kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[index] > tokens_per_batch:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _run_layers(
    model: BertModel, states: torch.Tensor, mask: torch.Tensor, first: int, last: int
) -> torch.Tensor:
    """Layers first .. last - 1 over states [B, T, D]; mask [B, T] is 1 for real tokens."""
    bias = (1.0 - mask[:, None, None, :].to(states.dtype)) * torch.finfo(states.dtype).min
    for layer in list(model.encoder.layer)[first:last]:
        output = layer(states, bias)
        states = output[0] if isinstance(output, tuple) else output
    return states


def lower_states(model: BertModel, texts: Sequence[NDArray[np.int64]]) -> list[Lower]:
    """Run the embeddings and the frozen layers over token ids, in the order given."""
    found: dict[int, Lower] = {}
    with torch.inference_mode():
        for batch in batches_by_length([len(text) for text in texts]):
            width = max(len(texts[index]) for index in batch)
            ids = torch.zeros((len(batch), width), dtype=torch.long)
            mask = torch.zeros((len(batch), width), dtype=torch.long)
            for row, index in enumerate(batch):
                ids[row, : len(texts[index])] = torch.from_numpy(texts[index])
                mask[row, : len(texts[index])] = 1
            states = _run_layers(model, model.embeddings(input_ids=ids), mask, 0, FROZEN_LAYERS)
            half = states.numpy().astype(np.float16)
            for row, index in enumerate(batch):
                found[index] = (texts[index], half[row, : len(texts[index])].copy())
    return [found[index] for index in range(len(texts))]


def pad_states(texts: Sequence[Lower]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad to the longest text: states float32 [B, T, D] and mask int64 [B, T]."""
    width = max(len(ids) for ids, _ in texts)
    states = np.zeros((len(texts), width, texts[0][1].shape[1]), dtype=np.float32)
    mask = np.zeros((len(texts), width), dtype=np.int64)
    for row, (ids, lower) in enumerate(texts):
        states[row, : len(ids)] = lower
        mask[row, : len(ids)] = 1
    return torch.from_numpy(states), torch.from_numpy(mask)


def upper_states(model: BertModel, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The last layer's states [B, T, D] from those above the frozen layers."""
    return _run_layers(model, states, mask, FROZEN_LAYERS, model.config.num_hidden_layers)


def encode(model: BertModel, texts: Sequence[Lower]) -> list[TextEncoding]:
    """One TextEncoding per text, in the order given."""
    found: dict[int, TextEncoding] = {}
    with torch.inference_mode():
        for batch in batches_by_length([len(ids) for ids, _ in texts]):
            states, mask = pad_states([texts[index] for index in batch])
            last = upper_states(model, states, mask).numpy()
            for row, index in enumerate(batch):
                ids = texts[index][0]
                found[index] = text_encoding(ids, last[row, : len(ids)])
    return [found[index] for index in range(len(texts))]
