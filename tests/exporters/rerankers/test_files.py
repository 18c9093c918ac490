"""What a model's own files say of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import LabelerError
from relevance_eval.exporters.rerankers.files import find_files

Complains = Callable[..., Any]
Write = Callable[..., Path]
POOLING = "1_Pooling/config.json"


@pytest.fixture
def model(tmp_path: Path) -> Write:
    """A folder with these files; a value that is no text is written as JSON."""

    def write(**files: Any) -> Path:
        folder = tmp_path / "a-model"
        named = {"model.onnx": "graph", "tokenizer.json": {}, **files.pop("named", {}), **files}
        for name, content in named.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return folder

    return write


def test_the_graph_is_found_where_hubs_have_it(model: Write, tmp_path: Path) -> None:
    folder = model(named={"onnx/model.onnx": "graph"})
    assert find_files("a-model", tmp_path).model == folder / "model.onnx"
    (folder / "model.onnx").unlink()
    found = find_files("a-model", tmp_path)
    assert (found.name, found.model) == ("a-model", folder / "onnx" / "model.onnx")
    assert found.weights == folder / "onnx" / "model.onnx_data"


@pytest.mark.parametrize(
    ("gone", "says"),
    [("model.onnx", "no model.onnx or onnx/model.onnx"), ("tokenizer.json", "no tokenizer.json")],
)
def test_a_file_that_is_missing(
    model: Write, complains: Complains, tmp_path: Path, gone: str, says: str
) -> None:
    folder = model()
    (folder / gone).unlink()
    with complains(LabelerError, says, code=2, where=str(folder), remedy="export it to ONNX"):
        find_files(str(folder), tmp_path)


@pytest.mark.parametrize("name", ["nothing", "/no/such/folder", "a/b/c"])
def test_a_name_that_is_nothing(complains: Complains, tmp_path: Path, name: str) -> None:
    with complains(LabelerError, f"no model {name!r}", code=2, remedy="owner/name of a model hub"):
        find_files(name, tmp_path)


@pytest.mark.parametrize(
    ("named", "longest"),
    [
        ({}, None),
        ({"config.json": {"max_position_embeddings": 512, "model_type": "bert"}}, 512),
        ({"config.json": {"max_position_embeddings": 514, "model_type": "xlm-roberta"}}, 512),
        ({"tokenizer_config.json": {"model_max_length": 512}}, 512),
        ({"tokenizer_config.json": {"model_max_length": 1e30}}, None),
        (
            {
                "tokenizer_config.json": {"model_max_length": 512},
                "sentence_bert_config.json": {"max_seq_length": 256},
                "tokenizer.json": {"truncation": {"max_length": 128}},
            },
            256,
        ),
        ({"tokenizer.json": {"truncation": {"max_length": 128}}}, 128),
        (
            {
                "tokenizer_config.json": {"model_max_length": 512},
                "config.json": {"max_position_embeddings": 130, "model_type": "bert"},
            },
            130,
        ),
        ({"tokenizer_config.json": {"model_max_length": 100_000}}, 8192),
        ({"tokenizer_config.json": {"model_max_length": "long"}, "tokenizer.json": {}}, None),
    ],
)
def test_how_much_it_reads(
    model: Write, tmp_path: Path, named: dict[str, Any], longest: int | None
) -> None:
    assert find_files(str(model(named=named)), tmp_path).longest() == longest


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True, "word_embedding_dimension": 384}, "first"),
        ({}, None),
    ],
)
def test_how_it_pools(
    model: Write, tmp_path: Path, settings: dict[str, Any], pooling: str | None
) -> None:
    assert find_files(str(model(named={POOLING: settings})), tmp_path).pooling() == pooling


@pytest.mark.parametrize(
    "modes",
    [["pooling_mode_max_tokens"], ["pooling_mode_mean_tokens", "pooling_mode_max_tokens"]],
)
def test_a_pooling_that_labelers_do_not_have(
    model: Write, complains: Complains, tmp_path: Path, modes: list[str]
) -> None:
    folder = model(named={POOLING: dict.fromkeys(modes, True)})
    with complains(
        LabelerError,
        f"pools token states by {', '.join(modes)}",
        code=2,
        where=str(folder / POOLING),
        remedy="--pooling",
    ):
        find_files(str(folder), tmp_path).pooling()


def test_a_layer_after_the_pooling(model: Write, complains: Complains, tmp_path: Path) -> None:
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in kinds]
    folder = model(named={"modules.json": modules, POOLING: {"pooling_mode_mean_tokens": True}})
    with complains(
        LabelerError,
        "has sentence_transformers.models.Dense after",
        code=2,
        where=str(folder / "modules.json"),
        remedy="another model",
    ):
        find_files(str(folder), tmp_path).pooling()


@pytest.mark.parametrize(
    ("prompts", "found"),
    [
        (None, ("", "")),
        ({"query": "query: ", "passage": "passage: "}, ("query: ", "passage: ")),
        ({"query": "q", "document": "d", "passage": "p"}, ("q", "d")),
        ("broken", ("", "")),
    ],
)
def test_what_it_reads_before_texts(
    model: Write, tmp_path: Path, prompts: object, found: tuple[str, str]
) -> None:
    folder = model(named={"config_sentence_transformers.json": {"prompts": prompts}})
    said = find_files(str(folder), tmp_path).prompts()
    assert (said["query"], said["document"]) == found


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_broken_file_is_named(
    model: Write, complains: Complains, tmp_path: Path, text: str
) -> None:
    folder = model(named={"config.json": text})
    with complains(LabelerError, "JSON", code=2, where=str(folder / "config.json")):
        find_files(str(folder), tmp_path).longest()
