"""Smaller forms of a graph: what they weigh, and how far they are from it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from relevance_eval.errors import DependencyError, ExportError  # noqa: E402
from relevance_eval.evaluators.labelers.decoder import SharedPrompt  # noqa: E402
from relevance_eval.evaluators.labelers.session import (  # noqa: E402
    OPENVINO,
    Input,
    Session,
    rounding,
)
from relevance_eval.exporters import onnx as graphs  # noqa: E402
from relevance_eval.exporters.onnx import export_continued, export_graph  # noqa: E402
from relevance_eval.exporters.quantize import (  # noqa: E402
    FORMS,
    blockwise,
    static,
    store_rows_as_int8,
)
from relevance_eval.exporters.settings import TrainSettings  # noqa: E402
from relevance_eval.exporters.students.student import new_student  # noqa: E402

Complains = Callable[..., Any]
LAYERS = 2
"""Of the tiny encoder, each with two products that hold no weight."""


@pytest.fixture(scope="module")
def plain(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_decoder: Path
) -> dict[str, Path]:
    """Graphs in float32."""
    found: dict[str, Path] = {}
    for kind, base in (("encoder", tiny_encoder), ("decoder", tiny_decoder)):
        settings = TrainSettings(kind=kind, base=str(base), max_tokens=112)  # type: ignore[arg-type]
        student = new_student(settings, base_folder=base, seed=0)
        found[kind] = export_graph(student.module, tmp_path_factory.mktemp(kind))
    folder = tmp_path_factory.mktemp("continued")
    found["continued"] = export_continued(student.module, folder)  # type: ignore[arg-type]
    return found


def inputs() -> list[Input]:
    rng = np.random.default_rng(0)
    return [Input(rng.integers(1, 12, n).tolist(), [0] * n) for n in (3, 9, 20, 33)]


def logits(path: Path) -> Any:
    return Session(path, "logits", threads=1).run(inputs())


def weight_types(path: Path) -> set[str]:
    """Types of all tensors of more than 64 numbers."""
    return {
        onnx.TensorProto.DataType.Name(t.data_type)
        for t in onnx.load(str(path)).graph.initializer
        if np.prod(t.dims) > 64
    }


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("precision", "far"),
    [("fp32", 0.0), ("fp16", 0.02), ("int8-weights", 0.1), ("int8", 0.25), ("int4", 0.5)],
)
def test_a_form_is_near_the_graph_and_no_larger(
    plain: dict[str, Path], tmp_path: Path, kind: str, precision: str, far: float
) -> None:
    path = tmp_path / "model.onnx"
    FORMS[precision](plain[kind], path)  # type: ignore[index]
    found, expected = logits(path), logits(plain[kind])
    assert found.dtype == np.float32
    spread = np.abs(expected).max()
    assert np.abs(found - expected).max() <= far * spread
    if precision != "fp32":
        assert (found != expected).any()
        assert path.stat().st_size < plain[kind].stat().st_size


@pytest.mark.parametrize(
    ("precision", "far"), [("fp32", 1e-6), ("fp16", 0.02), ("int8-weights", 1e-5), ("int4", 1e-5)]
)
def test_a_form_with_a_past_gives_the_logits_of_the_one_without(
    plain: dict[str, Path], tmp_path: Path, precision: str, far: float
) -> None:
    """These round no activation, or each token's by itself, so that nothing hangs on what is read
    together. `int8` rounds all those of a batch by one scale."""
    for name, kind in (("whole", "decoder"), ("shared", "continued")):
        FORMS[precision](plain[kind], tmp_path / f"{name}.onnx")  # type: ignore[index]
    beginning = [3, 4, 5, 6, 7] * 4
    asked = [
        Input([*beginning, *item.ids], [0] * 20 + [1] * len(item.ids)) for item in inputs() * 2
    ]
    expected = Session(tmp_path / "whole.onnx", "logits", threads=1).run(asked)
    session = SharedPrompt(Session(tmp_path / "shared.onnx", "logits", threads=1), beginning[:10])
    found = {
        i: row for batch, rows in session.outputs(asked) for i, row in zip(batch, rows, strict=True)
    }
    for place, row in enumerate(expected):
        assert found[place] == pytest.approx(row, abs=far * float(np.abs(expected).max()))


@pytest.mark.parametrize("kind", ["encoder", "decoder", "continued"])
@pytest.mark.parametrize("precision", ["fp32", "int8-weights", "int8", "int4"])
def test_an_answer_does_not_depend_on_its_neighbours(
    plain: dict[str, Path], tmp_path: Path, kind: str, precision: str
) -> None:
    FORMS[precision](plain[kind], tmp_path / "model.onnx")  # type: ignore[index]
    session = Session(tmp_path / "model.onnx", "logits", threads=1)
    if kind == "continued":
        session = SharedPrompt(session, [3, 4, 5])
    beginning = [3, 4, 5, *[6, 7] * 20]
    asked = [Input([*beginning, *i.ids], [0] * 43 + [1] * len(i.ids)) for i in inputs() * 2]
    together = {
        i: row for batch, rows in session.outputs(asked) for i, row in zip(batch, rows, strict=True)
    }
    spread = max(float(np.abs(row).max()) for row in together.values())
    for place, item in enumerate(asked):
        ((_, alone),) = session.outputs([item])
        assert alone[0] == pytest.approx(together[place], abs=1e-4 * spread)


def test_fixed_ranges_come_from_the_texts_given_and_no_answer_hangs_on_its_neighbours(
    plain: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    static(inputs())(plain["encoder"], path)
    assert capfd.readouterr().out == ""
    assert rounding(path) == "fixed"
    assert "INT8" in weight_types(path)
    assert path.stat().st_size < plain["encoder"].stat().st_size
    session = Session(path, "logits", threads=1)
    found, expected = session.run(inputs()), logits(plain["encoder"])
    assert (found != expected).any()
    largest = float(np.abs(expected).max())
    assert np.abs(found - expected).max() <= 0.25 * largest
    for row, item in zip(found, inputs(), strict=True):
        assert session.run([item])[0] == pytest.approx(row, abs=1e-4 * largest)
    other = tmp_path / "other.onnx"
    static(inputs()[:1])(plain["encoder"], other)
    assert (logits(other) != found).any()


def test_the_same_texts_give_the_same_bytes(plain: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        static(inputs())(plain["encoder"], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_weights_with_fixed_ranges_have_seven_bits(plain: dict[str, Path], tmp_path: Path) -> None:
    """Sums of products of eight would overflow on processors without VNNI."""
    static(inputs())(plain["encoder"], tmp_path / "model.onnx")
    model = onnx.load(str(tmp_path / "model.onnx"))
    weights = [
        numpy_helper.to_array(tensor).astype(int)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8
        and len(tensor.dims) == 2
        and "embeddings" not in tensor.name  # looked up, not multiplied
    ]
    assert len(weights) == sum(node.op_type == "MatMul" for node in model.graph.node) - 2 * LAYERS
    assert {np.abs(weight).max() for weight in weights} == {64}


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_scales_are_by_column_in_graphs_of_older_operators_too(domain: str, tmp_path: Path) -> None:
    """Rerankers of a hub often have operators of version 11 or 12."""
    old = tmp_path / "old.onnx"
    module = torch.nn.Sequential(torch.nn.Embedding(2000, 16), torch.nn.Linear(16, 8))
    ids = torch.ones((1, 4), dtype=torch.int64)
    with pytest.warns():  # torch is about to change how it exports
        torch.onnx.export(
            module,
            (ids,),
            str(old),
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_axes={"input_ids": {0: "batch", 1: "tokens"}},
            opset_version=11,
            dynamo=False,
        )
    before = onnx.load(str(old))
    before.opset_import[0].domain = domain
    onnx.save(before, str(old))
    static(inputs())(old, tmp_path / "model.onnx")
    model = onnx.load(str(tmp_path / "model.onnx"))
    assert model.opset_import[0].version == 13
    zeros = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert [8] in [list(t.dims) for t in zeros]


def test_a_graph_that_the_library_cannot_take_is_said_so(
    plain: dict[str, Path], tmp_path: Path, complains: Complains, monkeypatch: pytest.MonkeyPatch
) -> None:
    nncf = pytest.importorskip("nncf", reason="needs relevance-eval[train]")

    def refuse(*_: Any, **__: Any) -> None:
        raise AttributeError("'NoneType' object has no attribute 'name'\nmore of it")

    monkeypatch.setattr(nncf, "quantize", refuse)
    says = "the graph has no int8-static form: 'NoneType' object has no attribute 'name'"
    with complains(ExportError, says, code=5, remedy="choose the precision int8"):
        static(inputs())(plain["encoder"], tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_without_the_library_the_extra_is_named(
    plain: dict[str, Path], tmp_path: Path, complains: Complains, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with complains(DependencyError, "int8-static needs", code=2, remedy="relevance-eval[train]"):
        static(inputs())(plain["encoder"], tmp_path / "model.onnx")


def test_the_library_leaves_no_identifier_at_home(plain: dict[str, Path], tmp_path: Path) -> None:
    """It knows a test when it sees one: so this is no test's process."""
    home = tmp_path / "home"
    home.mkdir()
    code = f"""
from pathlib import Path
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.exporters.quantize import static
source, target = Path({str(plain["encoder"])!r}), Path({str(tmp_path / "model.onnx")!r})
static([Input([2, 3, 4], [0, 0, 0])])(source, target)
"""
    told = ("PYTEST", "NNCF", "XDG", "CI", "TF_BUILD", "JENKINS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(told)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "HOME": str(home)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "model.onnx").exists()
    assert not (home / "intel").exists()


@pytest.mark.skipif(
    OPENVINO not in onnxruntime.get_available_providers(),
    reason="needs the package onnxruntime-openvino",
)
def test_openvino_computes_fixed_ranges_as_onnx_runtime_does(
    plain: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    static(inputs())(plain["encoder"], path)
    session = Session(path, "logits", threads=1, exact=False)
    assert session.arithmetic in ("bfloat16", "OpenVINO")
    found, expected = session.run(inputs()), logits(path)
    assert (found != expected).any()
    assert np.abs(found - expected).max() <= 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["encoder", "decoder", "continued"])
def test_each_form_stores_what_it_is_named_for(
    plain: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    found: dict[str, set[str]] = {}
    for precision, form in FORMS.items():
        form(plain[kind], tmp_path / "model.onnx")
        found[precision] = weight_types(tmp_path / "model.onnx")
    assert "FLOAT" in found["fp32"]
    assert "FLOAT16" in found["fp16"]
    assert "FLOAT" not in found["fp16"]
    assert "INT8" in found["int8-weights"]
    assert "INT8" in found["int8"]
    assert "UINT8" in found["int4"]


def test_the_same_graph_gives_the_same_bytes(plain: dict[str, Path], tmp_path: Path) -> None:
    for form in FORMS.values():
        for name in ("one.onnx", "two.onnx"):
            form(plain["decoder"], tmp_path / name)
        assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_int8_weights_use_seven_bits_as_the_eighth_overflows_without_vnni(
    plain: dict[str, Path], tmp_path: Path
) -> None:
    FORMS["int8"](plain["encoder"], tmp_path / "model.onnx")
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    weights = [
        numpy_helper.to_array(t)
        for t in graph.initializer
        if t.data_type == onnx.TensorProto.INT8 and t.name.endswith("_quantized")
    ]
    assert Counter(w.ndim for w in weights if w.size > 64)[2] >= 12  # six for each layer
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) <= 64


def test_the_grades_own_matrix_is_left_whole_by_blocks(
    plain: dict[str, Path], tmp_path: Path
) -> None:
    blockwise(4, 32, 4)(plain["decoder"], tmp_path / "model.onnx")
    kept = Counter(n.op_type for n in onnx.load(str(tmp_path / "model.onnx")).graph.node)
    assert kept["MatMulNBits"] == 7  # q, k, v, o, gate, up and down of the one layer
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    assert any(list(t.dims) == [32, 4] for t in graph.initializer)


def test_a_graph_above_one_files_size_is_made_smaller_too(
    plain: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for form in FORMS.values():
        whole, split = tmp_path / "whole.onnx", tmp_path / "split.onnx"
        form(plain["decoder"], whole)
        with monkeypatch.context() as small:
            small.setattr(graphs, "ONE_FILE", 1000)
            form(plain["decoder"], split)
        assert split.with_name("split.onnx_data").exists()
        assert (logits(split) == logits(whole)).all()


def test_a_graph_without_embeddings_cannot_have_smaller_ones(complains: Complains) -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [value])
    with complains(ExportError, "no table of word embeddings", code=5, remedy="float32"):
        store_rows_as_int8(helper.make_model(graph))
