"""The whole way from the collections to the labeler's folder."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin import artifact
from relevance_eval.exporters.builtin.calibrate import fit_head
from relevance_eval.exporters.builtin.corpora import read_qrels
from relevance_eval.exporters.builtin.encoder import base_folder
from relevance_eval.exporters.builtin.evaluation import (
    cross_fitted,
    fitted_cuts,
    head_rows,
    order_row,
    teacher_row,
    transfer_row,
)
from relevance_eval.exporters.builtin.export import SCHEMES, export_float
from relevance_eval.exporters.builtin.held_out import write_held_out
from relevance_eval.exporters.builtin.metrics import agreement, rounded, sums
from relevance_eval.exporters.builtin.pairs import Collection, Triple
from relevance_eval.exporters.builtin.parity import Sample, compare
from relevance_eval.exporters.builtin.reader import GRADED, Reader

__all__ = ["Options", "build"]

ORDERED = ("cranfield", "cisi", "cacm")
"""Collections with complete judgments that the head never sees."""
_SAMPLE = 150  # pairs of each graded collection that the stored models are compared on
_AGREEMENT = (
    "quadratic kappa",
    "kappa, 4 grades",
    "kappa, relevant or not",
    "pairwise accuracy",
    "nDCG@10",
    "calibration error",
)
_RECALLS = tuple(f"recall of grade {grade}" for grade in range(4))
_ORDER = ("pairwise accuracy", "nDCG@10", "average precision")


@dataclass(frozen=True)
class Options:
    """What the command was asked for.

    data: the collections. out: the labeler's folder. work: intermediate files; features of
    pairs found there are not computed again. scheme: how the model is stored. features: of
    the head. threads: of PyTorch.
    """

    data: Path
    out: Path
    work: Path
    seed: int
    threads: int
    scheme: str
    features: tuple[str, ...]


def build(options: Options) -> None:
    """Tune the encoder, fit the head, measure, export, and write the folder."""
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    reader = Reader(options.data, options.work, options.seed)
    frozen = [reader.frozen(name, pooled=False) for name in GRADED]
    graded = [reader.held_out(n, part) for n, part in zip(GRADED, frozen, strict=True)]
    head = fit_head([part.pairs for part in graded], options.features)
    values = _figures(reader, options.features, frozen, graded)
    for name in ORDERED:
        values[name] = _orders(reader, name, head)
    values |= _export(reader, options, graded)
    cuts = fitted_cuts(head, [part.pairs for part in graded])
    artifact.write_manifest(options.out, head, cuts, options.seed)
    artifact.write_tokenizer(options.out, reader.renderer)
    values |= {"command": f"{artifact.COMMAND} --seed {options.seed}"}
    values |= {"parameters": str(len(head.weights) + len(head.thresholds))}
    values |= {"head": artifact.head_table(head), "seed": str(options.seed)}
    values |= {"cuts": ", ".join(f"{cut:.2f}" for cut in cuts)}
    artifact.write_card(options.out, values)


@dataclass(frozen=True)
class _Contender:
    """A head's features, of the graded collections as one of the encoders sees them."""

    features: Sequence[str]
    graded: Sequence[Collection]


def _figures(
    reader: Reader,
    features: Sequence[str],
    frozen: Sequence[Collection],
    graded: Sequence[Collection],
) -> dict[str, str]:
    """The tables of the graded collections; what each labeler says of their pairs stays in the
    folder for intermediate files."""
    contenders = {
        "calibrated cosine": _Contender(["cosine"], frozen),
        "the same head, encoder not tuned": _Contender(features, frozen),
        artifact.NAME: _Contender(features, graded),
    }
    given = {name: cross_fitted(own.graded, own.features) for name, own in contenders.items()}
    for name, said in given.items():
        for collection, part, own in zip(GRADED, graded, said, strict=True):
            folder = reader.work / "held-out" / name
            write_held_out(folder / f"{collection}.jsonl", part, own)
    tables = head_rows(graded, given)
    values: dict[str, str] = {}
    for place, name in enumerate(GRADED):
        part, other = graded[place], GRADED[1 - place]
        rows = [order_row("BM25", part.pairs, part.lexical), *tables[place]]
        for label, own in contenders.items():
            fitted, tested = own.graded[1 - place].pairs, own.graded[place].pairs
            title = f"{label}, head fitted on {other} alone"
            rows.append(transfer_row(title, own.features, fitted, tested))
        if name == "dl20":
            teacher = read_qrels(reader.data / name / "judged-by-gpt-4o.txt")
            rows.append(teacher_row(part, teacher))
        values[name] = artifact.figure_table(rows, _AGREEMENT)
        values[f"{name}_recall"] = artifact.figure_table(rows, _RECALLS)
        values[f"{name}_gain"] = artifact.gain_table(tables[place], _AGREEMENT)
    return values


