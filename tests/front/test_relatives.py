"""Rankers that use a relative of the labeler's model are told, in `compare` and to the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from relevance_eval.errors import InputError, LabelerError
from relevance_eval.evaluators.circularity import Relative
from relevance_eval.github import warnings
from relevance_eval.project import open_project
from relevance_eval.relatives import relatives

BUILTIN = Path(str(resources.files("relevance_eval.builtin_labeler")))
CONFIG = """
[rankers.plain]
template = "plain.json"

[rankers.vector]
template = "plain.json"
embedder = "own"

[rankers.other]
template = "plain.json"
embedder = "other"

[rankers.hybrid]
fuse = ["plain", "vector"]

[embedders.own]
model = "own"

[embedders.other]
model = "other"
{base}
"""


@pytest.fixture
def project_folder(
    tmp_path: Path, configured: Callable[[str], Path], write_model: Callable[..., None]
) -> Path:
    """Rankers with the built-in labeler's own model as their embedder, and with another."""
    (tmp_path / "plain.json").write_text('{"query": {"match_all": {}}}')
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / "model.onnx").write_bytes((BUILTIN / "model.onnx").read_bytes())
    table = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    write_model(tmp_path / "other" / "model.onnx", table, output="states")
    configured(CONFIG.format(base=""))
    return tmp_path


NAMES = ["plain", "vector", "other", "hybrid", "some.run"]


def test_a_ranker_with_the_labelers_own_model_is_found_also_inside_a_fused_one(
    project_folder: Path,
) -> None:
    found = relatives(open_project(project_folder / "relevance-eval.toml"), NAMES, None)
    assert [(k.ranker, k.relative) for k in found] == [
        ("vector", Relative.SAME),
        ("hybrid", Relative.SAME),
    ]
    told = warnings({"kinship": [{"told": str(k)} for k in found], "comparisons": []})
    assert told[0] == "vector ranks by the labeler's own model: the labeler may favour it"


def test_a_declared_base_shows_where_weights_do_not(
    project_folder: Path, configured: Callable[[str], Path]
) -> None:
    path = configured(CONFIG.format(base='base = "other/all-minilm-l6-v2"'))
    (found,) = relatives(open_project(path), ["other"], None)
    assert (found.ranker, found.relative) == ("other", Relative.DECLARED)


def test_the_base_of_a_labelers_own_file_counts(
    project_folder: Path, configured: Callable[[str], Path]
) -> None:
    path = configured("labeler = 'mine'" + CONFIG.format(base='base = "owner/tiny"'))
    labeler = project_folder / "mine"
    labeler.mkdir()
    manifest = json.loads((BUILTIN / "labeler.json").read_text()) | {"base": "elsewhere/Tiny"}
    (labeler / "labeler.json").write_text(json.dumps(manifest))
    (labeler / "model.onnx").write_bytes((BUILTIN / "model.onnx").read_bytes())
    (found,) = relatives(open_project(path), ["other"], None)
    assert found.relative is Relative.DECLARED


def test_rankers_without_a_model_need_no_look_at_the_labelers(project_folder: Path) -> None:
    project = open_project(project_folder / "relevance-eval.toml")
    assert relatives(project, ["plain", "a.run"], "no/such@labeler") == []
    assert relatives(project, ["vector"], "endpoint:teacher") == []


def test_a_model_that_is_none_and_a_labeler_that_is_none_are_told(
    project_folder: Path, complains: Callable[..., object]
) -> None:
    project = open_project(project_folder / "relevance-eval.toml")
    with pytest.raises(LabelerError, match=f"no folder {Path.cwd() / 'nowhere'}"):
        relatives(project, ["vector"], "nowhere")
    (project_folder / "own" / "model.onnx").write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match="not an ONNX model"):
        relatives(project, ["vector"], None)
    (project_folder / "own" / "model.onnx").unlink()
    assert relatives(project, ["vector"], None) == []
