"""From a student's folder to a labeler's: ONNX, smaller, measured, and described."""

# PyTorch, which the student needs, is optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import ExportError, LabelerError
from relevance_eval.evaluators.example import Example, read_examples
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.decoder import Decoder as DecoderLabeler
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.manifest import FILES, WEIGHTS
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.exporters.folders import check_replaceable, replaced
from relevance_eval.exporters.model_card import Card, place_free
from relevance_eval.exporters.onnx import MODEL, OUTPUT, export_continued, export_graph
from relevance_eval.exporters.parity import (
    EXACT,
    PYTORCH,
    Parity,
    beyond,
    check,
    judge,
    same,
    split,
    spread,
    usable,
)
from relevance_eval.exporters.quantize import FORMS, RANGED, Form, static
from relevance_eval.exporters.settings import ExportSettings, Precision
from relevance_eval.exporters.speed import speeds
from relevance_eval.exporters.students.base import MINILM
from relevance_eval.exporters.students.decoder import Decoder
from relevance_eval.exporters.students.student import Student, load_student
from relevance_eval.exporters.versions import versions

__all__ = ["Export", "export"]

RECORD = "export.json"
CARD = "README.md"
PLAIN = "ONNX fp32"
MINILM_BASE = "sentence-transformers/all-MiniLM-L6-v2"
"""What `minilm` stands for."""
TIMED = 48
"""Pairs on which speeds are measured."""
PACKAGES = (
    "relevance-eval",
    "torch",
    "transformers",
    "optimum-onnx",
    "onnx",
    "onnxruntime",
    "nncf",
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Export:
    """A finished labeler.

    Attributes:
        folder: what `labeler = "folder"` takes.
        fingerprint: the labeler's.
        record: what export.json holds: precision, parity of each form as ONNX Runtime's own
            provider computes it, sizes, bounds, versions.
        parity: of all forms, also of the finished labeler in the arithmetic of OpenVINO where that
            runs it on this machine.
        speeds: labels a second of the same, but PyTorch, side by side on this machine; empty unless
            asked for.
        notes: bounds that the labeler is beyond in that arithmetic, in sentences.

    The last three are no part of the folder, which the same packages on the same kind of processor
    write with the same bytes.
    """

    folder: Path
    fingerprint: str
    record: Mapping[str, Any]
    parity: Mapping[str, Parity]
    speeds: Mapping[str, float]
    notes: Sequence[str]


def export(
    student: Path,
    settings: ExportSettings,
    out: Path,
    *,
    timed: bool = False,
    threads: int = 0,
    progress: Progress = lambda done, total: None,
) -> Export:
    """Writes the labeler's folder, if it still grades as the student does.

    Args:
        student: folder that `train` wrote.
        out: folder to write; a labeler that was exported to it before is replaced, at the very end.
        timed: measure speeds too.
        threads: batches at a time; 0 for one a core.
        progress: called with (answers so far, answers in all) while forms are compared.

    Raises:
        LabelerError: there is no student, its training did not end, or its files are broken.
        ExportError: it has no ONNX form, has no held-out pairs, or the form is beyond the bounds of
            `settings`. What `out` held before is still there.
        DependencyError: `nncf` is missing, which int8-static needs.
        UsageError: `out` is a folder of something else.
        StorageError: the folder cannot be written.
    """
    check_replaceable(out, RECORD)
    taught = load_student(student)
    training = read_record(student / "training.json")
    held = usable(read_holdout(student), taught)
    ranged, others = split(held, RANGED) if settings.precision == "int8-static" else ([], held)
    form = form_of(settings.precision, taught, ranged)
    examples = spread(others, settings.pairs)
    with replaced(out) as (folder, work):
        manifest = manifest_of(taught, student, settings, base_of(training))
        write_texts(manifest, student, (work, folder))
        forms = write_forms(taught, settings.precision, form, examples, work, folder)
        exact = {name: load(path, threads, exact=True) for name, path in forms.items()}
        finished = exact[list(forms)[-1]]
        labelers = exact | runs_here(forms, finished, threads)
        found = check(taught, labelers, examples, progress)
        judge_all(found, settings, student)
        fast = speeds(labelers, [e.pair for e in examples[:TIMED]]) if timed else {}
        notes = [
            f"{name} is beyond the bounds on this machine: {broken}"
            for name, parity in found.items()
            if name not in (PYTORCH, *exact) and (broken := beyond(parity, settings))
        ]
        record = record_of(settings, forms, {k: found[k] for k in (PYTORCH, *exact)})
        record["reuses_prompt"] = getattr(finished, "reuses_prompt", False)
        describe(folder, finished, training, record)
    return Export(out, finished.fingerprint, record, found, fast, notes)


def form_of(precision: Precision, taught: Student, ranged: Sequence[Example]) -> Form:
    """How the graph is to be written. Raises ExportError where that cannot be."""
    if precision != "int8-static":
        return FORMS[precision]
    if isinstance(taught.module, Decoder):
        raise ExportError(
            "int8-static is for encoders, and this student is a decoder",
            remedy="choose the precision int8 or int4",
        )
    inputs = [taught.frame.input(example.pair) for example in ranged]
    if not inputs:
        raise ExportError(
            "there are no held-out pairs to spare for the ranges of int8-static",
            remedy="choose the precision int8, or train on more pairs",
        )
    return static([item for item in inputs if isinstance(item, Input)])


def load(path: Path, threads: int, exact: bool) -> Labeler:
    return load_labeler(str(path.absolute()), threads=threads, exact=exact)


def runs_here(forms: Mapping[str, Path], finished: Labeler, threads: int) -> dict[str, Labeler]:
    """The finished labeler as every other command loads it, if that is in another arithmetic."""
    name, path = list(forms.items())[-1]
    if not isinstance(finished, CrossEncoder) or isinstance(finished, DecoderLabeler):
        return {}
    here = load(path, threads, exact=False)
    arithmetic = here.arithmetic if isinstance(here, CrossEncoder) else None
    return {f"{name} in {arithmetic}": here} if arithmetic else {}


def write_texts(manifest: str, student: Path, folders: Sequence[Path]) -> None:
    """All of a labeler's files but the model."""
    for folder in folders:
        (folder / "labeler.json").write_text(manifest, encoding="utf-8")
        shutil.copyfile(student / "tokenizer.json", folder / "tokenizer.json")


def write_forms(
    taught: Student,
    precision: Precision,
    form: Form,
    examples: Sequence[Example],
    work: Path,
    folder: Path,
) -> dict[str, Path]:
    """Labelers' folders by the name of the form: float32, and the one that was asked for."""
    if precision == "fp32":
        write_graph(taught, folder, examples)
        return {PLAIN: folder}
    write_graph(taught, work, examples)
    form(work / MODEL, folder / MODEL)
    return {PLAIN: work, f"ONNX {precision}": folder}


def write_graph(taught: Student, folder: Path, examples: Sequence[Example]) -> None:
    """The graph in float32: a decoder's reads what prompts share once, where it grades the same."""
    if isinstance(taught.module, Decoder):
        # an attention of its own kind keeps no such past
        with suppress(ExportError, LabelerError):
            export_continued(taught.module, folder)
            if same(taught, load_labeler(str(folder.absolute()), exact=True), examples):
                return
    export_graph(taught.module, folder)


def base_of(training: Mapping[str, Any]) -> str | None:
    """Name of the model that the student was made from, without a folder's place; None if the
    record does not tell."""
    settings = training.get("settings")
    base = cast(dict[str, Any], settings).get("base") if isinstance(settings, dict) else None
    if not isinstance(base, str):
        return None
    return MINILM_BASE if base == MINILM else place_free(base)


def manifest_of(taught: Student, student: Path, settings: ExportSettings, base: str | None) -> str:
    """labeler.json: the student's, under the name and the terms of the finished labeler."""
    content = taught.manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    content |= {
        "name": settings.name or f"{student.absolute().parent.name}-{taught.manifest.name}",
        "output": OUTPUT,
        "made_by": f"relevance-eval {version('relevance-eval')} export",
        "license": settings.license,
        **({"base": base} if base else {}),
    }
    return json.dumps(content, indent=2) + "\n"


def judge_all(found: Mapping[str, Parity], settings: ExportSettings, student: Path) -> None:
    """Raises ExportError for a form beyond its bounds: float32 has narrower ones of its own."""
    exact = found[PLAIN]
    if max(exact.largest, exact.neighbours) > EXACT:
        raise ExportError(
            "its ONNX form computes something else: expected grades differ by "
            f"{exact.largest:.4g}, and by {exact.neighbours:.4g} with their neighbours "
            f"({EXACT:g} allowed). "
            "Nothing was written",
            where=str(student),
            remedy="train a student of another base",
        )
    judge(found[f"ONNX {settings.precision}"], settings, student)


def record_of(
    settings: ExportSettings, forms: Mapping[str, Path], found: Mapping[str, Parity]
) -> dict[str, Any]:
    return {
        "schema": "relevance-eval/export/1",
        "form": list(forms)[-1],
        "precision": settings.precision,
        "megabytes": {name: megabytes(folder) for name, folder in forms.items()},
        "parity": {name: asdict(parity) for name, parity in found.items()},
        "bounds": settings.model_dump(include={"max_difference", "max_flips", "max_loss"}),
        "versions": versions(PACKAGES),
    }


def describe(
    folder: Path, labeler: Labeler, training: Mapping[str, Any], record: Mapping[str, Any]
) -> None:
    """Writes README.md and export.json, which say what the labeler is and are no part of it."""
    manifest = json.loads((folder / "labeler.json").read_bytes())
    card = Card(manifest, labeler.fingerprint, training, record)
    (folder / CARD).write_text(card.text(), encoding="utf-8")
    text = json.dumps(record, indent=2) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")


def megabytes(folder: Path) -> float:
    """Of the model, its weights beside it and the tokenizer, in 10^6 bytes."""
    sizes = [(folder / n).stat().st_size for n in (*FILES, WEIGHTS) if (folder / n).exists()]
    return round(sum(sizes) / 1e6, 3)


def read_record(path: Path) -> dict[str, Any]:
    """What training.json holds. Raises LabelerError if there is none, ExportError if broken."""
    try:
        found: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise LabelerError(
            "its training has not come to an end: the weights there may be of an earlier one",
            where=str(path.parent),
            remedy="run relevance-eval train again, which goes on where it was",
        ) from None
    except (OSError, ValueError) as error:
        raise broken_record(path, str(error)) from None
    if not isinstance(found, dict):
        raise broken_record(path, "it is no object")
    return cast(dict[str, Any], found)


def broken_record(path: Path, why: str) -> ExportError:
    return ExportError(
        f"the record of the training cannot be read: {why}",
        where=str(path),
        remedy="run relevance-eval train again",
    )


def read_holdout(student: Path) -> list[Example]:
    """Raises InputError for a broken row; a file that is missing has no rows."""
    path = student / "holdout.jsonl"
    return read_examples(path) if path.exists() else []
