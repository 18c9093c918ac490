"""Prompts that share their beginning, and a graph whose answer depends on each token's place."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import Outcome
from relevance_eval.evaluators.labelers.decoder import WORTH, Decoder, SharedPrompt, groups
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.session import TOKEN_BUDGET, Input
from relevance_eval.evaluators.pair import Pair

onnx = pytest.importorskip("onnx", reason="needs relevance-eval[test]")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT, INT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64

Complains = Callable[..., Any]
MakePair = Callable[..., Pair]
WriteTokenizer = Callable[..., dict[str, int]]
WORDS = ["grade", "query:", "document:", "answer:", "vpn", "leave", "how", "to", "ask"]
FRAME = ("grade grade query:", "document:", "answer:")
ROWS = 2500
FAR = 512
"""Places over which a token's weight doubles."""


def save_placed_model(path: Path, table: Any, *, present: str = "present.0.key") -> None:
    """Logits are the sum of the rows of all tokens, each times 1 + its place / 512.

    The past is rows so multiplied, of which a real model's keys and values are the likes: as
    those, they hold their places. Padding has rows that would be noticed.
    """
    numbers: Mapping[str, Any] = {
        "zero": np.int64(0),
        "one": np.int64(1),
        "two": np.array([2]),
        "first": np.array([0]),
        "second": np.array([1]),
        "far": np.float32(FAR),
        "unit": np.float32(1),
        "columns": np.array([0, 2]),
    }
    steps = [
        ("Shape", ["past_key_values.0.key"], "past_shape", {}),
        ("Gather", ["past_shape", "two"], "past_length", {}),
        ("Squeeze", ["past_length"], "start", {}),
        ("Shape", ["input_ids"], "ids_shape", {}),
        ("Gather", ["ids_shape", "second"], "width", {}),
        ("Squeeze", ["width"], "tokens", {}),
        ("Add", ["start", "tokens"], "end", {}),
        ("Range", ["start", "end", "one"], "places", {}),
        ("Cast", ["places"], "places_float", {"to": FLOAT}),
        ("Div", ["places_float", "far"], "shares", {}),
        ("Add", ["shares", "unit"], "weights", {}),
        ("Unsqueeze", ["weights", "columns"], "column", {}),
        ("Gather", ["table", "input_ids"], "rows", {"axis": 0}),
        ("Mul", ["rows", "column"], "placed", {}),
        ("Cast", ["attention_mask"], "mask_float", {"to": FLOAT}),
        ("Unsqueeze", ["mask_float", "two"], "mask_column", {}),
        ("Mul", ["placed", "mask_column"], "seen", {}),
        ("ReduceSum", ["seen", "second"], "new", {"keepdims": 0}),
        ("ReduceSum", ["past_key_values.0.key", "two"], "old_rows", {"keepdims": 0}),
        ("Squeeze", ["old_rows", "second"], "old", {}),
        ("Add", ["new", "old"], "logits", {}),
        ("Slice", ["placed", "first", "second", "first"], "one_row", {}),
        ("Unsqueeze", ["one_row", "second"], "one_head", {}),
        ("Concat", ["past_key_values.0.key", "one_head"], present, {"axis": 2}),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, given, [out], **options) for kind, given, out, options in steps],
        "placed",
        [
            *(
                helper.make_tensor_value_info(name, INT, ["batch", "tokens"])
                for name in ("input_ids", "attention_mask")
            ),
            helper.make_tensor_value_info("past_key_values.0.key", FLOAT, [1, 1, "past", 4]),
        ],
        [
            helper.make_tensor_value_info("logits", FLOAT, ["batch", 4]),
            helper.make_tensor_value_info(present, FLOAT, [1, 1, "read", 4]),
        ],
        [
            numpy_helper.from_array(table.astype(np.float32), "table"),
            *(numpy_helper.from_array(np.asarray(v), name) for name, v in numbers.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(path))


@pytest.fixture
def table() -> Any:
    rows = np.random.default_rng(0).normal(0, 0.3, (ROWS, 4))
    rows[0] = 99.0  # padding: to read it is to fail
    return rows


@pytest.fixture
def write_placed(
    tmp_path: Path, write_tokenizer: WriteTokenizer, table: Any
) -> Callable[..., Path]:
    def write(frame: Sequence[str] = FRAME, **model: Any) -> Path:
        write_tokenizer(tmp_path / "tokenizer.json", WORDS)
        save_placed_model(tmp_path / "model.onnx", table, **model)
        manifest = {
            "schema": "relevance-eval/labeler/1",
            "architecture": "decoder",
            "name": "placed",
            "frame": frame,
            "max_tokens": {"query": 40, "body": 200},
            "fields": [["body", ""]],
            "output": "logits",
        }
        (tmp_path / "labeler.json").write_text(json.dumps(manifest))
        return tmp_path

    return write


class Watched:
    """A loaded model that remembers what it was asked for.

    Attributes:
        asked: shape of the ids, and length of the past, of each run.
        most: kept pasts at a time.
    """

    def __init__(self, labeler: Decoder):
        assert isinstance(labeler.session, SharedPrompt)
        self.model = labeler.session.model
        labeler.session.model = self
        self.asked: list[tuple[tuple[int, int], int]] = []
        self.pasts: list[weakref.ref[Any]] = []
        self.most = 0

    def run(self, wanted: list[str], feed: Mapping[str, Any]) -> list[Any]:
        self.asked.append((feed["input_ids"].shape, feed["past_key_values.0.key"].shape[2]))
        found: list[Any] = self.model.run(wanted, feed)
        if wanted != ["logits"]:
            self.pasts.append(weakref.ref(found[0]))
        self.most = max(self.most, self.alive)
        return found

    @property
    def alive(self) -> int:
        return sum(past() is not None for past in self.pasts)


def load(folder: Path, threads: int = 2) -> Decoder:
    labeler = load_labeler(str(folder), threads=threads)
    assert isinstance(labeler, Decoder)
    assert labeler.reuses_prompt
    return labeler


def expected_grades(labeler: Decoder, table: Any, pairs: Sequence[Pair]) -> list[float]:
    """By hand, from the tokens of the whole prompts."""
    found: list[float] = []
    for one in pairs:
        item = labeler.frame.input(one)
        assert not isinstance(item, str)
        weights = 1 + np.arange(len(item.ids)) / FAR
        logits = (table[list(item.ids)] * weights[:, None]).sum(axis=0)
        powers = np.exp(logits - logits.max())
        found.append(float((powers / powers.sum()) @ np.arange(4)))
    return found


def some_pairs(pair: MakePair, counts: Sequence[int]) -> list[Pair]:
    """Queries with so many documents each, in turn, so that no query's stand together."""
    draw = np.random.default_rng(1)
    made: list[tuple[int, Pair]] = []
    for number, count in enumerate(counts):
        query = " ".join(draw.choice(WORDS, 3 + number))
        for place in range(count):
            body = " ".join(draw.choice(WORDS, int(draw.integers(1, 60))))
            made.append((place, pair(query, body=body)))
    return [made for _, made in sorted(made, key=lambda item: item[0])]


COUNTS = [25, 1, 10, 2, 1, 14]


@pytest.mark.parametrize(
    "frame", [FRAME, ("query:", "document:", "answer:"), ("", "document:", "")]
)
@pytest.mark.parametrize("threads", [1, 3])
def test_grades_are_those_of_the_whole_prompts_together_and_alone(
    write_placed: Callable[..., Path],
    pair: MakePair,
    table: Any,
    frame: Sequence[str],
    threads: int,
) -> None:
    labeler = load(write_placed(frame), threads)
    pairs = some_pairs(pair, COUNTS)
    together = dict(labeler.label(pairs))
    expected = expected_grades(labeler, table, pairs)
    assert np.ptp(expected) > 1
    assert [together[i].expected for i in range(len(pairs))] == pytest.approx(expected, abs=1e-4)
    for i in range(0, len(pairs), 5):
        assert dict(labeler.label([pairs[i]]))[0].expected == pytest.approx(expected[i], abs=1e-4)


def test_what_pairs_share_is_read_once(write_placed: Callable[..., Path], pair: MakePair) -> None:
    labeler = load(write_placed(), threads=1)
    watched = Watched(labeler)
    pairs = [pair("vpn to " * 4, body="how " * (n + 1)) for n in range(10)]
    pairs += [pair("leave", body="ask " * (n + 1)) for n in range(3)]
    list(labeler.label(pairs))
    before, query = len(labeler.frame.before), 8 + len(labeler.frame.between)
    assert watched.asked[:2] == [((1, before), 0), ((1, query), before)]
    # ten documents and `answer:`; then three, whose query is too short to be read by itself
    assert watched.asked[2:] == [((10, 11), before + query), ((3, 6), before)]
    list(labeler.label(pairs[:10]))
    assert watched.asked[4:] == [((1, query), before), ((10, 11), before + query)]


def test_batches_count_what_is_shared_and_pasts_are_dropped_after_their_query(
    write_placed: Callable[..., Path], pair: MakePair
) -> None:
    labeler = load(write_placed(), threads=2)
    watched = Watched(labeler)
    pairs = [
        pair(f"{'how ' * n} {'to ' * (30 - n)}", body="ask " * 150)
        for n in range(30)
        for _ in range(14)
    ]
    assert len(dict(labeler.label(pairs))) == len(pairs)
    batches = [(shape, past) for shape, past in watched.asked if shape[0] > 1]
    assert len(batches) == 60  # 14 documents of 186 tokens are more than a batch
    assert all(rows * (width + past) <= TOKEN_BUDGET for (rows, width), past in batches)
    assert len(watched.pasts) == 31
    assert watched.most <= 1 + 2 + 3  # the one before all queries; threads and three
    assert watched.alive == 1


def test_pairs_without_text_are_refused_and_no_pairs_have_no_judgments(
    write_placed: Callable[..., Path], pair: MakePair
) -> None:
    labeler = load(write_placed())
    found = dict(labeler.label([pair("vpn"), pair("vpn", body="leave"), pair("\x00", body="vpn")]))
    assert [found[i].outcome for i in range(3)] == [
        Outcome.REFUSED,
        Outcome.GRADED,
        Outcome.REFUSED,
    ]
    assert list(labeler.label([])) == []
    assert list(labeler.session.outputs([])) == []


prompts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 30), st.integers(1, 20)), min_size=1, max_size=40
)


