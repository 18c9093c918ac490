"""From a bare index to a comparison with a labeler of its own, on a real node, by a real teacher.

Small: the teacher is what a package holds, and too small to grade well. What is shown here is that
every step does its work on real parts, and that nothing is done twice.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[..., dict[str, Any]]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Complaint = Callable[..., str]
ROOT = Path(__file__).resolve().parents[2]
ENTERPRISE = ROOT / "fixtures" / "enterprise" / "corpus.jsonl"
HANDBOOK = ROOT.parent / "shared" / "data" / "handbook" / "corpus.jsonl"
CONFIGURATION = """
[elasticsearch]
index = "documents"
heap = "512m"

[load]
documents = {corpus}

[queries]
file = ".relevance-eval/training/queries.jsonl"

[endpoints.small]
model = "SmolLM2-135M-Instruct"
base_url = "{url}"
concurrency = 2

[training.synthesize]
documents = 6
per_document = 2

[training.mine]
windows = [{{ first = 1, last = 10, take = 3 }}]
random = 1

[training.teach]
endpoint = "small"
max_characters = 200
least_mass = 0.05 # so small a model often names digits off the scale

[training.train]
epochs = 1
max_tokens = 64
holdout = 0.3

[training.export]
# a teacher this small gives grades that hardly differ, and kappa between such grades jumps about
max_loss = 1.0
max_flips = 0.5

[rankers.body]
template = "body.json"

[rankers.title]
template = "title.json"
"""


@pytest.fixture
def project(tmp_path: Path, smollm2: str) -> Callable[..., Path]:
    """Makes a project on a corpus; `changes` replaces text of the configuration."""

    def make(corpus: Path, **changes: str) -> Path:
        text = CONFIGURATION.format(corpus=json.dumps(str(corpus)), url=smollm2)
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "relevance-eval.toml").write_text(text)
        for name in ("body", "title"):
            body = {"query": {"match": {name: "{{query}}"}}}
            (tmp_path / f"{name}.json").write_text(json.dumps(body))
        return tmp_path

    return make


def steps_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["step"]: step for step in found["steps"]}


@pytest.mark.parametrize("corpus", [ENTERPRISE, HANDBOOK], ids=["enterprise", "handbook"])
def test_a_bare_index_becomes_a_labeler_that_compare_uses(
    answer: Answer, project: Callable[..., Path], corpus: Path
) -> None:
    if not corpus.is_file():
        pytest.skip(f"there is no {corpus}")
    folder = project(corpus)

    found = answer("distill", cwd=folder)

    steps = steps_of(found)
    assert list(steps) == ["synthesize", "mine", "teach", "train", "export"]
    assert not any(step["skipped"] for step in steps.values())
    assert steps["synthesize"]["result"]["queries"] >= 6
    assert steps["mine"]["result"]["pairs"] >= 3 * steps["mine"]["result"]["queries"]
    taught = steps["teach"]["result"]
    assert taught["graded"] + taught["failed"] + taught["refused"] > 20
    assert taught["requests"] >= taught["graded"] > 10
    assert found["reference"] == "SmolLM2-135M-Instruct"
    assert set(found["agreement"]) == {"documents-labeler", "builtin-minilm-1"}
    labeler = Path(found["labeler"])
    names = {path.name for path in labeler.iterdir()}
    assert {"labeler.json", "model.onnx", "tokenizer.json", "README.md"} <= names

    weights = (labeler / "model.onnx").read_bytes()
    again = answer("distill", cwd=folder)
    assert all(step["skipped"] for step in again["steps"])
    assert (labeler / "model.onnx").read_bytes() == weights
    assert again["agreement"] == found["agreement"]

    compared = answer("compare", "body", "title", "--labeler", labeler, cwd=folder)
    assert compared["labeler"]["name"] == "documents-labeler"
    assert compared["labels"]["bought"] + compared["labels"]["reused"] > 20
    assert compared["labels"]["failed"] == 0


def test_a_budget_that_ends_says_what_is_missing_and_goes_on_the_next_time(
    answer: Answer, complaint: Complaint, project: Callable[..., Path]
) -> None:
    folder = project(ENTERPRISE, **{"concurrency = 2": "concurrency = 2\nmax_requests = 20"})
    path = folder / "relevance-eval.toml"
    message = complaint("distill", cwd=folder)
    assert "[endpoints.small]: the budget is spent: " in message
    assert "run distill again to go on" in message
    assert not (folder / ".relevance-eval" / "training" / "student").exists()

    path.write_text(path.read_text().replace("max_requests = 20\n", "max_requests = 25\n"))
    taught = answer("teach", cwd=folder)
    assert 10 < taught["reused"] <= 20  # a failed one is asked again
    assert taught["spent"]["requests"] == 25


def test_without_a_teacher_nothing_is_begun(
    complaint: Complaint, project: Callable[..., Path]
) -> None:
    folder = project(ENTERPRISE, **{'[training.teach]\nendpoint = "small"': "[training.teach]"})
    message = complaint("distill", cwd=folder)
    assert message.startswith("error: [training.teach] endpoint: no endpoint is named that grades")
    assert not (folder / ".relevance-eval").exists()
