"""From a model of one score and graded pairs to a labeler."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from relevance_eval.errors import InputError, LabelerError
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.manifest import FILES, WEIGHTS
from relevance_eval.exporters.folders import check_replaceable, replaced
from relevance_eval.exporters.rerankers.calibration import (
    Fit,
    calibration_error,
    cross_fitted,
    fit,
    rises,
)
from relevance_eval.exporters.rerankers.card import CalibratedCard
from relevance_eval.exporters.rerankers.form import in_form
from relevance_eval.exporters.rerankers.reranker import Reranker
from relevance_eval.exporters.rerankers.scores import Scored, score
from relevance_eval.exporters.settings import Precision
from relevance_eval.exporters.students.calibrate import FEWEST
from relevance_eval.exporters.students.holdout import figures, interval
from relevance_eval.exporters.students.split import by_people, wording
from relevance_eval.exporters.versions import versions

__all__ = ["FOLDS", "Calibrated", "calibrate", "one_voice"]

RECORD = "calibration.json"
CARD = "README.md"
FOLDS = 5
PACKAGES = ("relevance-eval", "numpy", "onnxruntime", "scipy", "tokenizers")
ROUNDING = {"int8-static": ("nncf", "onnx"), "int8": ("onnx",), "int8-weights": ("onnx",)}
"""Packages that a graph is written with, by its precision."""
NO_BETTER = (
    "On held-out queries its grades agree with those given no better than chance may: "
    "the lower end of quadratic kappa is not above 0."
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Calibrated:
    """A finished labeler.

    Attributes:
        folder: what `labeler = "folder"` takes.
        fingerprint: the labeler's.
        record: what calibration.json holds.
        reused: scores that an earlier run had computed.
    """

    folder: Path
    fingerprint: str
    record: Mapping[str, Any]
    reused: int


def calibrate(
    reranker: Reranker,
    examples: Sequence[Example],
    out: Path,
    scores: Path,
    *,
    precision: Precision | None = None,
    seed: int = 0,
    folds: int = FOLDS,
    threads: int = 0,
    progress: Progress = lambda done, total: None,
) -> Calibrated:
    """Scores graded pairs, fits probabilities of grades to the scores, and writes the labeler.

    The same model, examples and seed give the same bytes, killed in between or not; with
    int8-static, by the same packages on the same kind of processor.

    Args:
        examples: those without a grade are left out; a pair that several have graded counts once.
        out: folder to write; a labeler that was calibrated to it before is replaced, at the very
            end.
        scores: folder in which scores are kept, by model.
        precision: of the labeler's graph; None for the model's own.
        folds: groups of queries for the held-out figures, 2 or more.
        threads: batches at a time; 0 for one a core.
        progress: called with (pairs scored, pairs in all).

    Raises:
        InputError: fewer than 30 pairs, one grade, or one query.
        LabelerError: the model cannot be run, tells no pair from another, or its scores do not rise
            with the grades.
        DependencyError, ExportError: the graph cannot be written in this precision.
        UsageError: `out` is a folder of something else.
        StorageError: a folder cannot be written; scores that were written are kept.
    """
    check_replaceable(out, RECORD)
    given = one_voice(examples)
    check_labels(given)
    pairs = [e.pair for e in given]
    with in_form(reranker, precision, pairs) as chosen:
        file = scores / f"{chosen.key[:32]}.jsonl"
        scored = score(pairs, lambda: chosen.scorer(threads), file, progress)
        kept = [e for e in given if e.pair.key in scored.features]
        check_scores(kept, scored, chosen)
        features = np.array([scored.features[e.pair.key] for e in kept], dtype=np.float64)
        found, judgments = fitted(chosen, features, kept, folds, seed)
        record: dict[str, Any] = {
            "schema": "relevance-eval/calibration/1",
            "base": chosen.content["base"],
            "precision": precision,
            "seed": seed,
            "folds": min(folds, len({wording(e) for e in kept})),
            "data": data_record(examples, kept, scored),
            "held_out": held_out(kept, judgments, seed),
            "megabytes": megabytes(chosen),
            "versions": versions((*PACKAGES, *ROUNDING.get(precision or "", ()))),
        }
        low = record["held_out"]["quadratic_kappa"]["low"]
        record["notes"] = [NO_BETTER] if low <= 0 else []
        with replaced(out) as (folder, _):
            fingerprint = write(folder, chosen, found, record)
        return Calibrated(out, fingerprint, record, scored.reused)


def one_voice(examples: Sequence[Example]) -> list[Example]:
    """Each graded pair once: people's grade before a teacher's, and of several the mean."""
    given: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        if example.judgment is not None and example.judgment.graded:
            given.setdefault(example.pair.key, []).append(example)
    found: list[Example] = []
    for of_pair in given.values():
        chosen = [e for e in of_pair if by_people(e)] or of_pair
        judgments = [e.judgment for e in chosen if e.judgment]
        if len(judgments) > 1:
            name = " and ".join(sorted({j.labeler for j in judgments}))
            judgments = [Judgment.shared(name, judgments)]
        found.append(replace(chosen[0], judgment=judgments[0]))
    return found


def grades_of(examples: Sequence[Example]) -> list[int]:
    return [e.judgment.grade for e in examples if e.judgment]


def check_labels(given: Sequence[Example]) -> None:
    """Raises InputError for labels that no calibration can be fitted to, before anything is
    scored."""
    grades = Counter(grades_of(given))
    if len(given) < FEWEST:
        raise InputError(
            f"{len(given)} pairs have a grade, and a calibration needs {FEWEST}",
            remedy="grade more pairs: a few hundred, of 20 queries or more",
        )
    if len(grades) < 2:
        raise InputError(
            f"all {len(given):,} pairs have the grade {next(iter(grades))}",
            remedy="grade irrelevant documents of the same queries too, or check who graded",
        )
    if len({wording(e) for e in given}) < 2:
        raise InputError(
            "all graded pairs are of one query, and nothing is left to measure the calibration on",
            remedy="grade pairs of more queries: 20 or more",
        )


def check_scores(kept: Sequence[Example], scored: Scored, reranker: Reranker) -> None:
    """Raises LabelerError or InputError if too little is left, or all scores are the same."""
    if scored.reasons and len(kept) < FEWEST:
        (reason, count), *_ = Counter(scored.reasons.values()).most_common(1)
        raise LabelerError(
            f"{len(scored.reasons):,} of {len(kept) + len(scored.reasons):,} pairs have no score "
            f"({count:,}: {reason}), and a calibration needs {FEWEST}",
            where=reranker.files.name,
            remedy="check that the model is whole, and that --field names fields of the documents",
        )
    check_labels(kept)
    if len(set(scored.features.values())) < 2:
        raise LabelerError(
            f"the model gives all {len(kept):,} pairs the same score",
            where=reranker.files.name,
            remedy="check that it is a reranker whose weights are whole",
        )


def fitted(
    reranker: Reranker,
    features: np.ndarray[Any, np.dtype[np.float64]],
    kept: Sequence[Example],
    folds: int,
    seed: int,
) -> tuple[Fit, list[Judgment]]:
    """The calibration of all pairs, and judgments by cross-fitting.

    Raises LabelerError if scores do not rise with grades: turned round, the model would be another.
    """
    grades = np.array(grades_of(kept), dtype=np.int64)
    found = fit(features, grades, reranker.features)
    if not rises(found.head):
        raise LabelerError(
            "its scores do not rise with the grades: no calibration of it tells relevant documents",
            where=reranker.files.name,
            remedy="check that qrels, queries and corpus belong together, and that a higher score "
            "of the model means more relevant",
        )
    queries = [wording(e) for e in kept]
    judgments = cross_fitted(features, grades, queries, reranker.features, folds=folds, seed=seed)
    return found, judgments


def held_out(kept: Sequence[Example], judgments: Sequence[Judgment], seed: int) -> dict[str, Any]:
    """Agreement with the grades, each figure as value, low and high (95 %, by query)."""
    error = calibration_error(
        np.array([j.probabilities for j in judgments], dtype=np.float64),
        np.array(grades_of(kept), dtype=np.int64),
        [wording(e) for e in kept],
        seed,
    )
    return {**figures(kept, judgments, seed), "calibration_error": interval(error)}


def data_record(
    examples: Sequence[Example], kept: Sequence[Example], scored: Scored
) -> dict[str, Any]:
    """Counts; `ungraded` and those without a score were left out."""
    graded = [e for e in examples if e.judgment is not None and e.judgment.graded]
    named = Counter(grades_of(kept))
    return {
        "examples": len(examples),
        "ungraded": len(examples) - len(graded),
        "left_out": len(scored.reasons),
        "reasons": dict(sorted(Counter(scored.reasons.values()).items())),
        "pairs": len(kept),
        "queries": len({wording(e) for e in kept}),
        "documents": len({e.pair.document.content_hash for e in kept}),
        "labelers": dict(sorted(Counter(e.judgment.labeler for e in kept if e.judgment).items())),
        "grades": {str(g): named[g] for g in GRADES if named[g]},
    }


def megabytes(reranker: Reranker) -> float:
    """Of the model, its weights beside it and the tokenizer, in 10^6 bytes."""
    files = reranker.files
    paths = (files.model, files.weights, files.tokenizer)
    return round(sum(path.stat().st_size for path in paths if path.exists()) / 1e6, 3)


def write(folder: Path, reranker: Reranker, found: Fit, record: Mapping[str, Any]) -> str:
    """Fills the labeler's folder, opens it once to see that it is whole, and gives its
    fingerprint."""
    files = reranker.files
    manifest = {**reranker.content, "head": found.head.to_json(), "cuts": list(found.cuts)}
    (folder / "labeler.json").write_text(dumped(manifest), encoding="utf-8")
    for name, source in zip(FILES[1:], (files.model, files.tokenizer), strict=True):
        shutil.copyfile(source, folder / name)
    if files.weights.exists():
        shutil.copyfile(files.weights, folder / WEIGHTS)
    fingerprint = load_labeler(str(folder.absolute()), exact=True).fingerprint
    card = CalibratedCard(manifest, fingerprint, record)
    (folder / CARD).write_text(card.text(), encoding="utf-8")
    (folder / RECORD).write_text(dumped(record), encoding="utf-8")
    return fingerprint


def dumped(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
