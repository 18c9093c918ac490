"""Which of a model's outputs is its score, found by asking it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from relevance_eval.errors import LabelerError

__all__ = ["Output", "find_output"]

PREFERRED = ("logits", "last_hidden_state", "token_embeddings")
ROWS = 2
"""Of the trial batch: the axis of the batch is told from one of width 1."""


@dataclass(frozen=True)
class Output:
    """An output that can be calibrated: `score` [batch, 1], or `states` [batch, tokens, width]."""

    name: str
    kind: Literal["score", "states"]


def find_output(model: Path, ids: Sequence[int]) -> Output:
    """The score if the model has one, else its token states.

    What a file declares may be any shape, so the model is asked; a name that encoders usually have
    goes before others.

    Args:
        ids: of a pair, with special tokens.

    Raises:
        LabelerError: it cannot be loaded or asked, or has neither.
    """
    shapes = trial(model, ids)
    names = sorted(shapes, key=lambda n: PREFERRED.index(n) if n in PREFERRED else len(PREFERRED))
    scores = [name for name in names if shapes[name] in ((ROWS, 1), (ROWS,))]
    states = [n for n in names if len(shapes[n]) == 3 and shapes[n][:2] == (ROWS, len(ids))]
    if scores:
        return Output(scores[0], "score")
    # Token states beside logits of several classes are no reason to take their cosine.
    if states and "logits" not in names:
        return Output(states[0], "states")
    told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    raise LabelerError(
        f"gives neither one score of a pair, [{ROWS}, 1], nor states of its tokens, "
        f"[{ROWS}, {len(ids)}, width], but {told}",
        where=str(model),
        remedy="use a reranker with one logit, or an encoder exported with its token states",
    )


def trial(model: Path, ids: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The shape of each output for a batch of two."""
    runtime: Any = onnxruntime  # it has no types of its own
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    batch = np.array([ids] * ROWS, dtype=np.int64)
    feed = {
        "input_ids": batch,
        "attention_mask": np.ones_like(batch),
        "token_type_ids": np.zeros_like(batch),
    }
    try:
        session = runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        wanted = {i.name for i in session.get_inputs()}
        if not wanted <= feed.keys():
            raise ValueError(f"it asks for {', '.join(sorted(wanted - feed.keys()))} as well")
        found = session.run(None, {name: feed[name] for name in wanted})
        return {o.name: np.shape(f) for o, f in zip(session.get_outputs(), found, strict=True)}
    except Exception as error:  # the library's exceptions share no public base
        raise LabelerError(
            f"the model cannot be asked: {str(error)[:200]}",
            where=str(model),
            remedy="export it to ONNX as an encoder with input_ids and attention_mask",
        ) from None
