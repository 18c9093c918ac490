"""From a student's folder to a labeler's, for both kinds of student."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.errors import ExportError, LabelerError, UsageError  # noqa: E402
from relevance_eval.evaluators.example import Example  # noqa: E402
from relevance_eval.evaluators.labelers.decoder import Decoder  # noqa: E402
from relevance_eval.evaluators.labelers.load import load_labeler  # noqa: E402
from relevance_eval.exporters.export import export  # noqa: E402
from relevance_eval.exporters.parity import Parity  # noqa: E402
from relevance_eval.exporters.quantize import RANGED  # noqa: E402
from relevance_eval.exporters.settings import ExportSettings, TrainSettings  # noqa: E402
from relevance_eval.exporters.students.calibrate import Calibration  # noqa: E402
from relevance_eval.exporters.students.student import load_student  # noqa: E402
from relevance_eval.exporters.train import train  # noqa: E402

Complains = Callable[..., Any]
Examples = Callable[..., list[Example]]
Students = Mapping[str, Path]
WIDE = {"max_difference": 3.0, "max_flips": 1.0, "max_loss": 2.0}
FILES = ["README.md", "export.json", "labeler.json", "model.onnx", "tokenizer.json"]


@pytest.fixture(scope="module")
def learned(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_encoder: Path,
    tiny_decoder: Path,
    overlapping: Examples,
) -> Students:
    """A trained student of each kind."""
    folders: dict[str, Path] = {}
    for kind, base in (("encoder", tiny_encoder), ("decoder", tiny_decoder)):
        settings = TrainSettings(
            kind=kind,  # type: ignore[arg-type]
            base=str(base),
            epochs=4,
            batch=16,
            rate=2e-3,
            holdout=0.3,
            max_tokens=112,
            threads=1,
        )
        folders[kind] = tmp_path_factory.mktemp("training") / "student"
        train(overlapping(24, 6), settings, folders[kind], seed=0)
    return folders


@pytest.fixture
def student(learned: Students, tmp_path: Path) -> Path:
    """A copy of the encoder's folder that a test may spoil."""
    return Path(shutil.copytree(learned["encoder"], tmp_path / "student"))


def asked(precision: str = "fp32", **changes: Any) -> ExportSettings:
    return ExportSettings(precision=precision, **{**WIDE, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "precision", "near"),
    [
        ("encoder", "fp32", 1e-3),
        ("encoder", "fp16", 0.02),
        ("encoder", "int8-weights", 0.1),
        ("encoder", "int8", 0.3),
        ("encoder", "int8-static", 0.3),
        ("decoder", "fp32", 1e-3),
        ("decoder", "int4", 0.6),
    ],
)
def test_the_folder_is_a_labeler_that_grades_as_the_student_does(
    learned: Students,
    tmp_path: Path,
    overlapping: Examples,
    kind: str,
    precision: str,
    near: float,
) -> None:
    out = tmp_path / "labeler"
    done = export(learned[kind], asked(precision, name="mine"), out)
    labeler = load_labeler(str(out), exact=True)
    assert (labeler.name, labeler.fingerprint) == ("mine", done.fingerprint)
    pairs = [e.pair for e in overlapping(24, 6)]
    given = dict(labeler.label(pairs))
    taught = load_student(learned[kind])
    inputs: list[Any] = [taught.frame.input(pair) for pair in pairs]
    manifest = taught.manifest
    calibration = Calibration(manifest.temperature, tuple(manifest.cuts))
    expected = calibration.judgments(taught.logits(inputs), "student")
    apart = [abs(given[i].expected - e.expected) for i, e in enumerate(expected)]
    assert max(apart) <= near
    assert np.ptp([e.expected for e in expected]) > 2 * near or precision == "int4"
    assert sorted(p.name for p in out.iterdir()) == FILES


def test_a_decoder_reads_what_prompts_share_once_and_says_so(
    learned: Students, tmp_path: Path
) -> None:
    done = export(learned["decoder"], asked("int4"), tmp_path / "labeler")
    labeler = load_labeler(str(tmp_path / "labeler"))
    assert isinstance(labeler, Decoder)
    assert labeler.reuses_prompt
    assert done.record["reuses_prompt"] is True
    says = "| prompts | what the documents of a query share is read once for all of them |"
    assert says in (tmp_path / "labeler" / "README.md").read_text()
    export(learned["encoder"], asked(), tmp_path / "other")
    assert says not in (tmp_path / "other" / "README.md").read_text()


