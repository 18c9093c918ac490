"""`relevance-eval export`, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.evaluators.example import Example, write_examples  # noqa: E402
from relevance_eval.evaluators.labelers.load import load_labeler  # noqa: E402
from relevance_eval.exporters.settings import TrainSettings  # noqa: E402
from relevance_eval.exporters.students.student import new_student  # noqa: E402

Answer = Callable[..., dict[str, Any]]
WIDE = "[training.export]\nmax_difference = 3\nmax_flips = 1\nmax_loss = 2\nname = 'mine'\n"


@pytest.fixture
def workplace(
    tmp_path: Path, tiny_encoder: Path, overlapping: Callable[..., list[Example]]
) -> Path:
    """A configuration, and a student that knows nothing where `train` would leave one."""
    settings = TrainSettings(base=str(tiny_encoder), max_tokens=96)
    folder = tmp_path / ".relevance-eval" / "training" / "student"
    new_student(settings, base_folder=tiny_encoder, seed=0).save(folder)
    write_examples(folder / "holdout.jsonl", overlapping(8, 6))
    (folder / "training.json").write_text("{}")
    (tmp_path / "relevance-eval.toml").write_text(WIDE)
    return tmp_path


def test_without_arguments_the_trained_student_becomes_a_labeler(
    workplace: Path, answer: Answer
) -> None:
    found = answer("export", cwd=workplace)
    folder = workplace / ".relevance-eval" / "training" / "labeler"
    assert Path(found["folder"]) == folder
    labeler = load_labeler(str(folder))
    assert (labeler.name, labeler.fingerprint) == ("mine", found["fingerprint"])
    assert found["precision"] == "int8"
    assert found["parity"] == json.loads((folder / "export.json").read_bytes())["parity"]
    assert set(found["labels_per_second"]) == {"ONNX fp32", "ONNX int8"}


def test_options_win_over_the_configuration_and_people_get_a_table(
    workplace: Path, cli: Callable[..., Any]
) -> None:
    student = workplace / ".relevance-eval" / "training" / "student"
    words = ["export", student, "--precision", "fp16", "--name", "other", "--out", "here"]
    said = cli(*words, cwd=workplace).stdout
    assert load_labeler(str(workplace / "here")).name == "other"
    for part in ("the labeler is in here", "PyTorch", "ONNX fp32", "ONNX fp16", "labels/s"):
        assert part in said
    assert "48 held-out pairs" in said
    assert "times as fast" in said


def test_beyond_the_bounds_the_command_says_the_numbers_and_writes_nothing(
    workplace: Path, complaint: Callable[..., str]
) -> None:
    (workplace / "relevance-eval.toml").write_text("[training.export]\nmax_difference = 1e-9\n")
    said = complaint("export", "--out", "here", cwd=workplace, code=5)
    assert "on 48 held-out pairs: an expected grade differs by" in said
    assert "int8-weights" in said
    assert not (workplace / "here").exists()


def test_without_a_student_the_command_says_what_to_run(
    tmp_path: Path, complaint: Callable[..., str]
) -> None:
    assert "relevance-eval train" in complaint("export", "nowhere", cwd=tmp_path)
