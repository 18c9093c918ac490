"""Whether a ranker is built on the labeler's own model: then its grades are no second opinion."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relevance_eval.errors import InputError, storage_error

__all__ = ["Kinship", "ModelPrint", "Relative", "kindred", "print_model"]

LEAST_BYTES = 256
LEAST_SHARE = 0.1
FLOAT = 1
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
# Fields of the ONNX schema: ModelProto.graph, GraphProto.initializer, TensorProto's data_type,
# float_data and raw_data.
GRAPH, INITIALIZER, DATA_TYPE, FLOAT_DATA, RAW_DATA = 7, 5, 2, 4, 9


@dataclass(frozen=True)
class ModelPrint:
    """What tells one ONNX model from another.

    Attributes:
        file: SHA-256 of the file.
        tensors: SHA-256 of each 32-bit float weight of 256 bytes or more. Quantization leaves
            biases and normalizations as they are, and so does training of adapters alone, so that
            two models made of one base have these in common.
        base: name of the model it was made from, as its maker declares it; None if not declared.
    """

    file: str
    tensors: frozenset[str]
    base: str | None = None


class Relative(StrEnum):
    """`same`: one file. `base`: made of one base. `declared`: said to be, with other weights."""

    SAME = "same"
    BASE = "base"
    DECLARED = "declared"


@dataclass(frozen=True)
class Kinship:
    """A ranker whose model is a relative of the labeler's.

    Attributes:
        shared: share of the labeler's float tensors that the ranker's model has too, 0 to 1.
    """

    ranker: str
    relative: Relative
    shared: float

    def __str__(self) -> str:
        how = {
            Relative.SAME: "the labeler's own model",
            Relative.BASE: f"a model with {100 * self.shared:.0f} % of the labeler's float weights",
            Relative.DECLARED: "a model that is declared to have the labeler's base",
        }
        return f"{self.ranker} ranks by {how[self.relative]}: the labeler may favour it"


def kindred(labeler: ModelPrint, rankers: Mapping[str, ModelPrint]) -> list[Kinship]:
    """The rankers whose model is a relative of the labeler's, in the order given.

    A base that was trained throughout has no weight in common with what it was, and shows only
    if both declare it.
    """
    found: list[Kinship] = []
    for name, model in rankers.items():
        shared = len(labeler.tensors & model.tensors) / max(len(labeler.tensors), 1)
        if model.file == labeler.file:
            found.append(Kinship(name, Relative.SAME, 1.0))
        elif shared >= LEAST_SHARE:
            found.append(Kinship(name, Relative.BASE, shared))
        elif model.base and labeler.base and same_name(model.base, labeler.base):
            found.append(Kinship(name, Relative.DECLARED, shared))
    return found


def same_name(one: str, other: str) -> bool:
    """Whether two names of models mean one, whoever publishes it: `owner/` has no part in it."""
    return one.rpartition("/")[2].lower() == other.rpartition("/")[2].lower()


def print_model(path: Path, base: str | None = None) -> ModelPrint:
    """Of an ONNX file. Weights kept outside of it are not seen; the file's own hash always is.

    Raises:
        InputError: there is no such file, or it is no ONNX model.
        StorageError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        tensors = frozenset(float_tensors(memoryview(content)))
    except (IndexError, ValueError):
        raise InputError("not an ONNX model", where=str(path)) from None
    return ModelPrint(hashlib.sha256(content).hexdigest(), tensors, base)


def float_tensors(model: memoryview) -> Iterator[str]:
    graphs = list(blobs(model, GRAPH))
    if not graphs:
        raise ValueError("no graph")
    for graph in graphs:
        for tensor in blobs(graph, INITIALIZER):
            if list(numbers(tensor, DATA_TYPE)) != [FLOAT]:
                continue
            for data in (*blobs(tensor, RAW_DATA), *blobs(tensor, FLOAT_DATA)):
                # All one value (ones, zeros) is how many models begin, and tells nothing.
                if len(data) >= LEAST_BYTES and data[4:] != data[:-4]:
                    yield hashlib.sha256(data).hexdigest()


def blobs(message: memoryview, field: int) -> Iterator[memoryview]:
    for number, value in fields(message):
        if number == field and isinstance(value, memoryview):
            yield value


def numbers(message: memoryview, field: int) -> Iterator[int]:
    for number, value in fields(message):
        if number == field and isinstance(value, int):
            yield value


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a message in protocol buffers' wire format.

    Raises ValueError or IndexError where it is none.
    """
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = varint(message, place)
            yield number, value
            continue
        if kind == LENGTH:
            size, place = varint(message, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if place + size > len(message):
            raise ValueError("cut off")
        yield number, message[place : place + size]
        place += size


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number in base 128, lowest digit first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
