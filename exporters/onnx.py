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
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import torch
from optimum.exporters.onnx import OnnxConfig, export
from optimum.utils import NormalizedTextConfig

from relevance_eval.errors import ExportError
from relevance_eval.exporters.students.decoder import Decoder, Past

__all__ = [
    "MODEL",
    "OPSET",
    "OUTPUT",
    "export_continued",
    "export_graph",
    "quiet",
    "reason",
    "save_graph",
]

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


class Continuer(torch.nn.Module):
    """A decoder whose past is an input, as `optimum` wants to see a model."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder
        self.config: Any = SimpleNamespace()

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, past: Past
    ) -> tuple[torch.Tensor, ...]:
        """The logits, then keys and values of each layer in turn: see `Decoder.continued`."""
        logits, present = self.decoder.continued(input_ids, attention_mask, past)
        return logits, *(part for layer in present for part in layer)

    def example(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The past of three tokens, which tells how many layers there are, and their shapes."""
        ids = torch.ones((1, 3), dtype=torch.int64)
        with torch.inference_mode():
            _, found = self.decoder.continued(ids, torch.ones_like(ids), [])
        return [(keys.clone(), values.clone()) for keys, values in found]


class ContinuerConfig(GraderConfig):
    """What `optimum` is told of a graph with a past.

    Its own description of one wants a past for each row of a batch, and a mask over both.
    """

    def __init__(self, continuer: Continuer):
        super().__init__(continuer.config, task="text-classification")
        self.past = continuer.example()

    def layers(self, side: str, axis: str) -> dict[str, dict[int, str]]:
        names = [f"{side}.{n}.{part}" for n in range(len(self.past)) for part in ("key", "value")]
        return {name: {2: axis} for name in names}

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        read = {name: AXES for name in ("input_ids", "attention_mask")}
        return read | self.layers("past_key_values", "past")

    def ordered_inputs(self, model: Any) -> dict[str, dict[int, str]]:
        """As they are: by itself `optimum` looks for each name among the arguments."""
        return self.inputs

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        return {OUTPUT: {0: "batch"}} | self.layers("present", "read")

    def generate_dummy_inputs(self, framework: str = "pt", **shapes: Any) -> dict[str, Any]:
        """Other lengths than any of the model's own widths are likely to be."""
        usual = super().generate_dummy_inputs(framework, **shapes)
        del usual["token_type_ids"]
        return usual | {"past": self.past}


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
    grader = Grader(module.float().eval())
    return write(grader, lambda: GraderConfig(grader.config, task="text-classification"), target)


def export_continued(decoder: Decoder, target: Path) -> Path:
    """Writes `target`/model.onnx in float32 for texts that share their beginning.

    As `export_graph`, with the past as further inputs, `past_key_values.{layer}.key` and `.value`,
    float32 [1, heads, past, width]: one row for all rows of the batch. `past` may be 0. Further
    outputs are `present.{layer}.key` and `.value`, float32 [1, heads, past + tokens, width], of
    the first row: what a beginning read by itself leaves for the texts that go on from there.

    Raises:
        ExportError: an operation of it has no ONNX form, or its attention keeps no such past.
        OSError: the file cannot be written.
    """
    continuer = Continuer(decoder.float().eval())
    return write(continuer, lambda: ContinuerConfig(continuer), target)


def write(model: Grader | Continuer, config: Callable[[], GraderConfig], target: Path) -> Path:
    """One file, made by `optimum`. Raises ExportError, OSError."""
    path = target / MODEL
    try:
        with quiet():
            export(model, config(), path, opset=OPSET, disable_dynamic_axes_fix=True)
    except OSError:  # a full disk says nothing about the student
        raise
    except Exception as error:  # the libraries' exceptions share no base
        inner = model.module if isinstance(model, Grader) else model.decoder
        raise ExportError(
            f"it has no ONNX form: {reason(error)}", where=type(inner).__name__, remedy=REMEDY
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
