"""A causal model's graph behind the labeler, and models of other widths and sizes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.session import Input, Session
from relevance_eval.evaluators.pair import Pair

onnx = pytest.importorskip("onnx", reason="needs relevance-eval[test]")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT, INT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.FLOAT16

MakePair = Callable[..., Pair]
WriteTokenizer = Callable[..., dict[str, int]]
WORDS = ["query:", "document:", "grade:", "vpn", "leave", "other"]
ROWS = {"vpn": [0.0, 0.0, 0.0, 4.0], "leave": [4.0, 0.0, 0.0, 0.0], "grade:": [0.0, 0.5, 0.0, 0.0]}


def save_last_token_model(path: Path, table: Any, kind: int = FLOAT) -> None:
    """Logits are the sum of the rows of the last token and of the one two places before it.

    As in a decoder, an answer depends on where the text ends: what is read at the end of the
    padded row, or without the mask, is the row of token 0.
    """
    numbers = [("one", [1]), ("three", [3]), ("axis", [1])]
    tensors = [
        numpy_helper.from_array(table.astype(np.float16 if kind == HALF else np.float32), "table"),
        *(numpy_helper.from_array(np.array(v, np.int64), name) for name, v in numbers),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["length"], keepdims=1),
        helper.make_node("Sub", ["length", "one"], ["last"]),
        helper.make_node("Sub", ["length", "three"], ["before"]),
        helper.make_node("Concat", ["last", "before"], ["places"], axis=1),
        helper.make_node("GatherElements", ["input_ids", "places"], ["picked"], axis=1),
        helper.make_node("Gather", ["table", "picked"], ["rows"], axis=0),
        helper.make_node("ReduceSum", ["rows", "axis"], ["logits"], keepdims=0),
    ]
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "decoder",
        [helper.make_tensor_value_info(n, INT, shape) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", kind, ["batch", 4])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


@pytest.fixture
def write_decoder(tmp_path: Path, write_tokenizer: WriteTokenizer) -> Callable[..., Path]:
    def write(name: str = "decoder", kind: int = FLOAT) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        ids = write_tokenizer(folder / "tokenizer.json", WORDS)
        table = np.zeros((2500, 4))
        table[0] = 99.0  # padding: to read it is to fail
        for word, row in ROWS.items():
            table[ids[word]] = row
        save_last_token_model(folder / "model.onnx", table, kind)
        manifest = {
            "schema": "relevance-eval/labeler/1",
            "architecture": "decoder",
            "name": "decoder",
            "frame": ["query:", "document:", "other grade:"],
            "max_tokens": {"query": 4, "body": 6},
            "fields": [["body", ""]],
            "output": "logits",
            "temperature": 2.0,
            "cuts": [0.5, 1.0, 2.5],
        }
        (folder / "labeler.json").write_text(json.dumps(manifest))
        return folder

    return write


def softmax(logits: list[float]) -> list[float]:
    powers = np.exp(np.array(logits) / 2.0)
    return list(powers / powers.sum())


def test_a_decoder_is_read_at_its_last_token_whatever_its_neighbours_length(
    write_decoder: Callable[..., Path], pair: MakePair
) -> None:
    labeler = load_labeler(str(write_decoder()))
    pairs = [
        pair("vpn", body="vpn"),
        pair("vpn", body="other other other other leave"),
        pair("vpn vpn vpn", body="other other other other other vpn"),
    ]
    together = dict(labeler.label(pairs))
    alone = [dict(labeler.label([p]))[0] for p in pairs]
    # the last token is the frame's, the one two places before it ends the document
    high, low = softmax([0.0, 0.5, 0.0, 4.0]), softmax([4.0, 0.5, 0.0, 0.0])
    for position, expected in enumerate((high, low, high)):
        assert together[position].probabilities == pytest.approx(expected, abs=1e-6)
        assert alone[position].probabilities == pytest.approx(expected, abs=1e-6)
    assert [together[i].named for i in range(3)] == [2, 1, 2]


def test_a_model_in_float16_grades_as_one_in_float32(
    write_decoder: Callable[..., Path], pair: MakePair
) -> None:
    pairs = [pair("vpn", body="vpn"), pair("vpn", body="leave")]
    whole = dict(load_labeler(str(write_decoder())).label(pairs))
    half = dict(load_labeler(str(write_decoder("half", HALF))).label(pairs))
    for position in range(2):
        assert half[position].probabilities == pytest.approx(
            whole[position].probabilities, abs=1e-3
        )


def test_answers_are_float32_whatever_the_model_computes_in(
    write_decoder: Callable[..., Path],
) -> None:
    session = Session(write_decoder("half", HALF) / "model.onnx", "logits", threads=1)
    assert session.run([Input([1, 2, 3], [0, 0, 0])]).dtype == np.float32


def split(folder: Path) -> None:
    """Moves the weights into model.onnx_data."""
    model = onnx.load(str(folder / "model.onnx"))
    onnx.save(
        model,
        str(folder / "model.onnx"),
        save_as_external_data=True,
        location="model.onnx_data",
    )


def test_weights_beside_the_model_are_read_and_are_part_of_the_fingerprint(
    write_decoder: Callable[..., Path], pair: MakePair
) -> None:
    folder = write_decoder()
    pairs = [pair("vpn", body="vpn")]
    whole = dict(load_labeler(str(folder)).label(pairs))[0]
    split(folder)
    labeler = load_labeler(str(folder))
    assert dict(labeler.label(pairs))[0].probabilities == whole.probabilities
    beside = folder / "model.onnx_data"
    beside.write_bytes(beside.read_bytes()[:-1] + b"\x01")
    assert load_labeler(str(folder)).fingerprint != labeler.fingerprint


def test_a_fingerprint_is_that_of_names_lengths_and_contents(
    write_decoder: Callable[..., Path],
) -> None:
    folder = write_decoder()
    digest = hashlib.sha256()
    for name in ("labeler.json", "model.onnx", "tokenizer.json"):
        content = (folder / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    assert load_labeler(str(folder)).fingerprint == digest.hexdigest()


def test_a_decoder_is_never_computed_in_bfloat16(
    told: list[str | None], write_decoder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{Session.__module__}.has_bfloat16", lambda: True)
    load_labeler(str(write_decoder()))
    assert told == [None]
