"""Labelers small enough to know what they answer: models that add up a table's rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.session import Session
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

HEAD = {
    "features": ["score"],
    "center": [0.0],
    "scale": [1.0],
    "weights": [1.0],
    "thresholds": [-1.0, 0.0, 1.0],
}
MANIFEST = {
    "schema": "relevance-eval/labeler/1",
    "architecture": "cross-encoder",
    "name": "tiny",
    "grades": [0, 1, 2, 3],
    "max_tokens": {"query": 4, "title": 3, "body": 6},
    "fields": [["title", "about "], ["body", ""]],
    "output": "logits",
}


@pytest.fixture
def write_folder(
    tmp_path: Path,
    write_tokenizer: Callable[[Path, Sequence[str]], dict[str, int]],
    write_model: Callable[..., None],
) -> Callable[..., Path]:
    """Writes a labeler's folder: `words` gives the row of each word, others have zeros.

    `manifest` overrides keys of labeler.json; a key of None is left out. `rows` is the length of
    the model's table, `model` further arguments of `write_model`.
    """

    def write(
        words: Mapping[str, Sequence[float]],
        *,
        name: str = "tiny",
        rows: int = 2500,
        model: Mapping[str, Any] | None = None,
        **manifest: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        ids = write_tokenizer(folder / "tokenizer.json", [*words, "about"])
        table = np.zeros((rows, len(next(iter(words.values())))), np.float32)
        for word, row in words.items():
            if ids[word] < rows:
                table[ids[word]] = row
        content = {k: v for k, v in {**MANIFEST, **manifest}.items() if v is not None}
        summed = content.get("architecture") == "cross-encoder"
        options = {"output": content.get("output", "logits"), "summed": summed, **(model or {})}
        write_model(folder / "model.onnx", table, **options)
        (folder / "labeler.json").write_text(json.dumps(content))
        return folder

    return write


@pytest.fixture
def head() -> dict[str, Any]:
    """Of a cross-encoder with one logit; its cut points are -1, 0 and 1."""
    return dict(HEAD)


@pytest.fixture
def pair() -> Callable[..., Pair]:
    def make(query: str, **fields: str) -> Pair:
        return Pair(Query("q", query), Document("d", fields))

    return make


@pytest.fixture(scope="session")
def builtin() -> Labeler:
    folder = Path(str(resources.files("relevance_eval.builtin_labeler")))
    if not (folder / "model.onnx").is_file():
        pytest.skip("the built-in labeler's model is not there")
    return load_labeler("builtin", threads=2)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What OpenVINO was to compute in for each session, which gets the processor's own provider."""
    asked: list[str | None] = []

    def providers(available: Sequence[str], hint: str | None, workers: int) -> list[str]:
        asked.append(hint)
        return ["CPUExecutionProvider"]

    monkeypatch.setattr(f"{Session.__module__}.providers_for", providers)
    return asked
