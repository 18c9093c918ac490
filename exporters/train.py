"""From graded pairs to a trained, calibrated student in a folder."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from relevance_eval.errors import InputError, UsageError, storage_error
from relevance_eval.evaluators.example import Example, write_examples
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.exporters.folders import check_replaceable
from relevance_eval.exporters.settings import TrainSettings
from relevance_eval.exporters.students.base import find_base
from relevance_eval.exporters.students.checkpoint import (
    AGAIN,
    NAMES,
    begin_anew,
    check_hashes,
    forget_checkpoint,
)
from relevance_eval.exporters.students.holdout import Holdout, figures
from relevance_eval.exporters.students.lessons import Lessons
from relevance_eval.exporters.students.split import Split, by_people, split, wording
from relevance_eval.exporters.students.student import Student, new_student
from relevance_eval.exporters.students.trainer import Course, Trainer
from relevance_eval.exporters.versions import versions

__all__ = ["Training", "train"]

Progress = Callable[[int, int], None]
Notice = Callable[[str], None]
PACKAGES = ("torch", "transformers", "accelerate", "peft", "tokenizers", "numpy")
RECORD = "training.json"
CHECKPOINTS = "checkpoints"
HOLDOUT = "holdout.jsonl"


@dataclass(frozen=True)
class Training:
    """A finished student.

    Attributes:
        folder: with weights, tokenizer.json, labeler.json, holdout.jsonl and training.json.
        record: what training.json holds.
        fresh: False if the folder held this very student already, and nothing was done.
    """

    folder: Path
    record: Mapping[str, Any]
    fresh: bool = True


def train(
    examples: Sequence[Example],
    settings: TrainSettings,
    folder: Path,
    *,
    seed: int,
    beside: Path = Path(),
    progress: Progress = lambda done, total: None,
    notice: Notice = lambda text: None,
    restart: bool = False,
) -> Training:
    """Teaches a student what graded examples hold, and calibrates it on those held out.

    The same examples, settings and seed give the same weights on the same machine in fp32. What was
    stopped goes on from its last evaluation, to the same numbers.

    Args:
        examples: those without a grade are left out.
        folder: where the student goes; checkpoints lie in it until it is finished.
        beside: folder that a relative `base` begins in.
        progress: called with (steps done, steps to do) after each.
        notice: called with a line of text at each evaluation.
        restart: forget a training that was here before.

    Raises:
        InputError: too few queries, too few groups of them, or one grade only.
        UsageError: a training of other settings or data is in the folder, or something else than a
            training, or max_tokens is not enough for the frame.
        LabelerError: the base model is missing, broken, or of another kind.
        StorageError: the folder cannot be written.
    """
    started = time.perf_counter()
    check_replaceable(folder, RECORD, *(f"{CHECKPOINTS}/{name}" for name in NAMES))
    graded = [e for e in examples if e.judgment is not None and e.judgment.graded]
    hashes = {"settings": settings_hash(settings, seed), "data": data_hash(graded)}
    if not restart and (done := finished(folder, hashes)):
        return Training(folder, done, fresh=False)
    sides = split(graded, settings.holdout, settings.people_holdout, seed)
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    student = new_student(settings, base_folder=find_base(settings.base, beside), seed=seed)
    sides, refused = readable(sides, student)
    lessons = Lessons(sides.training, settings.batch, settings.field_dropout, seed)
    weights = [settings.people_weight if by_people(e) else 1.0 for e in sides.training]
    holdout = Holdout(sides.holdout)
    trainer = Trainer(student, lessons, holdout, settings, weights, hashes)
    if restart:
        forget(folder)
    course = trainer.run(folder / CHECKPOINTS, progress, notice)
    logits = student.logits(trainer.held)
    calibration, judgments, report = holdout.calibrated(logits, seed)
    record: dict[str, Any] = {
        "schema": "relevance-eval/training/1",
        "hashes": hashes,
        "seed": seed,
        "settings": settings.model_dump(mode="json"),
        "data": data_record(examples, sides, refused),
        **course_record(course, holdout),
        "held_out": agreements(graded, holdout, judgments, seed),
        "calibration": report,
        "hardware": {
            "device": str(trainer.accelerator.device),
            "precision": trainer.precision,
            "threads": torch.get_num_threads(),
        },
        "versions": versions(PACKAGES),
    }
    student = student.with_manifest(temperature=calibration.temperature, cuts=[*calibration.cuts])
    record["seconds"] = round(time.perf_counter() - started, 1)
    save(student, sides, record, folder)
    return Training(folder, record)


def readable(sides: Split, student: Student) -> tuple[Split, int]:
    """Without the pairs of which the student can read nothing, and how many those are.

    Raises InputError if nothing is left to learn or to measure.
    """
    kept = Split(
        *(
            [e for e in side if not isinstance(student.frame.input(e.pair), str)]
            for side in (sides.training, sides.holdout)
        )
    )
    if not kept.training or not kept.holdout:
        raise InputError("no graded pair has text in the fields that a student reads")
    if len({e.judgment.probabilities for e in kept.training if e.judgment}) < 2:
        raise InputError(
            "all pairs to learn from have the same grade",
            remedy="grade documents of other ranks too, or check the teacher",
        )
    before = len(sides.training) + len(sides.holdout)
    return kept, before - len(kept.training) - len(kept.holdout)


def save(student: Student, sides: Split, record: Mapping[str, Any], folder: Path) -> None:
    """The record is written last: a folder that has one is whole. Then the checkpoints go."""
    try:
        (folder / RECORD).unlink(missing_ok=True)
        student.save(folder)
        write_examples(folder / HOLDOUT, sides.holdout)
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise storage_error(error, folder) from error
    with suppress(OSError):
        forget_checkpoint(folder / CHECKPOINTS)


def forget(folder: Path) -> None:
    """Before the first step, or a training that is stopped later would go on with what it was to
    replace; and after all checks, so that what they refuse costs no student."""
    try:
        begin_anew(folder / CHECKPOINTS)
        (folder / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error


def finished(folder: Path, hashes: dict[str, str]) -> dict[str, Any] | None:
    """The record of a student that is here already, or None.

    Raises UsageError if it is one of other settings or data.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise UsageError(
            "the record of an earlier training cannot be read",
            where=str(path),
            remedy=AGAIN,
        ) from None
    check_hashes(record.get("hashes", {}), hashes, path)
    return record


