"""What a model is taken for, and the models that no labeler can be made of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relevance_eval.errors import LabelerError, UsageError
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.exporters.rerankers.reranker import Reading, Reranker, open_reranker

Complains = Callable[..., Any]
Write = Callable[..., Path]
MEAN = Reading(pooling="mean", max_tokens=64)


@pytest.fixture
def lookup(
    tmp_path: Path,
    write_tokenizer: Callable[..., Mapping[str, int]],
    write_model: Callable[..., None],
) -> Write:
    """A model that looks tokens up, `width` numbers wide; `summed` over the tokens or not."""

    def write(width: int, *, summed: bool, output: str = "logits", **model: Any) -> Path:
        folder = tmp_path / "lookup"
        folder.mkdir()
        write_tokenizer(folder / "tokenizer.json", ["find", "it"])
        table = np.random.default_rng(0).normal(size=(2100, width)).astype(np.float32)
        write_model(folder / "model.onnx", table, output=output, summed=summed, **model)
        return folder

    return write


def test_one_logit_makes_a_cross_encoder(cross_encoder: Any) -> None:
    found = open_reranker(str(cross_encoder.folder), Reading())
    assert found.features == ("score",)
    assert found.content["architecture"] == "cross-encoder"
    assert found.content["output"] == "logits"
    # 96 tokens of the tokenizer's settings, three of which are special
    assert found.content["max_tokens"] == {"query": 23, "title": 23, "body": 47}
    assert isinstance(found.scorer(1), CrossEncoder)


def test_token_states_make_an_embedder(embedder: Any) -> None:
    found = open_reranker(str(embedder.folder), Reading(fields=("body",)))
    assert found.features == ("cosine",)
    assert found.content["architecture"] == "bi-encoder"
    assert found.content["output"] == "last_hidden_state"
    # read apart, each may be as long as the model reads
    assert found.content["max_tokens"] == {"query": 23, "body": 94}
    assert isinstance(found.scorer(1), BiEncoder)


@pytest.mark.parametrize("output", ["logits", "score"])
def test_what_a_model_of_one_score_calls_it_does_not_matter(lookup: Write, output: str) -> None:
    found = open_reranker(str(lookup(1, summed=True, output=output)), Reading(max_tokens=64))
    assert (found.features, found.content["output"]) == (("score",), output)


def test_token_states_of_width_one_are_no_score(lookup: Write) -> None:
    folder = lookup(1, summed=False, output="last_hidden_state")
    assert open_reranker(str(folder), MEAN).features == ("cosine",)


@pytest.mark.parametrize("width", [2, 4])
def test_several_logits(lookup: Write, complains: Complains, width: int) -> None:
    folder = lookup(width, summed=True)
    says, where = f"but logits [2, {width}]", str(folder / "model.onnx")
    with complains(LabelerError, says, code=2, where=where, remedy="a reranker with one logit"):
        open_reranker(str(folder), Reading(max_tokens=64))


def test_inputs_that_nobody_knows(lookup: Write, complains: Complains) -> None:
    folder = lookup(1, summed=True, inputs=("input_ids", "bias"))
    says, where = "it asks for bias as well", str(folder / "model.onnx")
    with complains(LabelerError, says, code=2, where=where, remedy="export it to ONNX"):
        open_reranker(str(folder), Reading(max_tokens=64))


def test_nothing_says_how_long_a_text_may_be(lookup: Write, complains: Complains) -> None:
    folder = lookup(1, summed=True)
    with complains(LabelerError, "how long", code=2, where=str(folder), remedy="--max-tokens"):
        open_reranker(str(folder), Reading())


def test_nothing_says_how_token_states_are_pooled(lookup: Write, complains: Complains) -> None:
    folder = lookup(4, summed=False, output="states")
    where = str(folder / "1_Pooling" / "config.json")
    with complains(LabelerError, "become one vector", code=2, where=where, remedy="--pooling"):
        open_reranker(str(folder), Reading(max_tokens=64))


def test_late_features_need_the_vocabulary_of_bert(
    lookup: Write, embedder: Any, complains: Complains
) -> None:
    reading = Reading(late=True, pooling="mean", max_tokens=64)
    assert open_reranker(str(embedder.folder), reading).features == ("cosine", "late_square")
    folder = lookup(4, summed=False, output="states")
    with complains(LabelerError, "the vocabulary of BERT", code=2, where="lookup", remedy="--late"):
        open_reranker(str(folder), reading)


@pytest.mark.parametrize(
    "reading", [Reading(pooling="mean"), Reading(query_prefix=""), Reading(late=True)]
)
def test_what_only_an_embedder_has(
    cross_encoder: Any, complains: Complains, reading: Reading
) -> None:
    remedy = "leave out --pooling"
    with complains(UsageError, "read", code=2, where="tiny-reranker", remedy=remedy):
        open_reranker(str(cross_encoder.folder), reading)


@pytest.mark.parametrize(
    ("reading", "says"),
    [
        (Reading(fields=("body", "subject")), "there is no field subject"),
        (Reading(max_tokens=20), "tokens are left for body; 16 are needed"),
    ],
)
def test_a_reading_that_does_not_fit(
    cross_encoder: Any, complains: Complains, reading: Reading, says: str
) -> None:
    with complains(UsageError, says, code=2, remedy="field"):
        open_reranker(str(cross_encoder.folder), reading)


def test_prefixes_take_from_the_room_for_texts(write_embedder: Callable[..., Any]) -> None:
    folder = str(write_embedder("first", {"query": "find word1 :", "document": "word2"}).folder)
    body = Reading(fields=("body",))
    found = open_reranker(folder, body)
    assert found.content["prefixes"] == {"query": "find word1 :", "document": "word2"}
    assert found.content["max_tokens"]["body"] < 94
    bare = open_reranker(folder, Reading(fields=("body",), query_prefix="", document_prefix=""))
    assert "prefixes" not in bare.content
    assert bare.content["max_tokens"]["body"] == 94


def test_a_tokenizer_that_a_labeler_would_read_otherwise(
    embedder: Any, complains: Complains, tmp_path: Path
) -> None:
    """Words that are marked where they begin: a prefix apart ends otherwise than in one text."""
    folder = tmp_path / "joined"
    shutil.copytree(embedder.folder, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "Split", "pattern": {"String": "#"}, "invert": False}
    content["pre_tokenizer"]["behavior"] = "Removed"
    (folder / "tokenizer.json").write_text(json.dumps(content))
    found = open_reranker(str(folder), Reading(query_prefix="find"))
    says = "other tokens than the model's own tokenizer"
    where = str(folder / "tokenizer.json")
    with complains(LabelerError, says, code=2, where=where, remedy="end with a word"):
        found.scorer(1)


def test_scores_are_kept_by_what_they_depend_on(embedder: Any, tmp_path: Path) -> None:
    def key(folder: Path = embedder.folder, **reading: Any) -> str:
        return open_reranker(str(folder), Reading(**reading)).key

    named = open_reranker(str(embedder.folder), Reading(), name="other", base_name="o/b", terms="t")
    assert named.key == key()
    keys = {key(), key(late=True), key(pooling="first"), key(max_tokens=50), key(fields=("body",))}
    keys |= {key(query_prefix="find")}
    assert len(keys) == 6
    shutil.copytree(embedder.folder, tmp_path / "copy")
    assert key(tmp_path / "copy") == key()
    content = json.loads((tmp_path / "copy" / "tokenizer.json").read_text())
    (tmp_path / "copy" / "tokenizer.json").write_text(json.dumps(content, indent=1))
    assert isinstance(open_reranker(str(tmp_path / "copy"), Reading()), Reranker)
    assert key(tmp_path / "copy") != key()
