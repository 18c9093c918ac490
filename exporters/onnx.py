"""From a trained student to one ONNX graph: token ids in, the logits of the four grades out."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportAttributeAccessIssue=false, reportUnknownLambdaType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import torch
from optimum.exporters.onnx import OnnxConfig, export
from optimum.utils import NormalizedTextConfig

from relevance_eval.errors import ExportError

__all__ = ["MODEL", "OPSET", "OUTPUT", "export_graph", "quiet", "save_graph"]

MODEL = "model.onnx"
OUTPUT = "logits"
OPSET = 18
ONE_FILE = 1_900_000_000
"""Bytes of weights that a graph's own file may hold: its format ends at 2 GiB."""
AXES = {0: "batch", 1: "tokens"}
REMEDY = (
    "train a student of another base: BERT-like encoders and Llama-, Qwen- or Phi-like decoders "
    "have an ONNX form"
)


class Grader(torch.nn.Module):
    """A student's module as `optimum` wants to see a model: with a `config` of its own."""

    def __init__(self, module: torch.nn.Module):
        super().__init__()
        self.module = module
        self.config: Any = SimpleNamespace()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits float32 [batch, 4] of token ids, mask and segments int64 [batch, tokens]."""
        return self.module(input_ids, attention_mask, token_type_ids)


class GraderConfig(OnnxConfig):
    """What `optimum` is told of the graph: the same of encoders and decoders.

    Its own description of a decoder would keep the logits of the whole vocabulary at each token,
    and a cache for tokens to come; a grade needs four logits, once.
    """

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        return {name: AXES for name in ("input_ids", "attention_mask", "token_type_ids")}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        return {OUTPUT: {0: "batch"}}

    def generate_dummy_inputs(self, framework: str = "pt", **shapes: Any) -> dict[str, Any]:
        """Two rows to trace, one of them padded, so that no length is taken for a constant."""
        ids = torch.ones((2, 7), dtype=torch.int64)
        mask, segments = torch.ones_like(ids), torch.zeros_like(ids)
        mask[1, 5:] = 0
        segments[:, 4:] = 1
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}


def export_graph(module: torch.nn.Module, target: Path) -> Path:
    """Writes `target`/model.onnx in float32, with model.onnx_data if it is above 1.9 GB.

    Inputs are `input_ids` and `attention_mask`, and `token_type_ids` where the module reads them,
    int64 [batch, tokens], padded on the right; the output is `logits`, float32 [batch, 4].

    Args:
        module: a student's; its weights become float32.

    Raises:
        ExportError: an operation of it has no ONNX form.
        OSError: the file cannot be written.
    """
    path = target / MODEL
    grader = Grader(module.float().eval())
    try:
        with quiet():
            export(
                grader,
                GraderConfig(grader.config, task="text-classification"),
                path,
                opset=OPSET,
                disable_dynamic_axes_fix=True,
            )
    except OSError:  # a full disk says nothing about the student
        raise
    except Exception as error:  # the libraries' exceptions share no base
        raise ExportError(
            f"it has no ONNX form: {reason(error)}", where=type(module).__name__, remedy=REMEDY
        ) from error
    graph = onnx.load(str(path))
    drop_unused_inputs(graph)
    save_graph(graph, path)
    return path


def drop_unused_inputs(model: onnx.ModelProto) -> None:
    """A graph that does not read segments does not ask for them."""
    read = {name for node in model.graph.node for name in node.input}
    for item in [i for i in model.graph.input if i.name not in read]:
        model.graph.input.remove(item)


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Writes a graph, its weights in a file beside it where they are above 1.9 GB."""
    path.unlink(missing_ok=True)
    beside = path.with_name(path.name + "_data")
    beside.unlink(missing_ok=True)
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= ONE_FILE:
        onnx.save(model, str(path))
        return
    onnx.save(
        model,
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=beside.name,
    )


def reason(error: Exception) -> str:
    """The first line of what the exporter says: the rest is about its own code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


@contextmanager
def quiet() -> Generator[None]:
    """Keeps back what the exporter says of itself; whether the graph is right is measured."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