def settings_hash(settings: TrainSettings, seed: int) -> str:
    """How many threads there are changes the last digits and no more: it may differ."""
    content = settings.model_dump(mode="json", exclude={"threads"}) | {"seed": seed}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def data_hash(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for e in examples:
        judgment = e.judgment or Judgment.failed("", "")
        row = [*e.pair.key, e.seed, judgment.labeler, judgment.probabilities]
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def data_record(examples: Sequence[Example], sides: Split, refused: int) -> dict[str, Any]:
    """Counts; `ungraded` and `without_text` were left out."""
    graded = [e for e in examples if e.judgment is not None and e.judgment.graded]
    return {
        "examples": len(examples),
        "ungraded": len(examples) - len(graded),
        "without_text": refused,
        "queries": len({wording(e) for e in graded}),
        "documents": len({e.pair.document.content_hash for e in graded}),
        "origins": dict(sorted(Counter(e.origin for e in graded).items())),
        "labelers": dict(sorted(Counter(e.judgment.labeler for e in graded if e.judgment).items())),
        "training": side_record(sides.training),
        "holdout": side_record(sides.holdout),
    }


def side_record(side: Sequence[Example]) -> dict[str, Any]:
    named = Counter(e.judgment.grade for e in side if e.judgment)
    return {
        "pairs": len(side),
        "queries": len({wording(e) for e in side}),
        "by_people": sum(by_people(e) for e in side),
        "grades": {str(grade): count for grade, count in sorted(named.items())},
    }


def course_record(course: Course, holdout: Holdout) -> dict[str, Any]:
    return {
        "score": holdout.measure,
        "curve": list(course.curve),
        "best": course.best,
        "steps": course.steps,
        "stopped_early": course.stopped,
    }


def agreements(
    graded: Sequence[Example], holdout: Holdout, judgments: Sequence[Judgment], seed: int
) -> dict[str, Any]:
    """The student against the teacher and against people; the teacher against people beside it.

    Only for pairs that both sides graded; what nobody graded is left out.
    """
    said = dict(zip((e.pair.key for e in holdout.examples), judgments, strict=True))
    taught = {e.pair.key: e for e in graded if not by_people(e) and e.pair.key in said}
    people = [e for e in holdout.examples if by_people(e)]
    found: dict[str, Any] = {}
    if taught:
        found["student_against_teacher"] = figures(
            list(taught.values()), [said[key] for key in taught], seed
        )
    if people:
        found["student_against_people"] = figures(people, [said[e.pair.key] for e in people], seed)
    both = [e for e in people if e.pair.key in taught]
    if both:
        teacher = [taught[e.pair.key].judgment for e in both]
        found["teacher_against_people"] = figures(both, [j for j in teacher if j], seed)
    return found
