"""What making the model file small costs: accuracy against PyTorch, independence, speed."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.features import TextEncoding, pair_features, text_encoding
from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.calibrate import expected_grades
from relevance_eval.exporters.builtin.encoder import batches_by_length, encode, padded
from relevance_eval.exporters.builtin.metrics import rounded
from relevance_eval.exporters.builtin.pairs import Triple

__all__ = ["Sample", "SchemeCost", "compare"]

_BATCH = 16
_LENGTH = 128
_ROUNDS = 9


@dataclass(frozen=True)
class Sample:
    """Held-out pairs to compare on: token ids of queries and documents by id."""

    triples: Sequence[Triple]
    queries: Mapping[str, NDArray[np.int64]]
    documents: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class SchemeCost:
    """One way of storing the model.

    megabytes: of the file, 10^6 bytes. texts_per_second: of 128 tokens in batches of 16, on
    two threads, the median of interleaved rounds. largest, mean: change of the expected
    grade against PyTorch, 0 to 3. flips: share of pairs whose rounded grade differs.
    neighbours: largest change of an expected grade when a document is encoded alone instead
    of in a batch, 0 to 3.
    """

    megabytes: float
    texts_per_second: float
    largest: float
    mean: float
    flips: float
    neighbours: float
    expected: NDArray[np.float64]


class _Session:
    """An ONNX session of two threads that encodes padded batches."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = cast(
            "Any",
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]),
        )
        self._names = {item.name for item in self._session.get_inputs()}

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Token states float32 [B, T, D] of ids and mask int64 [B, T]."""
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        used = {name: value for name, value in feed.items() if name in self._names}
        return self._session.run(["last_hidden_state"], used)[0]


def _onnx_encode(
    session: _Session, texts: Mapping[str, NDArray[np.int64]], alone: bool = False
) -> dict[str, TextEncoding]:
    """Encode texts by id, in length-sorted batches or each alone."""
    names = list(texts)
    batches = (
        [[row] for row in range(len(names))]
        if alone
        else list(batches_by_length([len(texts[name]) for name in names]))
    )
    found: dict[str, TextEncoding] = {}
    for batch in batches:
        states = session.run(*padded([texts[names[row]] for row in batch]))
        for place, row in enumerate(batch):
            ids = texts[names[row]]
            found[names[row]] = text_encoding(ids, states[place, : len(ids)])
    return found


def _expected(
    head: OrdinalHead,
    triples: Sequence[Triple],
    queries: Mapping[str, TextEncoding],
    documents: Mapping[str, TextEncoding],
) -> NDArray[np.float64]:
    rows = [pair_features(head.features, queries[q], documents[d]) for q, d, _ in triples]
    return expected_grades(head.probabilities(np.stack(rows)))


def _speeds(sessions: Mapping[str, _Session]) -> dict[str, float]:
    """Median texts/s of each session, all of them in turn in every round."""
    rng = np.random.default_rng(0)
    ids = rng.integers(2000, 20000, size=(_BATCH, _LENGTH), dtype=np.int64)
    mask = np.ones_like(ids)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(_ROUNDS + 1):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(ids, mask)
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: _BATCH / median(values) for name, values in times.items()}


def compare(
    model: BertModel,
    files: Mapping[str, Path],
    head: OrdinalHead,
    sample: Sample,
    lonely: int = 50,
) -> tuple[NDArray[np.float64], dict[str, SchemeCost]]:
    """Expected grades by PyTorch [n] and, by name, what each file costs.

    lonely: documents also encoded alone.
    """
    reference = _expected(
        head, sample.triples, encode(model, sample.queries), encode(model, sample.documents)
    )
    chosen = list(sample.documents)[:lonely]
    few = [triple for triple in sample.triples if triple[1] in chosen]
    rows = np.array([triple[1] in chosen for triple in sample.triples])
    sessions = {name: _Session(path) for name, path in files.items()}
    speeds = _speeds(sessions)
    costs: dict[str, SchemeCost] = {}
    for name, session in sessions.items():
        queries = _onnx_encode(session, sample.queries)
        given = _expected(head, sample.triples, queries, _onnx_encode(session, sample.documents))
        alone = _onnx_encode(session, {d: sample.documents[d] for d in chosen}, alone=True)
        change = np.abs(given - reference)
        costs[name] = SchemeCost(
            megabytes=files[name].stat().st_size / 1e6,
            texts_per_second=speeds[name],
            largest=float(change.max()),
            mean=float(change.mean()),
            flips=float(np.mean(rounded(given) != rounded(reference))),
            neighbours=float(np.abs(_expected(head, few, queries, alone) - given[rows]).max()),
            expected=given,
        )
    return reference, costs
