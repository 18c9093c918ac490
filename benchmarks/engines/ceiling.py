"""The matrix products of the network and nothing else: no tool on the same libraries is faster.

No addition of biases, no softmax, no normalization, no activation, no word is looked up. Batches
are those of this project's labelers. In int8 the products with weights are; those of attention,
which no tool here rounds, stay float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .texts import FRAME, Shown, Text

__all__ = ["CEILINGS"]

LAYERS, WIDTH, INNER, HEADS = 6, 384, 1536, 12
WEIGHTS = ((WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, INNER), (INNER, WIDTH))
"""Rows and columns: query, key and value at once; attention's output; the inner layer, twice."""
Products = Callable[[int, int], None]
"""Computes those of one layer for a batch of this many texts of this many tokens."""


def shapes(texts: Sequence[Text]) -> Iterator[tuple[int, int]]:
    from relevance_eval.evaluators.labelers.session import PROCESSOR_BUDGET, Input, batches

    shown = Shown()
    lengths = [FRAME + shown.length(t.query) + shown.length(t.document) for t in texts]
    for batch in batches([Input([0] * n, []) for n in lengths], PROCESSOR_BUDGET):
        yield len(batch), max(lengths[i] for i in batch)


def torch_products(kind: str) -> Products:
    import torch

    dtype = getattr(torch, kind)
    weights = [torch.randn(shape, dtype=dtype) for shape in WEIGHTS]

    @torch.inference_mode()
    def layer(texts: int, tokens: int) -> None:
        for weight in weights:
            torch.mm(torch.ones((texts * tokens, weight.shape[0]), dtype=dtype), weight)
        heads = torch.ones((texts * HEADS, tokens, WIDTH // HEADS), dtype=dtype)
        torch.bmm(torch.bmm(heads, heads.transpose(1, 2)), heads)

    return layer


def matrix_product(kind: str, weight: npt.NDArray[Any]) -> Any:
    """A graph of one product with a constant on the right: MatMul, or MatMulInteger."""
    from onnx import TensorProto, helper, numpy_helper

    whole = kind == "MatMulInteger"
    takes, gives = (TensorProto.UINT8, TensorProto.INT32) if whole else (TensorProto.FLOAT,) * 2
    return helper.make_graph(
        [helper.make_node(kind, ["a", "w"], ["b"])],
        kind,
        [helper.make_tensor_value_info("a", takes, ["rows", weight.shape[0]])],
        [helper.make_tensor_value_info("b", gives, ["rows", weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )


def attention() -> Any:
    """A graph of the two products of attention, over [texts x heads, tokens, 32]."""
    from onnx import TensorProto, helper

    axes = ["heads", "tokens", WIDTH // HEADS]
    return helper.make_graph(
        [
            helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["a", "t"], ["s"]),
            helper.make_node("MatMul", ["s", "a"], ["b"]),
        ],
        "attention",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, axes)],
    )


def session(graph: Any) -> Any:
    """On one thread, as this project's labelers compute a batch."""
    import onnxruntime
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def runtime_products(product: str) -> Products:
    whole = product == "MatMulInteger"
    rng = np.random.default_rng(0)
    drawn = [rng.integers(-63, 64, size=shape) for shape in WEIGHTS]
    weights = [w.astype(np.int8 if whole else np.float32) for w in drawn]
    sessions = [session(matrix_product(product, w)) for w in weights]
    inner = session(attention())

    def layer(texts: int, tokens: int) -> None:
        for weight, one in zip(weights, sessions, strict=True):
            kind = np.uint8 if whole else np.float32
            one.run(None, {"a": np.ones((texts * tokens, weight.shape[0]), dtype=kind)})
        inner.run(None, {"a": np.ones((texts * HEADS, tokens, WIDTH // HEADS), np.float32)})

    return layer


def engine(folder: Path, make: Callable[[], Products], workers: int) -> Any:
    """Grades nothing: NaN for each text, after the products of all layers."""
    layer = make()
    known: dict[int, list[tuple[int, int]]] = {}

    def batch(shape: tuple[int, int]) -> None:
        for _ in range(LAYERS):
            layer(*shape)

    def run(texts: Sequence[Text]) -> npt.NDArray[np.float64]:
        if id(texts) not in known:  # in the first round, which does not count
            known[id(texts)] = list(shapes(texts))
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(batch, known[id(texts)]))
        return np.full(len(texts), np.nan)

    return run


CEILINGS: dict[str, Callable[[Path, int], Any]] = {
    "torch fp32": lambda f, n: engine(f, partial(torch_products, "float32"), 1),
    "torch bf16": lambda f, n: engine(f, partial(torch_products, "bfloat16"), 1),
    "ONNX Runtime fp32": lambda f, n: engine(f, partial(runtime_products, "MatMul"), n),
    "ONNX Runtime int8": lambda f, n: engine(f, partial(runtime_products, "MatMulInteger"), n),
}
"""By name: what makes one of the network's folder and the number of processors."""
