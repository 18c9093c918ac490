"""The model that learns from a teacher: its weights, its tokenizer, and how it is shown a pair."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer

from relevance_eval.errors import LabelerError, StorageError, storage_error
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.labelers.framing import PairFrame
from relevance_eval.evaluators.labelers.manifest import Manifest, read_manifest
from relevance_eval.evaluators.labelers.session import Input, batches
from relevance_eval.exporters.settings import TrainSettings
from relevance_eval.exporters.students.adapters import adapted, merged
from relevance_eval.exporters.students.base import config_of, loading
from relevance_eval.exporters.students.decoder import Decoder
from relevance_eval.exporters.students.encoder import Encoder
from relevance_eval.exporters.students.frames import (
    FIELDS,
    Frame,
    chat_frame,
    grade_tokens,
    pair_frame,
    positions,
    shares,
)

__all__ = ["Student", "load_student", "new_student", "tensors"]

ARCHITECTURES = {"encoder": "cross-encoder", "decoder": "decoder"}


@dataclass(frozen=True)
class Student:
    """A model that grades pairs.

    Attributes:
        module: its forward takes input_ids, attention_mask and perhaps token_type_ids, int64
            [batch, tokens] with padding on the right, and gives logits, float [batch, 4].
        frame: from a pair to the module's input, the same as in the finished labeler.
    """

    manifest: Manifest
    module: Encoder | Decoder
    frame: PairFrame
    tokenizer: Tokenizer

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs that the module makes use of."""
        segments = ("token_type_ids",) if self.module.has_segments else ()
        return ("input_ids", "attention_mask", *segments)

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Logits of each input, shape [n, 4], in evaluation mode and float32."""
        found = np.zeros((len(inputs), len(GRADES)), np.float32)
        learning = self.module.training
        self.module.eval()
        device = next(self.module.parameters()).device
        with torch.inference_mode():
            for batch in batches(inputs):
                given = tensors([inputs[i] for i in batch], device)
                found[batch] = self.module(*given).float().cpu().numpy()
        self.module.train(learning)
        return found

    def with_manifest(self, **changes: Any) -> Student:
        """The same weights under a manifest with other values: a fitted temperature, say."""
        return replace(self, manifest=self.manifest.model_copy(update=changes))

    def save(self, folder: Path) -> None:
        """Weights and configuration in Hugging Face's layout, tokenizer.json and labeler.json.

        Adapters are merged into the weights first. Raises StorageError.
        """
        merged(self.module)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.module.write(folder)
            (folder / "tokenizer.json").write_text(self.tokenizer.to_str(), encoding="utf-8")
            text = self.manifest.model_dump_json(by_alias=True, exclude_none=True, indent=2)
            (folder / "labeler.json").write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise storage_error(error, folder) from error
        except SafetensorError as error:  # what a full disk is to its writer
            raise StorageError(
                f"the weights cannot be written: {error}",
                where=str(folder),
                remedy="free some space; what was learned so far is kept",
            ) from None


def tensors(inputs: Sequence[Input], device: torch.device) -> tuple[torch.Tensor, ...]:
    """Ids, mask and segments of a batch, each int64 [batch, longest], padded with 0."""
    width = max(len(i.ids) for i in inputs)
    found = np.zeros((3, len(inputs), width), np.int64)
    for row, item in enumerate(inputs):
        length = len(item.ids)
        found[0, row, :length] = item.ids
        found[1, row, :length] = 1
        found[2, row, :length] = item.segments
    ids, mask, segments = torch.from_numpy(found).to(device)
    return ids, mask, segments


def new_student(settings: TrainSettings, *, base_folder: Path, seed: int) -> Student:
    """A base model made ready to learn; the seed is that of new weights (head, adapters).

    Args:
        base_folder: model in Hugging Face's layout, or a .gguf file for a decoder.

    Raises:
        LabelerError: the model's files are missing or broken, or it is of another kind.
        UsageError: max_tokens is more than the model reads, or leaves no room for text.
    """
    torch.manual_seed(seed)
    if settings.kind == "encoder":
        tokenizer = plain_tokenizer(base_folder)
        frame, module = pair_frame(tokenizer), Encoder.read(base_folder)
    else:
        chat = chat_tokenizer(base_folder)
        tokenizer = whole(Tokenizer.from_str(chat.backend_tokenizer.to_str()))
        frame, grade_ids = grade_tokens(tokenizer, chat_frame(chat))
        module = Decoder.read(base_folder, grade_ids)
    manifest = manifest_of(settings, base_folder, tokenizer, frame)
    if settings.lora_rank:
        adapted(module, settings.lora_rank)
    return Student(manifest, module, frame_of(tokenizer, manifest), tokenizer)


def load_student(folder: Path) -> Student:
    """A trained student's folder, as `save` wrote it. Raises LabelerError."""
    manifest = read_manifest(folder / "labeler.json") if folder.is_dir() else None
    if manifest is None:
        raise LabelerError(
            "there is no student", where=str(folder), remedy="run relevance-eval train first"
        )
    tokenizer = plain_tokenizer(folder)
    if manifest.architecture == "decoder":
        _, grade_ids = grade_tokens(tokenizer, manifest.frame)
        module = Decoder.read(folder, grade_ids)
    else:
        module = Encoder.read(folder)
    module.eval()
    return Student(manifest, module, frame_of(tokenizer, manifest), tokenizer)


def plain_tokenizer(folder: Path) -> Tokenizer:
    with loading(folder):
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return whole(tokenizer)


def whole(tokenizer: Tokenizer) -> Tokenizer:
    """Without the padding and truncation that may be set in its file."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def chat_tokenizer(base: Path) -> Any:
    from transformers import AutoTokenizer

    with loading(base):
        if base.is_file():
            return AutoTokenizer.from_pretrained(str(base.parent), gguf_file=base.name)
        return AutoTokenizer.from_pretrained(str(base))


def frame_of(tokenizer: Tokenizer, manifest: Manifest) -> PairFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(tokenizer.to_str(), encoding="utf-8")
        return PairFrame(path, manifest)


def manifest_of(
    settings: TrainSettings, base: Path, tokenizer: Tokenizer, frame: Frame
) -> Manifest:
    """The template of this student, with caps that add up to max_tokens."""
    content: dict[str, Any] = {
        "schema": "relevance-eval/labeler/1",
        "architecture": ARCHITECTURES[settings.kind],
        "name": f"{settings.base.rstrip('/').rpartition('/')[2]}-student",
        "frame": frame,
        "fields": FIELDS,
        "output": "logits",
        "max_tokens": {"body": 1},
    }
    bare = frame_of(tokenizer, Manifest.model_validate(content))
    labels = sum(len(bare.tokens.plain(label)) for _, label in FIELDS if label)
    separators = len(bare.tokens.separator) * (len(FIELDS) - 1)
    overhead = len(bare.framed([], []).ids) + labels + separators
    limit = positions(config_of(base))
    if limit is not None and settings.max_tokens > limit:
        raise too_long(settings.max_tokens, limit)
    content["max_tokens"] = shares(settings.max_tokens, overhead)
    return Manifest.model_validate(content)


def too_long(wanted: int, limit: int) -> LabelerError:
    return LabelerError(
        f"the base model reads {limit} tokens at most, and max_tokens = {wanted}",
        where="[training.train] max_tokens",
        remedy=f"set {limit} or fewer, or choose another base model",
    )
