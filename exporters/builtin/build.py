"""The whole way from the collections to the labeler's folder."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.features import TextEncoding
from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin import artifact
from relevance_eval.exporters.builtin.bm25 import Bm25
from relevance_eval.exporters.builtin.calibrate import fit_head, query_folds
from relevance_eval.exporters.builtin.corpora import Corpus, read_corpus, read_qrels
from relevance_eval.exporters.builtin.encoder import base_folder, encode, load_encoder
from relevance_eval.exporters.builtin.evaluation import (
    Given,
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
from relevance_eval.exporters.builtin.pairs import (
    Collection,
    Triple,
    candidate_pairs,
    features_of,
    load_collection,
    save_collection,
)
from relevance_eval.exporters.builtin.parity import Sample, compare
from relevance_eval.exporters.builtin.rendering import Renderer

__all__ = ["Options", "build"]

_LOG = logging.getLogger(__name__)
GRADED = ("dl20", "liveqa")
"""Collections with grades 0-3 by people: for the head and for held-out figures."""
ORDERED = ("cranfield", "cisi", "cacm")
"""Collections with complete judgments that the head never sees."""
FOLDS = 5
_POOL = 40  # best documents of BM25 and of the cosine that join the judged ones
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


class _Reader:
    """Reads collections and turns their texts into features with one encoder."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.encoder = load_encoder(base_folder())
        self.renderer = Renderer.from_file(base_folder() / "tokenizer.json")

    def corpus(self, name: str) -> Corpus:
        return read_corpus(self.options.data / name)

    def encodings(
        self, corpus: Corpus, documents: Sequence[str]
    ) -> tuple[dict[str, TextEncoding], dict[str, TextEncoding]]:
        """The judged queries and the documents named, encoded."""
        _LOG.info("encoding %d documents of %s", len(documents), corpus.name)
        queries = {query: self.renderer.query(corpus.queries[query]) for query in corpus.qrels}
        texts = {name: self.renderer.document(corpus.documents[name]) for name in documents}
        return encode(self.encoder, queries), encode(self.encoder, texts)

    def collection(self, name: str, pooled: bool) -> Collection:
        """Judged pairs; if pooled, with candidates that count as grade 0."""
        kept = self.options.work / f"{name}-seed-{self.options.seed}.npz"
        if kept.exists():
            return load_collection(kept)
        corpus = self.corpus(name)
        bm25 = Bm25({key: " ".join(doc.values()) for key, doc in corpus.documents.items()})
        judged = {document: None for _, document, _ in corpus.pairs()}
        queries, documents = self.encodings(corpus, list(corpus.documents if pooled else judged))
        triples: list[Triple] = (
            candidate_pairs(corpus, bm25, queries, documents, _POOL) if pooled else corpus.pairs()
        )
        lexical = bm25.pair_scores([(corpus.queries[q], document) for q, document, _ in triples])
        fold = query_folds(len(corpus.qrels), FOLDS, self.options.seed)
        pairs = features_of(triples, queries, documents)
        save_collection(kept, Collection(triples, pairs, lexical, fold))
        return load_collection(kept)


def build(options: Options) -> None:
    """Encode, fit the head, measure, export, and write the folder."""
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    reader = _Reader(options)
    graded = [reader.collection(name, pooled=False) for name in GRADED]
    head = fit_head([part.pairs for part in graded], options.features)
    values = _figures(reader, graded)
    for name in ORDERED:
        values[name] = _orders(reader.collection(name, pooled=True), head)
    values |= _export(reader, graded)
    cuts = fitted_cuts(head, [part.pairs for part in graded])
    artifact.write_manifest(options.out, head, cuts, options.seed)
    artifact.write_tokenizer(options.out, reader.renderer)
    values |= {"command": f"{artifact.COMMAND} --seed {options.seed}"}
    values |= {"parameters": str(len(head.weights) + len(head.thresholds))}
    values |= {"head": artifact.head_table(head), "seed": str(options.seed)}
    values |= {"cuts": ", ".join(f"{cut:.2f}" for cut in cuts)}
    artifact.write_card(options.out, values)


def _held_out(
    graded: Sequence[Collection], heads: Mapping[str, Sequence[str]], work: Path
) -> dict[str, list[Given]]:
    """What each head says of the pairs of the graded collections, which `work` keeps."""
    given = {name: cross_fitted(graded, features) for name, features in heads.items()}
    for name, said in given.items():
        for collection, part, own in zip(GRADED, graded, said, strict=True):
            write_held_out(work / "held-out" / name / f"{collection}.jsonl", part, own)
    return given


def _figures(reader: _Reader, graded: Sequence[Collection]) -> dict[str, str]:
    """The tables of the graded collections."""
    heads = {"calibrated cosine": ["cosine"], artifact.NAME: reader.options.features}
    given = _held_out(graded, heads, reader.options.work)
    tables = head_rows(graded, given)
    values: dict[str, str] = {}
    for place, name in enumerate(GRADED):
        part, other = graded[place], graded[1 - place]
        rows = [order_row("BM25", part.pairs, part.lexical), *tables[place]]
        for label, names in heads.items():
            title = f"{label}, head fitted on {GRADED[1 - place]} alone"
            rows.append(transfer_row(title, names, other.pairs, part.pairs))
        if name == "dl20":
            teacher = read_qrels(reader.options.data / name / "judged-by-gpt-4o.txt")
            rows.append(teacher_row(part, teacher))
        values[name] = artifact.figure_table(rows, _AGREEMENT)
        values[f"{name}_recall"] = artifact.figure_table(rows, _RECALLS)
        values[f"{name}_gain"] = artifact.gain_table(tables[place], _AGREEMENT)
    return values


def _orders(part: Collection, head: OrdinalHead) -> str:
    """The table of a collection that the head never saw."""
    pairs = part.pairs
    rows = [
        order_row("BM25", pairs, part.lexical),
        order_row("cosine", pairs, pairs.columns(["cosine"])[:, 0]),
        order_row(artifact.NAME, pairs, head.scores(pairs.columns(head.features))),
    ]
    return artifact.figure_table(rows, _ORDER)


def _sample(reader: _Reader, graded: Sequence[Collection]) -> Sample:
    """Pairs of the queries of fold 0 of both graded collections."""
    rng = np.random.default_rng(reader.options.seed)
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


def _export(reader: _Reader, graded: Sequence[Collection]) -> dict[str, str]:
    """Write model.onnx; compare the ways to store it on pairs whose queries the head that is
    used for that has not seen."""
    options = reader.options
    encoder: BertModel = reader.encoder
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
