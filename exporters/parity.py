"""Whether the labeler in ONNX is still the student in PyTorch, on held-out pairs."""

# PyTorch, which the student needs, is optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relevance_eval.errors import ExportError
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.exporters.settings import ExportSettings, Precision
from relevance_eval.exporters.students.calibrate import Calibration
from relevance_eval.exporters.students.student import Student

__all__ = [
    "EXACT",
    "PYTORCH",
    "Parity",
    "beyond",
    "check",
    "judge",
    "same",
    "split",
    "spread",
    "usable",
]

PYTORCH = "PyTorch"
EXACT = 0.01
"""Grades by which float32 in ONNX may differ from PyTorch: more is another computation."""
SAME = 1e-3
"""Grades by which prompts that share their beginning may differ from whole ones, in float32."""
FEW, COPIES = 12, 4
"""Pairs that this is tried on, each often enough for its query to be read once for all of them."""
ALONE = 24
"""Pairs that are graded once more without neighbours."""
CHUNK = 64
GENTLER: Mapping[Precision, str] = {
    "int8": "int8-weights",
    "int8-static": "int8-weights",
    "int4": "int8-weights",
    "int8-weights": "fp32",
    "fp16": "fp32",
}


@dataclass(frozen=True)
class Parity:
    """One form of the model on held-out pairs, against PyTorch in float32.

    Attributes:
        pairs: how many were graded by all forms.
        largest, mean: difference of expected grades, 0 to 3.
        flips: share of pairs whose named grade is another, 0 to 1.
        kappa: quadratic-weighted, of expected grades against the reference's, -1 to 1.
        loss: PyTorch's kappa minus this one; below 0 is a gain.
        neighbours: largest difference of an expected grade when a pair is graded alone instead of
            in a batch, 0 to 3.
    """

    pairs: int
    largest: float
    mean: float
    flips: float
    kappa: float
    loss: float
    neighbours: float


def spread(examples: Sequence[Example], most: int) -> list[Example]:
    """At most that many, evenly over all of them."""
    places = np.linspace(0, len(examples) - 1, min(most, len(examples))).round().astype(int)
    return [examples[i] for i in np.unique(places)]


