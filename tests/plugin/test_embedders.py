"""Embedders in ONNX, from a folder and out of a Maven artifact."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relevance_eval.errors import ConfigError
from relevance_eval.evaluators.document import Document
from relevance_eval.plugin.embedders import (
    Embedder,
    EmbedderSettings,
    load_embedder,
    passage_text,
)

Complains = Callable[..., Any]
Lookup = Callable[..., Embedder]
Reply = tuple[int, Mapping[str, str], bytes]

WORDS = {"vpn": [3, 0, 4], "leave": [0, 2, 0], "ask:": [8, 0, 0], "tell:": [0, 0, 8]}


def test_a_vector_is_the_mean_of_its_tokens_at_length_one(lookup_embedder: Lookup) -> None:
    found = lookup_embedder(WORDS).embed(["vpn leave", "LEAVE"], "query")
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[3, 2, 4], [0, 29**0.5, 0]]) / 29**0.5, abs=1e-6)


def test_the_first_token_may_stand_for_a_text(lookup_embedder: Lookup) -> None:
    words = {**WORDS, "[CLS]": [0, 5, 0]}
    assert lookup_embedder(words, pooling="cls").embed(["vpn"], "query").tolist() == [[0, 1, 0]]


def test_prefixes_differ_for_queries_and_passages(lookup_embedder: Lookup) -> None:
    embedder = lookup_embedder(WORDS, query_prefix="ask: ", passage_prefix="tell: ")
    assert embedder.embed(["unknown"], "query").tolist() == [[1, 0, 0]]
    assert embedder.embed(["unknown"], "passage").tolist() == [[0, 0, 1]]


def test_long_texts_are_cut(lookup_embedder: Lookup) -> None:
    long = "vpn " * 4 + "leave " * 3_000
    assert lookup_embedder(WORDS, max_tokens=6).embed([long], "query") == pytest.approx(
        np.array([[0.6, 0, 0.8]]), abs=1e-6
    )


@pytest.mark.parametrize("text", ["", "\x00", "🦙"])
def test_a_text_without_a_known_token_has_a_vector_without_direction(
    lookup_embedder: Lookup, text: str
) -> None:
    assert lookup_embedder(WORDS).embed([text], "query").tolist() == [[0, 0, 0]]


def test_a_vector_does_not_depend_on_its_neighbours(lookup_embedder: Lookup) -> None:
    embedder = lookup_embedder(WORDS)
    texts = [f"vpn {'leave ' * n}" for n in range(40)]
    together = embedder.embed(texts, "query")
    fresh = lookup_embedder(WORDS)
    assert [fresh.embed([t], "query")[0].tolist() for t in texts] == together.tolist()


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_missing(
    lookup_embedder: Lookup, tmp_path: Path, complains: Complains, missing: str
) -> None:
    lookup_embedder(WORDS)
    (tmp_path / "embedder" / missing).unlink()
    says, where = f"the embedder's {missing} is not there", str(tmp_path / "embedder")
    with complains(ConfigError, says, code=2, where=where, remedy="name a folder"):
        load_embedder(EmbedderSettings("embedder"), tmp_path)


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_broken(
    lookup_embedder: Lookup, tmp_path: Path, complains: Complains, broken: str
) -> None:
    lookup_embedder(WORDS)
    (tmp_path / "embedder" / broken).write_bytes(b"{}")
    where = str(tmp_path / "embedder" / "model.onnx")
    with complains(ConfigError, "cannot load the embedder", code=2, where=where):
        load_embedder(EmbedderSettings("embedder"), tmp_path)


def test_a_model_of_another_kind(
    lookup_embedder: Lookup,
    write_model: Callable[..., None],
    tmp_path: Path,
    complains: Complains,
) -> None:
    lookup_embedder(WORDS)
    path = tmp_path / "embedder" / "model.onnx"
    write_model(path, np.zeros((9, 2), np.float32), output="y", inputs=("pixels",))
    says = "the embedder's inputs are pixels"
    with complains(ConfigError, says, code=2, where=str(path), remedy="a sentence encoder"):
        load_embedder(EmbedderSettings("embedder"), tmp_path)


@pytest.mark.parametrize("coordinate", ["", "model", "group:model", "a:b:c:d"])
def test_what_is_no_maven_artifact(complains: Complains, tmp_path: Path, coordinate: str) -> None:
    says, remedy = f"{coordinate!r} is no Maven artifact", "maven:GROUP:ARTIFACT:VERSION"
    with complains(ConfigError, says, code=2, remedy=remedy):
        load_embedder(EmbedderSettings(f"maven:{coordinate}"), tmp_path)


@pytest.fixture
def maven(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[Mapping[str, bytes]], list[str]]:
    """A Maven repository that has one artifact, example:embedder:1, of these files; returns what
    is asked of it."""
    pytest.importorskip("jgo", reason="needs relevance-eval[embedded]")

    def start(files: Mapping[str, bytes]) -> list[str]:
        jar = io.BytesIO()
        with zipfile.ZipFile(jar, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        asked: list[str] = []

        def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
            asked.append(request.path)
            if request.path.endswith("/example/embedder/1/embedder-1.jar"):
                return 200, {}, jar.getvalue()
            return 404, {}, b""

        monkeypatch.setenv("RELEVANCE_EVAL_MAVEN", serve(answer))
        monkeypatch.setenv("RELEVANCE_EVAL_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        return asked

    return start


def test_an_artifact_is_unpacked_once(
    lookup_embedder: Lookup, maven: Callable[[Mapping[str, bytes]], list[str]], tmp_path: Path
) -> None:
    expected = lookup_embedder(WORDS).embed(["vpn leave"], "query").tolist()
    model, tokenizer = (
        (tmp_path / "embedder" / name).read_bytes() for name in ("model.onnx", "tokenizer.json")
    )
    asked = maven({"deep/bge.onnx": model, "bge-tokenizer.json": tokenizer, "Some.class": b""})
    settings = EmbedderSettings("maven:example:embedder:1")
    for _ in range(2):
        found = load_embedder(settings, tmp_path / "elsewhere").embed(["vpn leave"], "query")
        assert found.tolist() == expected
    assert len([path for path in asked if path.endswith(".jar")]) == 1


def test_an_artifact_without_a_model(
    maven: Callable[[Mapping[str, bytes]], list[str]], tmp_path: Path
) -> None:
    maven({"Some.class": b""})
    with pytest.raises(ConfigError, match="holds no ONNX model with a tokenizer") as caught:
        load_embedder(EmbedderSettings("maven:example:embedder:1"), tmp_path)
    assert str(caught.value.where).endswith("embedder-1.jar")
    assert not (tmp_path / "cache" / "embedders").exists()


@pytest.mark.parametrize(
    ("roles", "text"),
    [(("title", "body"), "vpn\nhow to"), (("body", "title"), "how to\nvpn"), (("author",), "")],
)
def test_a_passage_is_its_fields_in_order(roles: Sequence[str], text: str) -> None:
    document = Document("d", {"title": "vpn", "body": "how to"})
    assert passage_text(document, roles) == text
