"""The graph of a student: what goes in, what comes out, and that neighbours do not matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402

from relevance_eval.errors import ExportError  # noqa: E402
from relevance_eval.evaluators.labelers.session import Input, Session  # noqa: E402
from relevance_eval.exporters import onnx as graphs  # noqa: E402
from relevance_eval.exporters.onnx import export_graph, save_graph  # noqa: E402
from relevance_eval.exporters.settings import TrainSettings  # noqa: E402
from relevance_eval.exporters.students.student import Student, new_student  # noqa: E402

Complains = Callable[..., Any]
KINDS = ["encoder", "decoder"]


def make(base: Path, kind: str) -> Student:
    settings = TrainSettings(kind=kind, base=str(base), max_tokens=112)  # type: ignore[arg-type]
    return new_student(settings, base_folder=base, seed=0)


@pytest.fixture
def student(request: pytest.FixtureRequest, kind: str) -> Student:
    return make(request.getfixturevalue(f"tiny_{kind}"), kind)


def of_lengths(student: Student, *lengths: int) -> list[Input]:
    """Random token ids; the end is in another segment."""
    rng = np.random.default_rng(0)
    return [
        Input(rng.integers(1, 12, n).tolist(), [0] * (n // 2) + [1] * (n - n // 2)) for n in lengths
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_gives_the_students_logits_alone_and_padded_in_a_batch(
    student: Student, tmp_path: Path
) -> None:
    session = Session(export_graph(student.module, tmp_path), "logits", threads=1)
    inputs = of_lengths(student, 1, 2, 9, 40, 100)
    expected = student.logits(inputs)
    together = session.run(inputs)
    alone = np.concatenate([session.run([item]) for item in inputs])
    assert together.shape == (5, 4)
    assert np.ptp(expected, axis=0).min() > 1e-3  # the inputs are told apart
    assert together == pytest.approx(expected, abs=1e-4)
    assert alone == pytest.approx(together, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_asks_for_segments_only_where_the_model_reads_them(
    student: Student, tmp_path: Path, kind: str
) -> None:
    runtime: Any = onnxruntime
    session = runtime.InferenceSession(str(export_graph(student.module, tmp_path)))
    names = [item.name for item in session.get_inputs()]
    segments = ["token_type_ids"] if kind == "encoder" else []
    assert names == ["input_ids", "attention_mask", *segments]
    assert [item.name for item in session.get_outputs()] == ["logits"]
    assert {tuple(item.shape) for item in session.get_inputs()} == {("batch", "tokens")}


def test_a_decoders_graph_holds_four_rows_of_the_vocabulary_and_no_cache(
    tiny_decoder: Path, tmp_path: Path
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    wide = tmp_path / "base"
    config = LlamaConfig.from_pretrained(tiny_decoder)
    config.vocab_size, config.tie_word_embeddings = 5000, False
    LlamaForCausalLM(config).save_pretrained(wide)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (wide / name).write_bytes((tiny_decoder / name).read_bytes())
    graph = onnx.load(str(export_graph(make(wide, "decoder").module, tmp_path))).graph
    large = [t.name for t in graph.initializer if 5000 in t.dims]
    assert len(large) == 1  # the embeddings; the head's 5,000 rows are not there
    assert [item.name for item in graph.output] == ["logits"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_student_makes_the_same_bytes(student: Student, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first = export_graph(student.module, tmp_path).read_bytes()
    assert export_graph(student.module, tmp_path / "again").read_bytes() == first


def test_a_student_in_bf16_is_exported_in_float32(tiny_encoder: Path, tmp_path: Path) -> None:
    student = make(tiny_encoder, "encoder")
    student.module.to(torch.bfloat16)
    session = Session(export_graph(student.module, tmp_path), "logits", threads=1)
    inputs = of_lengths(student, 5, 9)
    assert session.run(inputs) == pytest.approx(student.logits(inputs), abs=1e-4)


class Unexportable(torch.nn.Module):  # type: ignore[name-defined, misc]
    """Its answer comes from an operation that ONNX has no word for."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(4))

    def forward(self, ids: Any, mask: Any, segments: Any) -> Any:
        return torch.special.bessel_j0(ids[:, :1].float() * self.scale)


def test_an_operation_without_an_onnx_form_is_named(tmp_path: Path, complains: Complains) -> None:
    with complains(
        ExportError, "bessel_j0", code=5, where="Unexportable", remedy="a student of another base"
    ):
        export_graph(Unexportable(), tmp_path)


def test_a_place_that_cannot_be_written_is_not_held_against_the_student(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "file"
    taken.write_text("in the way")
    with pytest.raises(OSError, match="file"):
        export_graph(make(tiny_encoder, "encoder").module, taken)


def test_weights_too_large_for_one_file_lie_beside_it(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = make(tiny_encoder, "encoder")
    path = export_graph(student.module, tmp_path)
    inputs = of_lengths(student, 5, 9)
    whole = Session(path, "logits", threads=1).run(inputs)
    monkeypatch.setattr(graphs, "ONE_FILE", 1000)
    save_graph(onnx.load(str(path)), path)
    assert (tmp_path / "model.onnx_data").stat().st_size > path.stat().st_size
    assert (Session(path, "logits", threads=1).run(inputs) == whole).all()
    monkeypatch.undo()
    save_graph(onnx.load(str(path)), path)
    assert not (tmp_path / "model.onnx_data").exists()
    assert (Session(path, "logits", threads=1).run(inputs) == whole).all()