def split(examples: Sequence[Example], most: int) -> tuple[list[Example], list[Example]]:
    """At most that many and at most half, evenly over all of them, and the others."""
    some = spread(examples, min(most, len(examples) // 2))
    taken = {id(example) for example in some}
    return some, [e for e in examples if id(e) not in taken]


def usable(examples: Sequence[Example], student: Student) -> list[Example]:
    """The pairs that have a grade and that the student can read.

    Raises ExportError if there are none.
    """
    found = [
        e
        for e in examples
        if e.judgment is not None
        and e.judgment.graded
        and not isinstance(student.frame.input(e.pair), str)
    ]
    if not found:
        raise ExportError(
            "there is no held-out pair to compare the exported model on",
            remedy="run relevance-eval train again: it keeps some apart in holdout.jsonl",
        )
    return found


Answers = list[Judgment]
Grader = Callable[[Sequence[Example], "Tally"], Answers]


class Tally:
    """Counts answers of all forms together, for people who wait."""

    def __init__(self, progress: Callable[[int, int], None], total: int):
        self.progress, self.total, self.done = progress, total, 0

    def add(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total)


def check(
    student: Student,
    forms: Mapping[str, Labeler],
    examples: Sequence[Example],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Parity]:
    """PyTorch first, then each form by name, all on the same pairs.

    Args:
        examples: with grades, as `usable` gives them.
        progress: called with (answers so far, answers in all).

    Raises:
        ExportError: a form leaves a pair ungraded.
    """
    graders = {PYTORCH: by_student(student)}
    graders |= {name: by_labeler(name, labeler) for name, labeler in forms.items()}
    lonely = list(range(0, len(examples), max(1, len(examples) // ALONE)))[:ALONE]
    tally = Tally(progress, len(graders) * (len(examples) + len(lonely)))
    reference: Answers = []
    found: dict[str, Parity] = {}
    for name, grade in graders.items():
        given = grade(examples, tally)
        alone = [grade([examples[i]], tally)[0] for i in lonely]
        reference = reference or given
        apart = differences(given, reference)
        agreed = kappa(given, examples)
        found[name] = Parity(
            pairs=len(examples),
            largest=float(apart.max()),
            mean=float(apart.mean()),
            flips=float(
                np.mean([a.grade != b.grade for a, b in zip(given, reference, strict=True)])
            ),
            kappa=agreed,
            loss=found[PYTORCH].kappa - agreed if found else 0.0,
            neighbours=float(differences(alone, [given[i] for i in lonely]).max()),
        )
    return found


def same(student: Student, labeler: Labeler, examples: Sequence[Example]) -> bool:
    """Whether a float32 labeler that reads what prompts share once grades as the student does.

    Raises ExportError if it leaves a pair ungraded, LabelerError if it cannot run.
    """
    few = examples[:FEW]
    tally = Tally(lambda done, total: None, 0)
    expected = by_student(student)(few, tally)
    given = by_labeler(labeler.name, labeler)([*few] * COPIES, tally)
    return bool((differences(given, expected * COPIES) <= SAME).all())


def by_student(student: Student) -> Grader:
    """PyTorch's answers under the calibration that the labeler will have."""
    manifest = student.manifest
    calibration = Calibration(manifest.temperature, tuple(manifest.cuts))

    def grade(examples: Sequence[Example], tally: Tally) -> Answers:
        given: Answers = []
        for start in range(0, len(examples), CHUNK):
            framed = [student.frame.input(e.pair) for e in examples[start : start + CHUNK]]
            inputs = [i for i in framed if isinstance(i, Input)]
            given += calibration.judgments(student.logits(inputs), PYTORCH)
            tally.add(len(inputs))
        return given

    return grade


def by_labeler(name: str, labeler: Labeler) -> Grader:
    """Answers of a finished labeler, as every other command gets them."""

    def grade(examples: Sequence[Example], tally: Tally) -> Answers:
        given: dict[int, Judgment] = {}
        for position, judgment in labeler.label([e.pair for e in examples]):
            given[position] = judgment
            tally.add(1)
        missing = [j.reason for j in given.values() if not j.graded]
        if missing or len(given) < len(examples):
            count = len(missing) + len(examples) - len(given)
            why = missing[0] if missing else "no answer"
            raise ExportError(
                f"{name} leaves {count:,} of {len(examples):,} held-out pairs ungraded: {why}",
                remedy="choose another precision, or train the student anew",
            )
        return [given[i] for i in range(len(examples))]

    return grade


def differences(given: Answers, reference: Answers) -> NDArray[np.float64]:
    """Between expected grades, shape [n], each 0 to 3."""
    both = zip(given, reference, strict=True)
    return np.abs(np.array([a.expected - b.expected for a, b in both]))


def kappa(given: Answers, examples: Sequence[Example]) -> float:
    """Quadratic-weighted kappa of expected grades, unrounded, against the reference's.

    1 - E(s - t)^2 / (var s + var t + (mean s - mean t)^2), which is Lin's (1989) concordance
    correlation, -1 to 1, and 0 where nothing varies. Of named grades it would jump where a grade
    flips that was on a cut point: flips have a bound of their own.
    """
    said = np.array([j.expected for j in given])
    true = np.array([e.judgment.expected for e in examples if e.judgment is not None])
    chance = said.var() + true.var() + (said.mean() - true.mean()) ** 2
    return float(1 - ((said - true) ** 2).mean() / chance) if chance else 0.0


def beyond(parity: Parity, settings: ExportSettings) -> str:
    """The bounds that a form is beyond, with the numbers; empty if it is within all of them."""
    broken = [
        f"{what} {has:.4g} ({most:g} allowed)"
        for what, has, most in (
            ("an expected grade differs by", parity.largest, settings.max_difference),
            ("with its neighbours it differs by", parity.neighbours, settings.max_difference),
            ("share of grades that flip", parity.flips, settings.max_flips),
            ("quadratic kappa lost", parity.loss, settings.max_loss),
        )
        if not has <= most  # not a number is beyond every bound
    ]
    return "; ".join(broken)


def judge(parity: Parity, settings: ExportSettings, where: Path) -> None:
    """Raises ExportError, with the numbers, where the form that was asked for is beyond a bound."""
    broken = beyond(parity, settings)
    if broken:
        gentler = GENTLER.get(settings.precision)
        other = f"choose the precision {gentler}, or " if gentler else ""
        raise ExportError(
            f"in {settings.precision} this is another labeler, on {parity.pairs:,} held-out "
            f"pairs: {broken}. Nothing was written",
            where=str(where),
            remedy=f"{other}widen the bounds in [training.export]",
        )
