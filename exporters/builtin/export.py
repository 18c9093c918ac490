"""From the trained encoder to an ONNX file that is small and the same on every machine."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from optimum.exporters.onnx import main_export
from transformers.models.bert.modeling_bert import BertModel

__all__ = ["SCHEMES", "export_float", "store_rows_as_int8"]

_OPSET = 18


def export_float(model: BertModel, base: Path, target: Path) -> Path:
    """Write the float32 graph `target`/model.onnx; its output is last_hidden_state."""
    weights = target / "torch"
    model.save_pretrained(str(weights))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        (weights / name).write_bytes((base / name).read_bytes())
    main_export(
        str(weights),
        target,
        task="feature-extraction",
        opset=_OPSET,
        library_name="transformers",
        do_validation=False,
    )
    return target / "model.onnx"


def _word_table(graph: onnx.GraphProto) -> tuple[onnx.NodeProto, onnx.TensorProto]:
    """The Gather of the word embeddings and its table, the largest in the graph."""
    tables = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    gathers = [n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables]
    if not gathers:
        raise ValueError("the graph has no embedding table")
    node = max(gathers, key=lambda n: tables[n.input[0]].dims[0])
    return node, tables[node.input[0]]


def _rows_to_int8(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row [D] to int8 by a scale of its own [rows, 1]."""
    scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127.0
    return np.round(table / scale).astype(np.int8), scale.astype(np.float32)


def store_rows_as_int8(model: onnx.ModelProto) -> None:
    """Replace the word embeddings by int8 rows, gathered and then scaled by row."""
    graph = model.graph
    node, tensor = _word_table(graph)
    rows, scale = _rows_to_int8(numpy_helper.to_array(tensor))
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


def _weights_as_int8(model: onnx.ModelProto) -> None:
    """Store each MatMul's weight as int8 by output column, turned back to float32 on loading.

    The runtime folds Cast and Mul of constants once when the session starts, so it computes
    in float32: no activation is ever rounded.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "MatMul" and n.input[1] in tensors]:
        name = node.input[1]
        tensor = tensors.pop(name)
        rows, scale = _rows_to_int8(numpy_helper.to_array(tensor).T)
        graph.initializer.remove(tensor)
        for part, array in (("q", rows.T), ("s", scale.T)):
            contiguous = np.ascontiguousarray(array)
            graph.initializer.append(numpy_helper.from_array(contiguous, f"{name}.{part}"))
        place = list(graph.node).index(node)
        cast = helper.make_node("Cast", [f"{name}.q"], [f"{name}.f"], to=onnx.TensorProto.FLOAT)
        graph.node.insert(place, cast)
        graph.node.insert(place + 1, helper.make_node("Mul", [f"{name}.f", f"{name}.s"], [name]))


def weights_only(source: Path, target: Path) -> None:
    """int8 storage of all weights, float32 arithmetic."""
    model = onnx.load(str(source))
    store_rows_as_int8(model)
    _weights_as_int8(model)
    onnx.save(model, str(target))


def dynamic(source: Path, target: Path) -> None:
    """ONNX Runtime's dynamic quantization: 7-bit weights by column, activations by batch."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.onnx"
        model = onnx.load(str(source))
        store_rows_as_int8(model)
        onnx.save(model, str(rows))
        quantize_dynamic(
            rows,
            target,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
        )


def blockwise(block: int, accuracy: int) -> Callable[[Path, Path], None]:
    """MatMulNBits: 8-bit weights by blocks of `block`, activations rounded by block and row
    (accuracy 4) or not at all (accuracy 0 or 1)."""

    def quantize(source: Path, target: Path) -> None:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        model = onnx.load(str(source))
        store_rows_as_int8(model)
        quantizer = MatMulNBitsQuantizer(
            model, bits=8, block_size=block, is_symmetric=True, accuracy_level=accuracy
        )
        quantizer.process()
        quantizer.model.save_model_to_file(str(target), use_external_data_format=False)

    return quantize


SCHEMES: Mapping[str, Callable[[Path, Path], None]] = {
    "weights only": weights_only,
    "dynamic": dynamic,
    "blockwise 32": blockwise(32, 4),
    "blockwise 128": blockwise(128, 4),
    "blockwise 128, float": blockwise(128, 1),
}
"""The ways of making the file small that were compared; each reads and writes a path."""