def test_a_decoder_that_would_grade_otherwise_reads_whole_prompts(
    learned: Students, tmp_path: Path
) -> None:
    """Its layers look no further back than two tokens, which a shared past does not know of."""
    student = Path(shutil.copytree(learned["decoder"], tmp_path / "student"))
    config = json.loads((student / "config.json").read_bytes())
    config |= {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    config["sliding_window"] = 2
    (student / "config.json").write_text(json.dumps(config))
    done = export(student, asked(), tmp_path / "labeler")
    labeler = load_labeler(str(tmp_path / "labeler"))
    assert isinstance(labeler, Decoder)
    assert not labeler.reuses_prompt
    assert done.record["reuses_prompt"] is False
    assert done.record["parity"]["ONNX fp32"]["largest"] < 1e-3


def test_the_record_holds_what_was_measured(learned: Students, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "labeler"
    settings = asked("int8", pairs=20)
    done = export(
        learned["encoder"], settings, out, timed=True, progress=lambda *counts: seen.append(counts)
    )
    assert json.loads((out / "export.json").read_bytes()) == done.record
    assert list(done.record["parity"]) == ["PyTorch", "ONNX fp32", "ONNX int8"]
    assert {p["pairs"] for p in done.record["parity"].values()} == {20}
    exact, small = done.record["parity"]["ONNX fp32"], done.record["parity"]["ONNX int8"]
    assert exact["largest"] < 1e-4 < small["largest"]
    assert done.record["bounds"] == WIDE
    sizes = done.record["megabytes"]
    assert sizes["ONNX int8"] < sizes["ONNX fp32"]
    assert sizes["ONNX int8"] == pytest.approx(
        sum((out / n).stat().st_size for n in FILES[2:]) / 1e6, abs=1e-3
    )
    assert list(done.speeds) == ["ONNX fp32", "ONNX int8"]
    assert min(done.speeds.values()) > 0
    assert seen[-1][0] == seen[-1][1] == 3 * (20 + 20)


def test_the_same_student_makes_the_same_folder(learned: Students, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(learned["encoder"], asked("int8"), tmp_path / name)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_ranges_come_from_pairs_that_nothing_is_measured_on(
    learned: Students, tmp_path: Path
) -> None:
    held = len((learned["encoder"] / "holdout.jsonl").read_text().splitlines())
    done = export(learned["encoder"], asked("int8-static"), tmp_path / "labeler")
    pairs = {parity["pairs"] for parity in done.record["parity"].values()}
    assert pairs == {held - min(RANGED, held // 2)}
    assert done.record["versions"]["nncf"]


def test_ranges_need_pairs_to_spare(student: Path, tmp_path: Path, complains: Complains) -> None:
    first, *_ = (student / "holdout.jsonl").read_text().splitlines()
    (student / "holdout.jsonl").write_text(first + "\n")
    with complains(ExportError, "no held-out pairs to spare", code=5, remedy="precision int8"):
        export(student, asked("int8-static"), tmp_path / "labeler")


def test_a_decoder_has_no_fixed_ranges(
    learned: Students, tmp_path: Path, complains: Complains
) -> None:
    with complains(ExportError, "is for encoders", code=5, remedy="int8 or int4"):
        export(learned["decoder"], asked("int8-static"), tmp_path / "labeler")
    assert not (tmp_path / "labeler").exists()


@pytest.fixture
def by_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labelers that need not be exact say that OpenVINO computes them."""

    def load(name: str, *, threads: int = 0, exact: bool = False) -> Any:
        labeler: Any = load_labeler(name, threads=threads, exact=exact)
        labeler.arithmetic = None if exact else "OpenVINO"
        return labeler

    monkeypatch.setattr(f"{export.__module__}.load_labeler", load)


@pytest.mark.usefixtures("by_openvino")
def test_a_labeler_that_openvino_runs_here_is_measured_so_but_that_is_not_recorded(
    learned: Students, tmp_path: Path
) -> None:
    done = export(learned["encoder"], asked("int8-static"), tmp_path / "labeler", timed=True)
    here = "ONNX int8-static in OpenVINO"
    assert list(done.parity) == ["PyTorch", "ONNX fp32", "ONNX int8-static", here]
    assert list(done.speeds) == ["ONNX fp32", "ONNX int8-static", here]
    assert list(done.record["parity"]) == ["PyTorch", "ONNX fp32", "ONNX int8-static"]
    assert done.fingerprint == load_labeler(str(done.folder), exact=True).fingerprint
    assert done.notes == []


@pytest.mark.usefixtures("by_openvino")
def test_beyond_a_bound_in_openvinos_arithmetic_alone_is_told_and_refuses_nothing(
    learned: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = Parity(pairs=20, largest=0.0, mean=0.0, flips=0.0, kappa=1.0, loss=0.0, neighbours=0.0)

    def found(student: Any, forms: Mapping[str, Any], *_: Any) -> dict[str, Parity]:
        names = ("PyTorch", *forms)
        return {n: replace(fine, largest=9.0 if "OpenVINO" in n else 0.0) for n in names}

    monkeypatch.setattr(f"{export.__module__}.check", found)
    done = export(learned["encoder"], asked("int8"), tmp_path / "labeler")
    (note,) = done.notes
    assert note.startswith("ONNX int8 in OpenVINO is beyond the bounds on this machine: ")
    assert "an expected grade differs by 9 (3 allowed)" in note


@pytest.mark.usefixtures("by_openvino")
def test_a_decoder_is_never_run_by_openvino(learned: Students, tmp_path: Path) -> None:
    done = export(learned["decoder"], asked("int4"), tmp_path / "labeler")
    assert list(done.parity) == ["PyTorch", "ONNX fp32", "ONNX int4"]


def test_the_manifest_keeps_calibration_and_template_and_says_who_made_it(
    learned: Students, tmp_path: Path
) -> None:
    export(learned["encoder"], asked(name="mine", license="ours"), tmp_path / "labeler")
    before = json.loads((learned["encoder"] / "labeler.json").read_bytes())
    after = json.loads((tmp_path / "labeler" / "labeler.json").read_bytes())
    assert after == {
        **before,
        "name": "mine",
        "license": "ours",
        "made_by": after["made_by"],
        "base": after["base"],
    }
    assert "tiny-encoder" in after["base"]
    assert "/" not in after["base"]
    assert after["made_by"].startswith("relevance-eval ")
    assert before["temperature"] != 1.0
    assert before["cuts"]


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        ({"max_difference": 1e-9}, "an expected grade differs by"),
        ({"max_flips": 0.0}, "share of grades that flip"),
        ({"max_loss": 0.0}, "quadratic kappa lost"),
    ],
)
def test_beyond_a_bound_nothing_is_written_and_what_was_there_stays(
    learned: Students, tmp_path: Path, complains: Complains, bound: dict[str, float], says: str
) -> None:
    precision = "int4" if "max_flips" in bound or "max_loss" in bound else "int8"
    out = tmp_path / "labeler"
    export(learned["decoder"], asked("fp32"), out)
    before = load_labeler(str(out)).fingerprint
    student = learned["decoder"]
    remedy = "choose the precision int8-weights, or widen the bounds in [training.export]"
    with complains(ExportError, says, code=5, where=str(student), remedy=remedy):
        export(student, asked(precision, **bound), out)
    assert load_labeler(str(out)).fingerprint == before
    assert [p.name for p in tmp_path.iterdir()] == ["labeler"]


def test_a_labeler_exported_before_is_replaced(learned: Students, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "labeler"
    first = export(learned["encoder"], asked("fp32"), out).fingerprint
    second = export(learned["encoder"], asked("int8"), out).fingerprint
    assert first != second == load_labeler(str(out)).fingerprint
    assert [p.name for p in out.parent.iterdir()] == ["labeler"]


def test_a_folder_of_something_else_is_left_alone(
    learned: Students, tmp_path: Path, complains: Complains
) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with complains(UsageError, "is kept as it is", code=2, where=str(tmp_path), remedy="--out"):
        export(learned["encoder"], asked(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letters.txt"]


def test_a_record_of_something_else_makes_no_folder_ours(
    learned: Students, tmp_path: Path, complains: Complains
) -> None:
    (tmp_path / "export.json").write_text('{"schema": "photos/1"}')
    with complains(UsageError, "is kept as it is", code=2, where=str(tmp_path), remedy="--out"):
        export(learned["encoder"], asked(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["export.json"]


def test_without_held_out_pairs_there_is_nothing_to_compare_on(
    student: Path, tmp_path: Path, complains: Complains
) -> None:
    (student / "holdout.jsonl").unlink()
    with complains(ExportError, "no held-out pair", code=5, remedy="relevance-eval train"):
        export(student, asked(), tmp_path / "labeler")
    assert not (tmp_path / "labeler").exists()


def test_no_student_is_said_to_be_missing(tmp_path: Path, complains: Complains) -> None:
    gone = tmp_path / "student"
    with complains(
        LabelerError, "no student", code=2, where=str(gone), remedy="run relevance-eval train"
    ):
        export(gone, asked(), tmp_path / "labeler")


def test_a_training_that_did_not_end_is_not_exported(
    student: Path, tmp_path: Path, complains: Complains
) -> None:
    (student / "training.json").unlink()
    says = "has not come to an end"
    with complains(LabelerError, says, code=2, where=str(student), remedy="train again"):
        export(student, asked(), tmp_path / "labeler")
    assert not (tmp_path / "labeler").exists()


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_record_of_the_training_is_named(
    student: Path, tmp_path: Path, complains: Complains, content: str
) -> None:
    place = student / "training.json"
    place.write_text(content)
    with complains(ExportError, "cannot be read", code=5, where=str(place), remedy="train"):
        export(student, asked(), tmp_path / "labeler")


def test_a_student_whose_weights_are_not_numbers_is_no_labeler(
    student: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(student / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, student / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExportError, match="ungraded: the model's answer is not a number"):
        export(student, asked(), tmp_path / "labeler")
    assert not (tmp_path / "labeler").exists()
