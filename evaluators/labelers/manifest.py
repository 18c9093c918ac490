"""A labeler's folder: `labeler.json` says what the model is and how texts are shown to it."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.labelers.features import FEATURES
from relevance_eval.evaluators.labelers.ordinal import OrdinalHead

__all__ = [
    "FILES",
    "WEIGHTS",
    "LabelerFolder",
    "Manifest",
    "add_file",
    "check_weights",
    "open_folder",
    "read_manifest",
]

FILES = ("labeler.json", "model.onnx", "tokenizer.json")
WEIGHTS = "model.onnx_data"
"""Weights of a model that is too large for one file; most labelers have none."""
LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f])")
"""Where a graph names a file of weights beside it: ONNX's key, and the length of its value."""
CHUNK = 1 << 20
Count = Annotated[int, Field(ge=1, le=8192)]


class Manifest(BaseModel):
    """What `labeler.json` holds.

    Attributes:
        architecture: `bi-encoder` embeds query and document apart and grades by a head over
            features of both; `cross-encoder` reads them together and answers with logits;
            `decoder` does so with the logits of its grade tokens.
        frame: what stands before the query, between query and document, and after the document,
            for models that read them together. Special tokens may stand in it.
        max_tokens: cap of the query and of each document field, in tokens, special ones not
            counted.
        fields: document fields in the order shown, each with what is written in front of it.
        output: name of the model's output: token states [batch, tokens, width] of a bi-encoder,
            logits [batch, 4] or [batch, 1] of a cross-encoder, [batch, 4] of a decoder.
        head: ordinal head over features (bi-encoder) or over `score` (cross-encoder with one
            logit).
        temperature: divides four logits before the softmax.
        cuts: expected grades from which grade 1, 2 and 3 are named, fitted on human grades; none
            for the nearest whole grade.
        base: name of the model that it was made from, such as `owner/name`; None if not declared.
        pooling: how a bi-encoder's token states become one vector: their `mean`, or the `first`
            token's state; None for the mean.
        prefixes: what a bi-encoder reads before each `query` and each `document`, as the model was
            trained; None for nothing.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Literal["relevance-eval/labeler/1"] = Field(alias="schema")
    architecture: Literal["bi-encoder", "cross-encoder", "decoder"]
    name: str
    frame: tuple[str, str, str] = ("[CLS]", "[SEP]", "[SEP]")
    grades: list[int] = Field(default_factory=lambda: list(GRADES))
    max_tokens: dict[str, Count]
    fields: list[tuple[str, str]]
    output: str
    head: dict[str, object] | None = None
    temperature: float = Field(default=1.0, gt=0)
    cuts: list[float] = Field(default_factory=list[float])
    base: str | None = None
    pooling: Literal["mean", "first"] | None = None
    prefixes: dict[Literal["query", "document"], str] | None = None

    @field_validator("grades")
    @classmethod
    def known_scale(cls, grades: list[int]) -> list[int]:
        if grades != list(GRADES):
            raise ValueError(f"only the scale {list(GRADES)} is supported")
        return grades

    @field_validator("cuts")
    @classmethod
    def rising(cls, cuts: list[float]) -> list[float]:
        if cuts and (len(cuts) != len(GRADES) - 1 or cuts != sorted(cuts)):
            raise ValueError(f"{len(GRADES) - 1} rising cut points are needed, or none")
        return cuts

    def ordinal_head(self) -> OrdinalHead:
        """Raises ValueError if there is no head, or it does not fit architecture and scale."""
        if self.head is None:
            raise ValueError("there is no 'head'")
        head = OrdinalHead.from_json(self.head)
        known = FEATURES.keys() if self.architecture == "bi-encoder" else {"score"}
        unknown = sorted(set(head.features) - known)
        if unknown:
            raise ValueError(f"the head's features {unknown} are not among {sorted(known)}")
        if len(head.thresholds) != len(self.grades) - 1:
            raise ValueError(f"{len(head.thresholds)} cut points for {len(self.grades)} grades")
        return head


@dataclass(frozen=True)
class LabelerFolder:
    """A labeler's files, checked to be there and to fit the format.

    Attributes:
        fingerprint: SHA-256 over the names and contents of `labeler.json`, `model.onnx` and
            `tokenizer.json`, and of `model.onnx_data` where there is one: weights, tokenizer,
            template, scale and calibration.
        weights: the model's file, where it is not `model.onnx` in the folder: other programs keep
            it elsewhere.
    """

    path: Path
    manifest: Manifest
    fingerprint: str
    weights: Path | None = None

    @property
    def model(self) -> Path:
        return self.weights or self.path / "model.onnx"

    def fingerprint_in(self, arithmetic: str | None) -> str:
        """Of its labels: those of another arithmetic are not taken for ONNX Runtime's own."""
        if not arithmetic:
            return self.fingerprint
        return hashlib.sha256(f"{self.fingerprint} in {arithmetic}".encode()).hexdigest()


def check_weights(model: Path) -> None:
    """Raises LabelerError for weights beside a graph under another name than `model.onnx_data`:
    no fingerprint would cover them."""
    with model.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return  # no graph at all, which the runtime tells
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for found in LOCATION.finditer(content):
                name = content[found.end() : found.end() + found[1][0]].decode(errors="replace")
                if name != WEIGHTS:
                    raise LabelerError(
                        f"the graph has its weights in {name}, where {WEIGHTS} is read",
                        where=str(model),
                        remedy=f"save it again with its weights in one file, or in {WEIGHTS}",
                    )


def open_folder(path: Path) -> LabelerFolder:
    """Raises LabelerError naming the file and the field that is wrong."""
    digest = hashlib.sha256()
    for name in (*FILES, *([WEIGHTS] if (path / WEIGHTS).exists() else [])):
        try:
            add_file(digest.update, path / name)
        except OSError as error:
            raise LabelerError(
                f"a labeler needs the file {name}: {error.strerror}",
                where=str(path),
                remedy=f"a labeler is a folder with {', '.join(FILES)}",
            ) from None
    check_weights(path / "model.onnx")
    return LabelerFolder(path, read_manifest(path / "labeler.json"), digest.hexdigest())


def add_file(update: Callable[[bytes], None], path: Path) -> None:
    """Name, length and content, a piece at a time: weights may be larger than the memory."""
    with path.open("rb") as file:
        update(f"{path.name} {os.fstat(file.fileno()).st_size}\n".encode())
        while piece := file.read(CHUNK):
            update(piece)


def read_manifest(path: Path) -> Manifest:
    try:
        manifest = Manifest.model_validate(cast(object, json.loads(path.read_bytes())))
        if manifest.architecture == "bi-encoder" or manifest.head is not None:
            manifest.ordinal_head()
        return manifest
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise LabelerError(f"{place}: {first['msg']}", where=str(path)) from None
    except ValueError as error:
        raise LabelerError(str(error), where=str(path)) from None
