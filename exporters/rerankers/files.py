"""The files of a model in Hugging Face's layout, in a folder or on a hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.hub import download, on_hub
from relevance_eval.evaluators.labelers.manifest import WEIGHTS, check_weights
from relevance_eval.exporters.students.frames import positions

__all__ = ["LONGEST", "Files", "Pooling", "find_files"]

MODELS = ("model.onnx", "onnx/model.onnx")
"""Where a model's graph may be, in the order of preference."""
PATTERNS = (*MODELS, *(f"{model}_data" for model in MODELS), "*.json")
LONGEST = 8192
"""Tokens; more are never read."""
PLAIN_MODULES = {"Transformer", "Pooling", "Normalize"}
"""Parts of a sentence encoder that leave the cosine of its pooled token states as it is."""
Pooling = Literal["mean", "first"]
POOLING: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
}


@dataclass(frozen=True)
class Files:
    """A model's folder.

    Attributes:
        name: what the model is called: `owner/name` of a hub, or the folder's name.
        model: its graph in ONNX.
    """

    name: str
    folder: Path
    model: Path

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"

    @property
    def weights(self) -> Path:
        """Weights beside the graph; a small model has no such file."""
        return self.model.with_name(WEIGHTS)

    def longest(self) -> int | None:
        """The longest input in tokens, special ones included, at most 8192; None if nothing says.

        What the sentence encoder's or the tokenizer's settings say, and no more than there are
        positions.
        """
        truncation: Any = self.read("tokenizer.json").get("truncation") or {}
        said = (
            self.read("sentence_bert_config.json").get("max_seq_length"),
            self.read("tokenizer_config.json").get("model_max_length"),
            truncation.get("max_length"),
        )
        first = next((limit for limit in map(tokens, said) if limit is not None), None)
        most = tokens(positions(self.read("config.json")))
        return min((limit for limit in (first, most) if limit is not None), default=None)

    def pooling(self) -> Pooling | None:
        """How token states become one vector; None if no file says.

        Raises LabelerError for a pooling, or a layer after it, that a labeler does not have.
        """
        self.check_modules()
        settings = self.read("1_Pooling/config.json")
        used = [
            key for key, on in settings.items() if key.startswith("pooling_mode") and on is True
        ]
        if not used:
            return None
        if len(used) > 1 or used[0] not in POOLING:
            raise LabelerError(
                f"pools token states by {', '.join(used)}; labelers have the mean and the first "
                "token",
                where=str(self.folder / "1_Pooling" / "config.json"),
                remedy="use another model, or try what --pooling mean or first is worth",
            )
        return POOLING[used[0]]

    def check_modules(self) -> None:
        path = self.folder / "modules.json"
        given = read_json(path) if path.exists() else None
        modules = cast(list[Any], given) if isinstance(given, list) else []
        parts = [cast(dict[str, Any], m) for m in modules if isinstance(m, dict)]
        kinds = [str(part.get("type")) for part in parts]
        others = [kind for kind in kinds if kind.rpartition(".")[2] not in PLAIN_MODULES]
        if others:
            raise LabelerError(
                f"has {', '.join(others)} after its token states, which a labeler does not have",
                where=str(path),
                remedy="use another model, whose embedding is its pooled token states",
            )

    def prompts(self) -> dict[Literal["query", "document"], str]:
        """What the model's authors wrote before queries and documents; empty if nothing."""
        given = self.read("config_sentence_transformers.json").get("prompts")
        known = cast(dict[str, Any], given) if isinstance(given, dict) else {}
        found = {"query": known.get("query"), "document": known.get("document")}
        found["document"] = found["document"] or known.get("passage")
        return {"query": str(found["query"] or ""), "document": str(found["document"] or "")}

    def read(self, name: str) -> dict[str, Any]:
        """An object out of one of the folder's files; empty if there is no such file."""
        path = self.folder / name
        if not path.exists():
            return {}
        found = read_json(path)
        if not isinstance(found, dict):
            raise LabelerError("holds no JSON object", where=str(path))
        return cast(dict[str, Any], found)


def find_files(name: str, base: Path) -> Files:
    """The files of a model.

    Args:
        name: a folder, absolute or relative to `base`, or `owner/name[@revision]` of a hub, which
            is downloaded once.

    Raises:
        LabelerError: there is no such model, or it lacks its graph or its tokenizer.
    """
    path = base / Path(name).expanduser()
    if path.is_dir():
        return whole_folder(path.resolve().name, path)
    if on_hub(name):
        remedy = "check the name and the network, or name a folder"
        return whole_folder(name.partition("@")[0], download(name, PATTERNS, remedy=remedy))
    raise LabelerError(
        f"there is no model {name!r}",
        remedy="name a folder with model.onnx and tokenizer.json, or owner/name of a model hub",
    )


def whole_folder(name: str, folder: Path) -> Files:
    model = next((folder / m for m in MODELS if (folder / m).is_file()), None)
    if model is None or not (folder / "tokenizer.json").is_file():
        lacking = "model.onnx or onnx/model.onnx" if model is None else "tokenizer.json"
        raise LabelerError(
            f"the model has no {lacking}",
            where=str(folder),
            remedy="export it to ONNX first, for one with optimum-cli export onnx",
        )
    check_weights(model)
    return Files(name, folder, model)


def read_json(path: Path) -> object:
    try:
        return cast(object, json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise LabelerError(f"cannot be read as JSON: {error}", where=str(path)) from None


def tokens(value: object) -> int | None:
    """A limit in tokens. Tokenizers without one say 10^30."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        return None
    return min(int(value), LONGEST) if value < 1e6 else None
