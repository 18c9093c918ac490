"""Ways of storing a graph in fewer bytes, each from one path to another."""

# ONNX's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportAttributeAccessIssue=false, reportUnknownLambdaType=false

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnx.version_converter
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from relevance_eval.errors import DependencyError, ExportError
from relevance_eval.evaluators.labelers.session import Input, padded
from relevance_eval.exporters.onnx import quiet, reason, save_graph
from relevance_eval.exporters.settings import Precision

__all__ = [
    "FORMS",
    "RANGED",
    "Form",
    "blockwise",
    "dynamic",
    "half",
    "static",
    "store_rows_as_int8",
    "weights_only",
]

Form = Callable[[Path, Path], None]
"""Reads the float32 graph of the first path and writes another to the second."""
RANGED = 64
"""Texts that give good ranges to `static`."""
SCALES_BY_COLUMN = 13
"""Version of ONNX's operators from which QuantizeLinear takes a scale for each column."""
LEAST_BLOCKED = 16
"""Columns of a matrix below which it is left as it is: the grades' own has four."""


def word_table(graph: onnx.GraphProto) -> tuple[onnx.NodeProto, onnx.TensorProto]:
    """The Gather of the word embeddings and its table, the largest in the graph.

    Raises ExportError if there is none.
    """
    tables = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    gathers = [n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables]
    if not gathers:
        raise ExportError("the graph has no table of word embeddings", remedy="leave it in float32")
    node = max(gathers, key=lambda n: tables[n.input[0]].dims[0])
    return node, tables[node.input[0]]


def rows_to_int8(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row [D] to int8 by a scale of its own [rows, 1]."""
    scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127.0
    return np.round(table / scale).astype(np.int8), scale.astype(np.float32)


def store_rows_as_int8(model: onnx.ModelProto) -> None:
    """Replace the word embeddings by int8 rows, gathered and then scaled by row."""
    graph = model.graph
    node, tensor = word_table(graph)
    rows, scale = rows_to_int8(numpy_helper.to_array(tensor))
    graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(rows, "words.rows"))
    graph.initializer.append(numpy_helper.from_array(scale, "words.scale"))
    ids, output = node.input[1], node.output[0]
    place = list(graph.node).index(node)
    graph.node.remove(node)
    replacement = [
        helper.make_node("Gather", ["words.rows", ids], ["words.picked"], axis=0),
        helper.make_node("Cast", ["words.picked"], ["words.float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", ["words.scale", ids], ["words.row_scale"], axis=0),
        helper.make_node("Mul", ["words.float", "words.row_scale"], [output]),
    ]
    for offset, new in enumerate(replacement):
        graph.node.insert(place + offset, new)


def weights_as_int8(model: onnx.ModelProto) -> None:
    """Store each MatMul's weight as int8 by output column, turned back to float32 on loading.

    The runtime folds Cast and Mul of constants once when the session starts, so it computes
    in float32: no activation is ever rounded.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "MatMul" and n.input[1] in tensors]:
        name = node.input[1]
        tensor = tensors.pop(name)
        rows, scale = rows_to_int8(numpy_helper.to_array(tensor).T)
        graph.initializer.remove(tensor)
        for part, array in (("q", rows.T), ("s", scale.T)):
            contiguous = np.ascontiguousarray(array)
            graph.initializer.append(numpy_helper.from_array(contiguous, f"{name}.{part}"))
        place = list(graph.node).index(node)
        cast = helper.make_node("Cast", [f"{name}.q"], [f"{name}.f"], to=onnx.TensorProto.FLOAT)
        graph.node.insert(place, cast)
        graph.node.insert(place + 1, helper.make_node("Mul", [f"{name}.f", f"{name}.s"], [name]))


def unchanged(source: Path, target: Path) -> None:
    """float32 as it is."""
    save_graph(onnx.load(str(source)), target)


def weights_only(source: Path, target: Path) -> None:
    """int8 storage of all weights, float32 arithmetic."""
    model = onnx.load(str(source))
    store_rows_as_int8(model)
    weights_as_int8(model)
    save_graph(model, target)


