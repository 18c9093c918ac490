"""Batches under a token budget, and models that are not what is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.session import (
    OPENVINO,
    PROCESSOR_BUDGET,
    Input,
    Session,
    batches,
    has_bfloat16,
    loaded,
    openvino_hint,
    providers_for,
    rounding,
)

Complains = Callable[..., Any]
Folder = Callable[..., Path]

WORDS = {"one": [1.0, 10.0], "two": [2.0, 20.0], "[PAD]": [99.0, 99.0]}


def of_lengths(lengths: Sequence[int]) -> list[Input]:
    return [Input([1] * n, [0] * n) for n in lengths]


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(1, 200))
def test_batches_hold_every_input_once_under_the_budget_and_shortest_first(
    lengths: list[int], budget: int
) -> None:
    found = list(batches(of_lengths(lengths), budget))
    flat = [position for batch in found for position in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths)
    assert all(batch for batch in found)
    for batch in found:
        padded = len(batch) * max(lengths[i] for i in batch)
        assert padded <= budget or len(batch) == 1


def test_a_batch_is_filled_before_the_next_begins() -> None:
    assert list(batches(of_lengths([5, 2, 2, 2, 9]), 6)) == [[1, 2, 3], [0], [4]]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_outputs_belong_to_their_inputs_however_they_are_batched(
    write_folder: Folder, threads: int
) -> None:
    session = Session(write_folder(WORDS) / "model.onnx", "logits", threads)
    inputs = [Input([2000] * n + [2001], [0] * (n + 1)) for n in range(1, 90)]
    found: dict[int, list[float]] = {}
    for batch, output in session.outputs(inputs):
        assert len(batch) == len(output)
        found |= zip(batch, output.tolist(), strict=True)
    assert found == {i: [n + 2.0, 10.0 * n + 20] for i, n in enumerate(range(1, 90))}
    assert list(session.outputs([])) == []


def test_segments_reach_a_model_that_wants_them(
    write_folder: Folder, write_model: Callable[..., None], tmp_path: Path
) -> None:
    """This model looks up segments, of which padding has 0."""
    path = tmp_path / "segments.onnx"
    names = ("token_type_ids", "attention_mask", "input_ids")
    table = np.array([[0.0], [1.0]], np.float32)
    write_model(path, table, output="y", summed=True, inputs=names)
    session = Session(path, "y", 1)
    found = session.run([Input([7, 7, 7], [0, 1, 1]), Input([7], [1])])
    assert found.tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_a_file_that_is_no_model(tmp_path: Path, complains: Complains, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with complains(LabelerError, "ONNX Runtime cannot load it", code=2, where=str(path)):
        Session(path, "logits")


@pytest.mark.parametrize(
    ("options", "output", "has"),
    [
        ({}, "scores", "has attention_mask, input_ids and logits"),
        ({"inputs": ("ids", "mask")}, "logits", "has ids, mask and logits"),
        ({"inputs": ("input_ids", "mask")}, "logits", "has input_ids, mask and logits"),
    ],
)
def test_a_model_with_other_inputs_or_outputs(
    write_folder: Folder, complains: Complains, options: dict[str, Any], output: str, has: str
) -> None:
    path = write_folder(WORDS, model=options) / "model.onnx"
    with complains(LabelerError, has, code=2, where=str(path)) as caught:
        Session(path, output)
    assert f"output {output!r}" in caught.value.message


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"inputs": ("input_ids", "attention_mask", "position_ids")}, "position_ids as tensor(int"),
        ({"kind": "INT32"}, "input_ids as tensor(int32)"),
    ],
)
def test_inputs_that_a_model_is_not_given_are_told_when_it_is_loaded(
    write_folder: Folder, complains: Complains, options: dict[str, Any], asked: str
) -> None:
    path = write_folder(WORDS, model=options) / "model.onnx"
    says, remedy = f"the model asks for {asked}", "export the model anew"
    with complains(LabelerError, says, code=2, where=str(path), remedy=remedy):
        Session(path, "logits")


def test_a_text_that_the_model_cannot_take(write_folder: Folder, complains: Complains) -> None:
    """Its table ends before this token, as position tables end at 512."""
    path = write_folder(WORDS, rows=2001) / "model.onnx"
    session = Session(path, "logits", 1)
    says, remedy = "the model cannot run on 1 tokens", "lower max_tokens"
    with complains(LabelerError, says, code=2, where=str(path), remedy=remedy):
        list(session.outputs([Input([2001], [0])]))


CUDA, PROCESSOR = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("available", "hint", "first"),
    [
        ([PROCESSOR], "bf16", PROCESSOR),
        ([OPENVINO, PROCESSOR], None, PROCESSOR),
        ([OPENVINO, PROCESSOR], "bf16", OPENVINO),
        ([OPENVINO, PROCESSOR], "f32", OPENVINO),
        ([CUDA, OPENVINO, PROCESSOR], "bf16", CUDA),
    ],
)
def test_openvino_is_taken_where_it_is_faster_and_never_before_a_gpu(
    available: list[str], hint: str | None, first: str
) -> None:
    found = [p if isinstance(p, str) else p[0] for p in providers_for(available, hint, 2)]
    assert found[0] == first
    assert found[-1] == PROCESSOR


def test_openvino_gets_as_many_streams_as_there_are_batches_at_a_time() -> None:
    (_, options), *_ = providers_for([OPENVINO, PROCESSOR], "bf16", 3)
    assert isinstance(options, dict)
    assert json.loads(options["load_config"]) == {"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}
    assert options["num_streams"] == options["num_of_threads"] == "3"


@pytest.mark.parametrize(
    ("flags", "known"),
    [("fpu avx512f avx512_bf16 vnni", True), ("fpu amx_bf16", True), ("avx512_bf16x", False)],
)
def test_a_processor_with_bfloat16_is_known_by_its_flags(
    flags: str, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="utf-8")
    monkeypatch.setattr(f"{Session.__module__}.PROCESSOR_FLAGS", file)
    assert has_bfloat16() is known


def test_a_system_that_does_not_tell_its_processor_has_no_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.PROCESSOR_FLAGS", tmp_path / "none")
    assert not has_bfloat16()


@pytest.mark.parametrize(
    ("content", "scale"),
    [
        (b"MatMul", None),
        (b"MatMul DequantizeLinear", None),
        (b"QuantizeLinear DequantizeLinear MatMul", "fixed"),
        (b"DynamicQuantizeLinear MatMulInteger", "batch"),
        (b"QuantizeLinear DynamicQuantizeLinear", "batch"),
        (b"DynamicQuantizeMatMul", "batch"),  # as ONNX Runtime saves what it has optimized
    ],
)
def test_a_graph_tells_by_its_operators_how_it_rounds(
    tmp_path: Path, content: bytes, scale: str | None
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08" * 100 + content + b"\x00" * 9)
    assert rounding(path) == scale


@pytest.mark.parametrize(
    ("bfloat16", "scale", "hint"),
    [
        (True, None, "bf16"),
        (False, None, None),
        (True, "fixed", "bf16"),
        (False, "fixed", "f32"),
        (True, "batch", None),
        (False, "batch", None),
    ],
)
def test_openvino_computes_in_bfloat16_where_it_can_and_whole_numbers_anywhere(
    bfloat16: bool, scale: Any, hint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.has_bfloat16", lambda: bfloat16)
    assert openvino_hint(scale) == hint


@pytest.mark.parametrize(("exact", "hint"), [(True, None), (False, "f32")])
def test_a_session_is_exact_where_that_is_asked_for(
    exact: bool,
    hint: str | None,
    told: list[str | None],
    write_folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.rounding", lambda path: "fixed")
    monkeypatch.setattr(f"{Session.__module__}.has_bfloat16", lambda: False)
    session = Session(write_folder(WORDS) / "model.onnx", "logits", 1, exact)
    assert told == [hint]
    assert session.arithmetic is None  # the processor's own provider was given
    assert session.budget == PROCESSOR_BUDGET


def test_a_graph_with_a_scale_for_each_batch_reads_one_input_at_a_time(
    write_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.rounding", lambda path: "batch")
    session = Session(write_folder(WORDS) / "model.onnx", "logits", 1)
    found = [batch for batch, _ in session.outputs(of_lengths([3, 3, 2]))]
    assert found == [[2], [0], [1]]


@pytest.mark.parametrize("exact", [True, False])
def test_a_labeler_asks_for_bfloat16_unless_it_is_to_be_exact(
    exact: bool, told: list[str | None], write_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.has_bfloat16", lambda: True)
    load_labeler(str(write_folder(WORDS)), exact=exact)
    assert told == [None if exact else "bf16"]


def test_a_provider_that_refuses_the_graph_makes_way_for_the_next(
    write_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_folder(WORDS) / "model.onnx"
    real: Any = onnxruntime.InferenceSession
    tried: list[Any] = []

    def strict(file: str, options: Any, *, providers: Sequence[str], **rest: Any) -> Any:
        tried.append(list(providers))
        if providers[0] == OPENVINO:
            raise RuntimeError("an operator it does not have")
        return real(file, options, providers=list(providers), **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", strict)
    found = loaded(path, onnxruntime.SessionOptions(), [OPENVINO, PROCESSOR])
    assert found.get_providers() == [PROCESSOR]
    assert tried == [[OPENVINO, PROCESSOR], [PROCESSOR]]
