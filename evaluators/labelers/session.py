"""An ONNX model on this machine's hardware, fed with batches of similar length."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime

from relevance_eval.errors import LabelerError

__all__ = [
    "PAST",
    "PROCESSOR_BUDGET",
    "TOKEN_BUDGET",
    "Input",
    "Session",
    "batches",
    "cores",
    "padded",
]

GIVEN = ("input_ids", "attention_mask", "token_type_ids")
"""Inputs of a model that are given to it, as int64."""
PAST = "past_key_values."
"""What a decoder's further inputs begin with: keys and values, which `SharedPrompt` gives to it."""
TOKEN_BUDGET = 2048
"""Tokens in a batch, padding included, of a device that wants many at a time."""
PROCESSOR_BUDGET = 512
"""The same of a batch on one thread of a processor, whose states then stay in its cache: 1.19 times
as fast as 2048 in float32 and 1.1 times in int8, and 256 is no faster (a MiniLM, AVX2)."""
OPENVINO_BUDGET = 1024
"""The same for OpenVINO: 1.04 to 1.07 times as fast as 512 on texts of 230 tokens in int8, no
slower on shorter ones (a MiniLM, AVX-512)."""
ONE_AT_A_TIME = 0
"""The same of a graph that takes one scale for all numbers of a batch: what stands beside an input
would change its answer."""
BY_BATCH, FIXED = b"DynamicQuantize", b"QuantizeLinear"
"""What the operators that round activations are called, ONNX Runtime's fused ones among them: a
model's file names them in plain text."""
PROCESSOR = "CPUExecutionProvider"
PROVIDERS = ("CUDAExecutionProvider", PROCESSOR)
OPENVINO = "OpenVINOExecutionProvider"
"""Of the package onnxruntime-openvino: computes in bfloat16, twice as fast as float32 where the
processor has instructions for it, and static int8 twice as fast as ONNX Runtime's own provider."""
ARITHMETICS = {"bf16": "bfloat16", "f32": "OpenVINO"}
"""What labels are computed in, by OpenVINO's word for what it may round by itself."""
BUDGETS = {PROCESSOR: PROCESSOR_BUDGET, OPENVINO: OPENVINO_BUDGET}
PROCESSOR_FLAGS = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


@dataclass(frozen=True, slots=True)
class Input:
    """Token ids of one text or pair with special tokens, and the segment (0 or 1) of each."""

    ids: Sequence[int]
    segments: Sequence[int]


def batches(inputs: Sequence[Input], budget: int = TOKEN_BUDGET) -> Iterator[list[int]]:
    """Positions of `inputs`, shortest first, in batches of at most `budget` tokens after padding.

    An input longer than the budget makes a batch of its own.
    """
    order = sorted(range(len(inputs)), key=lambda i: (len(inputs[i].ids), i))
    batch: list[int] = []
    for position in order:
        if batch and (len(batch) + 1) * len(inputs[position].ids) > budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def padded(inputs: Sequence[Input]) -> dict[str, npt.NDArray[np.int64]]:
    """One batch as a model of BERT's inputs reads it, each array of shape [batch, longest]."""
    width = max(len(i.ids) for i in inputs)
    ids = np.zeros((len(inputs), width), dtype=np.int64)
    mask, segments = np.zeros_like(ids), np.zeros_like(ids)
    for row, item in enumerate(inputs):
        length = len(item.ids)
        ids[row, :length] = item.ids
        mask[row, :length] = 1
        segments[row, :length] = item.segments
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}


def rounding(path: Path) -> Literal["batch", "fixed"] | None:
    """How the graph rounds activations: by a scale of the `batch` (dynamic int8), by `fixed` ones
    (static int8), or not at all."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        if content.find(BY_BATCH) >= 0:
            return "batch"
        return "fixed" if content.find(FIXED) >= 0 else None


def openvino_hint(scale: Literal["batch", "fixed"] | None) -> str | None:
    """What OpenVINO may compute floating-point numbers in, where it is the faster provider; None
    where it is not. It cannot load dynamic int8."""
    if scale == "batch":
        return None
    if has_bfloat16():
        return "bf16"
    return "f32" if scale == "fixed" else None


def cores() -> int:
    """Those that this process may use, where the system tells."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; False where the system does not say."""
    try:
        return not BFLOAT16.isdisjoint(PROCESSOR_FLAGS.read_text(encoding="utf-8").split())
    except OSError:
        return False


def loaded(path: Path, options: Any, providers: Sequence[Any]) -> Any:
    """A session with the first of these providers that takes the graph. It changes none later on:
    another one computes other grades. Raises what ONNX Runtime raises if the last refuses it."""
    runtime: Any = onnxruntime
    try:
        return runtime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception:  # the library's exceptions share no public base
        if len(providers) == 1:
            raise
        return loaded(path, options, providers[1:])