@given(prompts, st.integers(0, 5))
def test_a_group_is_its_prompts_cut_at_one_token(
    made: Sequence[tuple[int, int, int]], before: int
) -> None:
    inputs = [
        Input(
            [7] * before + [10 + q] * (4 * q + 1) + [50] * n, [0] * (before + 4 * q + 1) + [1] * n
        )
        for q, n, _ in made
    ]
    found = groups(inputs, before)
    assert sorted(i for group in found for i in group.places) == list(range(len(inputs)))
    for group in found:
        for place, rest in zip(group.places, group.rests, strict=True):
            assert [7] * before + [*group.shared, *rest.ids] == inputs[place].ids
        assert not group.shared or (len(group.rests) - 1) * len(group.shared) >= WORTH
    assert sum(not group.shared for group in found) <= 1


def test_a_past_that_the_graph_does_not_give(
    write_placed: Callable[..., Path], complains: Complains
) -> None:
    folder = write_placed(present="other")
    says = "it reads a past and does not give present.0.key"
    with complains(
        LabelerError, says, code=2, where=str(folder / "model.onnx"), remedy="export the model anew"
    ):
        load_labeler(str(folder))


def test_a_past_for_each_row_of_the_batch_is_not_what_is_needed(
    write_placed: Callable[..., Path], complains: Complains
) -> None:
    folder = write_placed()
    model = onnx.load(str(folder / "model.onnx"))
    model.graph.input[2].type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, str(folder / "model.onnx"))
    with complains(
        LabelerError,
        "past_key_values.0.key is tensor(float) ['batch', 1, 'past', 4], not float",
        code=2,
        where=str(folder / "model.onnx"),
        remedy="export the model anew",
    ):
        load_labeler(str(folder))


def test_a_prompt_that_the_model_cannot_take(
    write_placed: Callable[..., Path], complains: Complains
) -> None:
    labeler = load(write_placed())
    with complains(
        LabelerError,
        "the model cannot run on 4 tokens",
        code=2,
        where=labeler.session.place,
        remedy="lower max_tokens",
    ):
        labeler.session.run([Input([1, 2, 3, ROWS], [0] * 4)])
