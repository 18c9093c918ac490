"""Batches under a token budget, and models that are not what is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.session import Input, Session, batches

Complains = Callable[..., Any]
Folder = Callable[..., Path]

WORDS = {"one": [1.0, 10.0], "two": [2.0, 20.0], "[PAD]": [99.0, 99.0]}


def of_lengths(lengths: Sequence[int]) -> list[Input]:
    return [Input([1] * n, [0] * n) for n in lengths]


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(1, 200))
def test_batches_hold_every_input_once_under_the_budget_and_shortest_first(
    lengths: list[int], budget: int
) -> None:
    found = list(batches(of_lengths(lengths), budget))
    flat = [position for batch in found for position in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths)
    assert all(batch for batch in found)
    for batch in found:
        padded = len(batch) * max(lengths[i] for i in batch)
        assert padded <= budget or len(batch) == 1


def test_a_batch_is_filled_before_the_next_begins() -> None:
    assert list(batches(of_lengths([5, 2, 2, 2, 9]), 6)) == [[1, 2, 3], [0], [4]]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_outputs_belong_to_their_inputs_however_they_are_batched(
    write_folder: Folder, threads: int
) -> None:
    session = Session(write_folder(WORDS) / "model.onnx", "logits", threads)
    inputs = [Input([2000] * n + [2001], [0] * (n + 1)) for n in range(1, 90)]
    found: dict[int, list[float]] = {}
    for batch, output in session.outputs(inputs):
        assert len(batch) == len(output)
        found |= zip(batch, output.tolist(), strict=True)
    assert found == {i: [n + 2.0, 10.0 * n + 20] for i, n in enumerate(range(1, 90))}
    assert list(session.outputs([])) == []


def test_segments_reach_a_model_that_wants_them(
    write_folder: Folder, write_model: Callable[..., None], tmp_path: Path
) -> None:
    """This model looks up segments, of which padding has 0."""
    path = tmp_path / "segments.onnx"
    names = ("token_type_ids", "attention_mask", "input_ids")
    table = np.array([[0.0], [1.0]], np.float32)
    write_model(path, table, output="y", summed=True, inputs=names)
    session = Session(path, "y", 1)
    found = session.run([Input([7, 7, 7], [0, 1, 1]), Input([7], [1])])
    assert found.tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_a_file_that_is_no_model(tmp_path: Path, complains: Complains, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with complains(LabelerError, "ONNX Runtime cannot load it", code=2, where=str(path)):
        Session(path, "logits")


@pytest.mark.parametrize(
    ("options", "output", "has"),
    [
        ({}, "scores", "has attention_mask, input_ids and logits"),
        ({"inputs": ("ids", "mask")}, "logits", "has ids, mask and logits"),
        ({"inputs": ("input_ids", "mask")}, "logits", "has input_ids, mask and logits"),
    ],
)
def test_a_model_with_other_inputs_or_outputs(
    write_folder: Folder, complains: Complains, options: dict[str, Any], output: str, has: str
) -> None:
    path = write_folder(WORDS, model=options) / "model.onnx"
    with complains(LabelerError, has, code=2, where=str(path)) as caught:
        Session(path, output)
    assert f"output {output!r}" in caught.value.message


def test_a_text_that_the_model_cannot_take(write_folder: Folder, complains: Complains) -> None:
    """Its table ends before this token, as position tables end at 512."""
    path = write_folder(WORDS, rows=2001) / "model.onnx"
    session = Session(path, "logits", 1)
    says, remedy = "the model cannot run on 1 tokens", "lower max_tokens"
    with complains(LabelerError, says, code=2, where=str(path), remedy=remedy):
        list(session.outputs([Input([2001], [0])]))