def _orders(reader: Reader, name: str, head: OrdinalHead) -> str:
    """The table of a collection that neither encoder nor head ever saw."""
    frozen = reader.frozen(name, pooled=True)
    pairs = reader.shipped(name, frozen).pairs
    rows = [
        order_row("BM25", pairs, frozen.lexical),
        order_row("cosine", pairs, frozen.pairs.columns(["cosine"])[:, 0]),
        order_row(artifact.NAME, pairs, head.scores(pairs.columns(head.features))),
    ]
    return artifact.figure_table(rows, _ORDER)


def _sample(reader: Reader, graded: Sequence[Collection]) -> Sample:
    """Pairs of the queries of fold 0 of both graded collections."""
    rng = np.random.default_rng(reader.seed)
    triples: list[Triple] = []
    queries: dict[str, NDArray[np.int64]] = {}
    documents: dict[str, NDArray[np.int64]] = {}
    for name, part in zip(GRADED, graded, strict=True):
        corpus = reader.corpus(name)
        rows = np.flatnonzero(part.of_pair() == 0)
        chosen: list[int] = rng.choice(rows, min(_SAMPLE, len(rows)), replace=False).tolist()
        for query, document, grade in [part.triples[row] for row in chosen]:
            triples.append((f"{name} {query}", f"{name} {document}", grade))
            queries[f"{name} {query}"] = reader.renderer.query(corpus.queries[query])
            fields = corpus.documents[document]
            documents[f"{name} {document}"] = reader.renderer.document(fields)
    return Sample(triples, queries, documents)


def _kappa(sample: Sample, expected: NDArray[np.float64]) -> float:
    grades = np.array([grade for _, _, grade in sample.triples], dtype=np.int64)
    one = np.zeros(len(grades), dtype=np.int64)
    given = sums(one, grades, rounded(expected), expected, np.zeros(len(grades)))
    return agreement(given, np.ones(1))["quadratic kappa"]


def _export(reader: Reader, options: Options, graded: Sequence[Collection]) -> dict[str, str]:
    """Write model.onnx; compare the ways to store it, by a head that has not seen the pairs."""
    encoder = reader.encoders.shipped()
    files = {"float32": export_float(encoder, base_folder(), options.work)}
    for name, store in SCHEMES.items():
        files[name] = options.work / f"{name.replace(', ', '-').replace(' ', '-')}.onnx"
        store(files["float32"], files[name])
    shutil.copyfile(files[options.scheme], options.out / "model.onnx")
    sample = _sample(reader, graded)
    rest = [part.pairs.take(part.of_pair() != 0) for part in graded]
    head = fit_head(rest, options.features)
    reference, costs = compare(encoder, files, head, sample)
    kappas: Mapping[str, float] = {n: _kappa(sample, cost.expected) for n, cost in costs.items()}
    chosen = costs[options.scheme]
    return {
        "costs": artifact.cost_table(costs, kappas),
        "reference_kappa": f"{_kappa(sample, reference):.4f}",
        "sample": f"{len(sample.triples):,}",
        "scheme": options.scheme,
        "megabytes": f"{chosen.megabytes:.1f}",
        "largest": f"{chosen.largest:.1e}",
        "neighbours": f"{chosen.neighbours:.1e}",
    }