def dynamic(source: Path, target: Path) -> None:
    """ONNX Runtime's dynamic quantization: 7-bit weights by column, activations by batch.

    The eighth bit would overflow on processors without VNNI, and one fingerprint must grade the
    same on all of them.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        rows, small = Path(folder) / "rows.onnx", Path(folder) / "small.onnx"
        model = onnx.load(str(source))
        store_rows_as_int8(model)
        save_graph(model, rows)
        with quiet():
            quantize_dynamic(
                rows,
                small,
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul"],
                use_external_data_format=rows.with_name("rows.onnx_data").exists(),
            )
        save_graph(onnx.load(str(small)), target)


def static(inputs: Sequence[Input]) -> Form:
    """`nncf`'s recipe for transformers: 7-bit weights by column, activations by fixed ranges.

    Large activations are evened out first (SmoothQuant, Xiao et al. 2023), and biases corrected
    afterwards for what rounding has shifted. Seven bits for the same reason as in `dynamic`. What
    is computed once for a pair (Gemm: the pooled state and the logits) stays float32: rounding it
    would save nothing and make up a quarter of the error.

    The graph runs fastest by ONNX Runtime's OpenVINO provider. The same packages on the same kind
    of processor write the same bytes: ranges are what it computes.

    Args:
        inputs: what the ranges come from, `RANGED` or so.
    """

    def quantize(source: Path, target: Path) -> None:
        model = onnx.load(str(source))
        names = {item.name for item in model.graph.input}
        feeds = [{k: v for k, v in padded([one]).items() if k in names} for one in inputs]
        try:
            with quiet(), redirect_stdout(io.StringIO()):  # it draws bars
                small = with_fixed_ranges(model, feeds)
        except DependencyError:
            raise
        except Exception as error:  # the library's exceptions share no base
            raise ExportError(
                f"the graph has no int8-static form: {reason(error)}",
                remedy="choose the precision int8",
            ) from error
        save_graph(small, target)

    return quantize


def with_fixed_ranges(
    model: onnx.ModelProto, feeds: Sequence[Mapping[str, NDArray[np.int64]]]
) -> onnx.ModelProto:
    """What `nncf` makes of the graph, from inputs by name. Raises DependencyError without it, and
    what it raises."""
    # Where this package cannot be imported, from here on in this process, `nncf` neither tells its
    # makers that it is used nor leaves a number of the machine in the home folder.
    cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)
    try:
        import nncf
        from nncf.quantization.advanced_parameters import (
            AdvancedQuantizationParameters,
            OverflowFix,
        )
    except ImportError:
        raise DependencyError.for_extra("train", "precision int8-static") from None

    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if min(versions, default=SCALES_BY_COLUMN) < SCALES_BY_COLUMN:
        model = onnx.version_converter.convert_version(model, SCALES_BY_COLUMN)
    return nncf.quantize(
        model,
        nncf.Dataset(feeds),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(feeds),
        ignored_scope=nncf.IgnoredScope(types=["Gemm"], validate=False),
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
    )


def blockwise(bits: int, block: int, accuracy: int) -> Form:
    """MatMulNBits: weights of 4 or 8 bits by blocks of `block`, activations rounded by block and
    row (accuracy 4) or not at all (accuracy 0 or 1)."""

    def quantize(source: Path, target: Path) -> None:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        model = onnx.load(str(source))
        store_rows_as_int8(model)
        with quiet():
            quantizer = MatMulNBitsQuantizer(
                model,
                bits=bits,
                block_size=block,
                is_symmetric=True,
                accuracy_level=accuracy,
                nodes_to_exclude=narrow(model),
            )
            quantizer.process()
        save_graph(quantizer.model.model, target)

    return quantize


def narrow(model: onnx.ModelProto) -> list[str]:
    """Names of the MatMuls with few columns, where a block saves nothing and costs accuracy."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and node.input[1] in shapes
        and shapes[node.input[1]][-1] < LEAST_BLOCKED
    ]


def half(source: Path, target: Path) -> None:
    """float16 weights and arithmetic; inputs and outputs stay as they are."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        model = convert_float_to_float16(
            onnx.load(str(source)), keep_io_types=True, max_finite_val=65504.0
        )
    save_graph(model, target)


FORMS: Mapping[Precision, Form] = {
    "fp32": unchanged,
    "fp16": half,
    "int8-weights": weights_only,
    "int8": dynamic,
    "int4": blockwise(4, 32, 4),
}
"""How each precision of a labeler is written but `int8-static`, which needs texts: see `static`."""
