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
from relevance_eval.evaluators.labelers.decoder import SharedPrompt  # noqa: E402
from relevance_eval.evaluators.labelers.session import Input, Session  # noqa: E402
from relevance_eval.exporters import onnx as graphs  # noqa: E402
from relevance_eval.exporters.onnx import (  # noqa: E402
    export_continued,
    export_graph,
    save_graph,
)
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


def causal(name: str, folder: Path, tiny_decoder: Path) -> Student:
    """A model of three layers with random weights, whose heads share keys and values by twos."""
    import transformers

    base = transformers.AutoConfig.from_pretrained(tiny_decoder)
    sizes = {
        "vocab_size": base.vocab_size,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 64,
        "initializer_range": 0.1,
        "pad_token_id": 0,
    }
    if name == "Phi3":  # as in Phi-3.5-mini, whose rotary factors depend on the length
        sizes |= {
            "max_position_embeddings": 512,
            "original_max_position_embeddings": 256,
            "rope_scaling": {
                "type": "longrope",
                "short_factor": [1.0, 1.1, 1.2, 1.5],
                "long_factor": [1.0, 2.0, 4.0, 8.0],
            },
        }
    config = getattr(transformers, f"{name}Config")(**sizes)
    torch.manual_seed(0)
    getattr(transformers, f"{name}ForCausalLM")(config).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / file).write_bytes((tiny_decoder / file).read_bytes())
    return make(folder, "decoder")


@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Phi3"])
def test_prompts_that_share_their_beginning_have_the_logits_of_whole_ones(
    name: str, tiny_decoder: Path, tmp_path: Path
) -> None:
    student = causal(name, tmp_path / "base", tiny_decoder)
    before = [3, 4, 5, 6]
    session = SharedPrompt(
        Session(export_continued(student.module, tmp_path), "logits", threads=1),  # type: ignore[arg-type]
        before,
    )
    inputs = [
        Input([*before, *query, *item.ids], [0] * (4 + len(query)) + [1] * len(item.ids))
        for query in ([7] * 12, [9, 8, 7], [2, 1])
        for item in of_lengths(student, 1, 2, 9, 20, 40)
    ]
    inputs.append(Input([*before, 11, 5], [0] * 5 + [1]))  # the only document of its query
    expected = student.logits(inputs)
    found = {
        i: row
        for batch, rows in session.outputs(inputs)
        for i, row in zip(batch, rows, strict=True)
    }
    together = np.array([found[i] for i in range(len(inputs))])
    assert np.ptp(expected, axis=0).min() > 1e-3
    assert together == pytest.approx(expected, abs=1e-4)
    alone = [rows[0] for item in inputs for _, rows in session.outputs([item])]
    assert np.array(alone) == pytest.approx(together, abs=1e-4)
    assert session.run(inputs) == pytest.approx(expected, abs=1e-4)  # with no past at all


def test_a_graph_with_a_past_gives_what_it_reads(tiny_decoder: Path, tmp_path: Path) -> None:
    student = causal("Llama", tmp_path / "base", tiny_decoder)
    runtime: Any = onnxruntime
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        export_continued(student.module, tmp_path / folder)  # type: ignore[arg-type]
    content = (tmp_path / "one" / "model.onnx").read_bytes()
    assert content == (tmp_path / "two" / "model.onnx").read_bytes()
    session = runtime.InferenceSession(content)
    parts = [f"{layer}.{part}" for layer in range(3) for part in ("key", "value")]
    pasts = [f"past_key_values.{part}" for part in parts]
    assert [i.name for i in session.get_inputs()] == ["input_ids", "attention_mask", *pasts]
    outputs = ["logits", *(f"present.{part}" for part in parts)]
    assert [o.name for o in session.get_outputs()] == outputs
    assert {tuple(i.shape) for i in session.get_inputs()[2:]} == {(1, 2, "past", 8)}


def test_an_attention_that_keeps_no_such_past_is_told(
    tiny_encoder: Path, tmp_path: Path, complains: Complains
) -> None:
    from transformers import BertLMHeadModel

    from relevance_eval.exporters.students.decoder import Decoder

    model = Decoder(BertLMHeadModel.from_pretrained(tiny_encoder), range(4))
    with complains(ExportError, "it has no ONNX form", code=5, where="Decoder", remedy="train"):
        export_continued(model, tmp_path)


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