def providers_for(
    available: Sequence[str], hint: str | None, workers: int
) -> list[str | tuple[str, dict[str, str]]]:
    """Execution providers of ONNX Runtime, the one to use first.

    Args:
        available: those of the installed package.
        hint: of `openvino_hint`; None to leave OpenVINO out.
        workers: batches at a time.
    """
    usable = [p for p in PROVIDERS if p in available]
    if not hint or OPENVINO not in available or usable[0] != PROCESSOR:
        return [*usable]
    options = {
        "device_type": "CPU",
        "num_streams": str(workers),
        "num_of_threads": str(workers),
        "load_config": json.dumps({"CPU": {"INFERENCE_PRECISION_HINT": hint}}),
    }
    return [(OPENVINO, options), *usable]


def check_input(item: Any, path: Path) -> None:
    """Raises LabelerError for what every batch would fail on."""
    if item.name not in GIVEN or item.type != "tensor(int64)":
        raise LabelerError(
            f"the model asks for {item.name} as {item.type}; "
            f"it is given {', '.join(GIVEN)}, each as tensor(int64)",
            where=str(path),
            remedy="export the model anew, with these inputs alone",
        )


class Session:
    """Runs a model of BERT's inputs: input_ids, attention_mask and perhaps token_type_ids.

    On a processor, each batch runs on one thread and several batches at a time: small matrices
    gain little from being cut up, and threads that wait for each other gain nothing.

    Args:
        threads: batches at a time; 0 for one a core.
        exact: not by OpenVINO, also where that is faster; it is meant for encoders.

    Attributes:
        arithmetic: what outputs are computed in, where they differ a little from those of ONNX
            Runtime's own provider; None where they do not.

    Raises:
        LabelerError: the file is no ONNX model, or its inputs and outputs are others.
    """

    def __init__(self, path: Path, output: str, threads: int = 0, exact: bool = True):
        runtime: Any = onnxruntime  # it has no types of its own
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.workers = threads or cores()
        try:
            scale = rounding(path)
            hint = None if exact else openvino_hint(scale)
            usable = providers_for(runtime.get_available_providers(), hint, self.workers)
            self.model: Any = loaded(path, options, usable)
        except Exception as error:  # the library's exceptions share no public base
            raise LabelerError(f"ONNX Runtime cannot load it: {error}", where=str(path)) from None
        provider: str = self.model.get_providers()[0]
        self.arithmetic = ARITHMETICS[hint] if hint and provider == OPENVINO else None
        self.budget = ONE_AT_A_TIME if scale == "batch" else BUDGETS.get(provider, TOKEN_BUDGET)
        self.place, self.output = str(path), output
        asked = self.model.get_inputs()
        self.names = {i.name for i in asked}
        outputs = [o.name for o in self.model.get_outputs()]
        if not {"input_ids", "attention_mask"} <= self.names or output not in outputs:
            raise LabelerError(
                f"needs input_ids, attention_mask and output {output!r}; "
                f"has {', '.join(sorted(self.names))} and {', '.join(outputs)}",
                where=str(path),
            )
        for item in asked:
            if not item.name.startswith(PAST):
                check_input(item, path)

    def outputs(
        self, inputs: Sequence[Input]
    ) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """Yields (positions in `inputs`, their outputs) batch by batch, shortest first.

        Later batches are computed while the caller works on an earlier one.
        """
        ahead: deque[tuple[list[int], Future[npt.NDArray[np.float32]]]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            for batch in batches(inputs, self.budget):
                ahead.append((batch, pool.submit(self.run, [inputs[i] for i in batch])))
                if len(ahead) > self.workers:
                    done, output = ahead.popleft()
                    yield done, output.result()
            for done, output in ahead:
                yield done, output.result()

    def run(self, inputs: Sequence[Input]) -> npt.NDArray[np.float32]:
        """The output for one padded batch, shape [batch, ...]. Raises LabelerError."""
        feed = padded(inputs)
        wanted = {k: v for k, v in feed.items() if k in self.names}
        try:
            found: npt.NDArray[np.floating[Any]] = self.model.run([self.output], wanted)[0]
        except Exception as error:  # the library's exceptions share no public base
            raise LabelerError(
                f"the model cannot run on {feed['input_ids'].shape[1]} tokens: {str(error)[:200]}",
                where=self.place,
                remedy="lower max_tokens in labeler.json, or export the model anew",
            ) from None
        return found.astype(np.float32, copy=False)  # a model in float16 answers so
