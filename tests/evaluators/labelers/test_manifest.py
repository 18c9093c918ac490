"""A labeler's folder: its files must be there, fit together, and all count in the fingerprint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.manifest import FILES, open_folder

Complains = Callable[..., Any]
Folder = Callable[..., Path]

WORDS = {"vpn": [0.0, 0.0, 0.0, 1.0]}
BI_HEAD = {
    "features": ["cosine", "overlap"],
    "center": [0, 0.5],
    "scale": [1, 2],
    "weights": [1, 1],
    "thresholds": [0, 0, 1],
}


def test_a_folder_is_read(write_folder: Folder) -> None:
    folder = open_folder(write_folder(WORDS))
    manifest = folder.manifest
    assert (manifest.architecture, manifest.name, manifest.output) == (
        "cross-encoder",
        "tiny",
        "logits",
    )
    assert manifest.fields == [("title", "about "), ("body", "")]
    assert manifest.temperature == 1
    assert len(folder.fingerprint) == 64


def test_what_few_models_need_is_not_written_for_others(write_folder: Folder) -> None:
    """So that a labeler that is exported again has the fingerprint that it had."""
    manifest = open_folder(write_folder(WORDS)).manifest
    written = manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert not {"pooling", "prefixes"} & written.keys()


def test_a_model_may_be_kept_elsewhere(write_folder: Folder) -> None:
    path = write_folder(WORDS)
    folder = open_folder(path)
    assert folder.model == path / "model.onnx"
    assert replace(folder, weights=path / "onnx" / "model.onnx").model.parent.name == "onnx"


def test_labels_in_another_arithmetic_have_a_fingerprint_of_their_own(write_folder: Folder) -> None:
    folder = open_folder(write_folder(WORDS))
    all_of_them = {folder.fingerprint_in(a) for a in (None, "bfloat16", "OpenVINO")}
    assert folder.fingerprint_in(None) == folder.fingerprint
    assert len(all_of_them) == 3
    assert {len(f) for f in all_of_them} == {len(folder.fingerprint)}


def test_keys_of_a_later_version_are_left_aside(write_folder: Folder) -> None:
    assert open_folder(write_folder(WORDS, trained_on="policyqa")).manifest.name == "tiny"


@pytest.mark.parametrize("name", FILES)
def test_each_file_counts_in_the_fingerprint(write_folder: Folder, name: str) -> None:
    path = write_folder(WORDS)
    before = open_folder(path).fingerprint
    assert open_folder(path).fingerprint == before
    file = path / name
    old = file.read_bytes()
    new = old.replace(b"tiny", b"tidy") if name == "labeler.json" else old[:-1] + b"?"
    assert len(new) == len(old)
    file.write_bytes(new)
    assert open_folder(path).fingerprint != before


def test_a_fingerprint_goes_with_the_contents_not_the_place(write_folder: Folder) -> None:
    one, other = write_folder(WORDS, name="one"), write_folder(WORDS, name="other")
    assert open_folder(one).fingerprint == open_folder(other).fingerprint


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing(write_folder: Folder, complains: Complains, name: str) -> None:
    path = write_folder(WORDS)
    (path / name).unlink()
    says, remedy = f"a labeler needs the file {name}: No such file", "a labeler is a folder with"
    with complains(LabelerError, says, code=2, where=str(path), remedy=remedy):
        open_folder(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        ("[]", "the file: Input should be a valid dictionary"),
        ("\xff", "codec can't decode"),
    ],
)
def test_a_manifest_that_is_broken(
    write_folder: Folder, complains: Complains, text: str, says: str
) -> None:
    path = write_folder(WORDS)
    (path / "labeler.json").write_bytes(text.encode("latin-1"))
    with complains(LabelerError, says, code=2, where=str(path / "labeler.json")):
        open_folder(path)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("schema", "relevance-eval/labeler/2", "schema: "),
        ("schema", None, "schema: Field required"),
        ("architecture", "sequence-to-sequence", "architecture: "),
        ("name", None, "name: Field required"),
        ("output", 3, "output: "),
        ("grades", [0, 1], "grades: Value error, only the scale [0, 1, 2, 3] is supported"),
        ("grades", [3, 2, 1, 0], "grades: Value error, only the scale [0, 1, 2, 3]"),
        ("max_tokens", {"title": 0}, "max_tokens.title: "),
        ("max_tokens", {"title": 10_000}, "max_tokens.title: "),
        ("fields", [["title"]], "fields.0"),
        ("temperature", 0, "temperature: "),
        ("temperature", -1, "temperature: "),
        ("pooling", "max", "pooling: Input should be 'mean' or 'first'"),
        ("prefixes", {"passage": "p"}, "prefixes.passage"),
        ("prefixes", {"query": 3}, "prefixes.query: "),
    ],
)
def test_a_wrong_value_is_named_with_its_key(
    write_folder: Folder, complains: Complains, key: str, value: object, says: str
) -> None:
    path = write_folder(WORDS)
    content = json.loads((path / "labeler.json").read_text())
    changed = {k: v for k, v in {**content, key: value}.items() if v is not None}
    (path / "labeler.json").write_text(json.dumps(changed))
    with complains(LabelerError, says, code=2, where=str(path / "labeler.json")):
        open_folder(path)


@pytest.mark.parametrize(
    ("architecture", "change", "says"),
    [
        ("bi-encoder", None, "there is no 'head'"),
        ("bi-encoder", {"features": ["score"] * 2}, "['score'] are not among ['cosine'"),
        ("bi-encoder", {"features": ["cosine"]}, "as many centers, scales and weights"),
        ("bi-encoder", {"features": "cosine"}, "'features' must be a list of names"),
        ("bi-encoder", {"thresholds": [0, 1]}, "2 cut points for 4 grades"),
        ("bi-encoder", {"thresholds": [0, 2, 1]}, "cut points must not fall"),
        ("bi-encoder", {"scale": [1, 0]}, "scales must be above 0"),
        ("bi-encoder", {"weights": [1, "2"]}, "holds '2', not a number"),
        ("bi-encoder", {"weights": [1, float("nan")]}, "must be finite"),
        ("bi-encoder", {"center": None}, "the head's 'center' must be a list of numbers"),
        ("cross-encoder", {}, "['cosine', 'overlap'] are not among ['score']"),
        ("cross-encoder", {"scale": [1, 0]}, "scales must be above 0"),
    ],
)
def test_a_head_that_does_not_fit(
    write_folder: Folder,
    complains: Complains,
    architecture: str,
    change: dict[str, Any] | None,
    says: str,
) -> None:
    head = None if change is None else {**BI_HEAD, **change}
    path = write_folder(WORDS, architecture=architecture, head=head)
    with complains(LabelerError, says, code=2, where=str(path / "labeler.json")):
        open_folder(path)


def named(name: str) -> bytes:
    """The entry of a graph whose weights are in this file."""
    return b"\n\x08location\x12" + bytes([len(name)]) + name.encode()


@pytest.mark.parametrize("name", ["model.onnx.data", "weights.bin"])
def test_weights_that_no_fingerprint_covers_are_refused(
    write_folder: Folder, complains: Complains, name: str
) -> None:
    folder = write_folder(WORDS)
    with (folder / "model.onnx").open("ab") as file:
        file.write(named("model.onnx_data") + named(name))
    says = f"the graph has its weights in {name}"
    model = str(folder / "model.onnx")
    with complains(LabelerError, says, code=2, where=model, remedy="in model.onnx_data"):
        open_folder(folder)


def test_weights_in_the_known_file_are_read(write_folder: Folder) -> None:
    folder = write_folder(WORDS)
    with (folder / "model.onnx").open("ab") as file:
        file.write(named("model.onnx_data"))
    assert len(open_folder(folder).fingerprint) == 64
