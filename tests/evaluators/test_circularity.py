"""A ranker built on the labeler's model is recognised by its weights, its file, or its word."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from relevance_eval.errors import InputError
from relevance_eval.evaluators.circularity import Kinship, Relative, kindred, print_model

BUILTIN = Path(str(resources.files("relevance_eval.builtin_labeler"))) / "model.onnx"
TABLE = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
WriteModel = Callable[..., None]


@pytest.fixture
def written(tmp_path: Path, write_model: WriteModel) -> Callable[..., Path]:
    """The path of a new model with this table."""

    def write(name: str, table: npt.NDArray[np.float32] = TABLE, output: str = "states") -> Path:
        write_model(tmp_path / name, table, output=output)
        return tmp_path / name

    return write


def test_a_print_holds_the_file_and_its_large_float_weights(
    written: Callable[..., Path],
) -> None:
    path = written("a.onnx")
    found = print_model(path, "owner/base")
    assert found.file == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.tensors == {hashlib.sha256(TABLE.tobytes()).hexdigest()}
    assert found.base == "owner/base"


def test_every_float_weight_that_onnx_reads_is_in_the_print() -> None:
    onnx: Any = pytest.importorskip("onnx", reason="needs relevance-eval[test]")
    arrays = [
        onnx.numpy_helper.to_array(t)
        for t in onnx.load(BUILTIN).graph.initializer
        if t.data_type == onnx.TensorProto.FLOAT
    ]
    large = [a.tobytes() for a in arrays if a.nbytes >= 256 and np.ptp(a) > 0]
    assert print_model(BUILTIN).tensors == {hashlib.sha256(b).hexdigest() for b in large}
    assert len(large) > 90


def test_the_labelers_own_file_is_the_same(written: Callable[..., Path]) -> None:
    labeler = print_model(written("a.onnx"))
    copy = print_model(written("b.onnx"))
    assert kindred(labeler, {"copy": copy}) == [Kinship("copy", Relative.SAME, 1.0)]


def test_another_model_of_the_same_weights_has_the_same_base(written: Callable[..., Path]) -> None:
    labeler = print_model(written("a.onnx"))
    other = print_model(written("b.onnx", output="logits"))
    (found,) = kindred(labeler, {"hybrid": other})
    assert found == Kinship("hybrid", Relative.BASE, 1.0)
    assert "hybrid ranks by a model with 100 % of the labeler's float weights" in str(found)


def test_a_model_of_other_weights_is_no_relative(written: Callable[..., Path]) -> None:
    labeler, other = print_model(written("a.onnx")), print_model(written("b.onnx", TABLE + 1))
    assert kindred(labeler, {"vector": other}) == []


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("owner/MiniLM-L6", "mirror/minilm-l6", True),
        ("MiniLM-L6", "owner/MiniLM-L6", True),
        ("MiniLM-L6", "MiniLM-L12", False),
        ("MiniLM-L6", None, False),
        (None, None, False),
    ],
)
def test_a_base_that_was_trained_throughout_shows_if_both_declare_it(
    written: Callable[..., Path], one: str | None, other: str | None, related: bool
) -> None:
    labeler = print_model(written("a.onnx"), one)
    ranker = print_model(written("b.onnx", TABLE * 2), other)
    expected = [Kinship("vector", Relative.DECLARED, 0.0)] if related else []
    assert kindred(labeler, {"vector": ranker}) == expected


def test_weights_that_are_all_one_value_make_no_relatives(written: Callable[..., Path]) -> None:
    ones = np.ones((40, 8), dtype=np.float32)
    labeler = print_model(written("a.onnx", ones))
    assert labeler.tensors == frozenset()
    assert kindred(labeler, {"r": print_model(written("b.onnx", ones, "logits"))}) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"# A read-me\n", b"\x3a\xff", b"\x3a\xff\xff\xff\xff\x0fshort", b"\xff" * 30],
    ids=["empty", "text", "no end", "cut off", "endless number"],
)
def test_a_file_that_is_no_model_is_told(
    tmp_path: Path, explained: Callable[..., None], content: bytes
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        print_model(path)
    explained(caught.value, code=2, where=str(path), says="not an ONNX model")


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        print_model(tmp_path / "model.onnx")
