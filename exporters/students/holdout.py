"""Held-out pairs, and how well a student agrees with whoever graded them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relevance_eval.evaluators.agreement import agree
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.exporters.students.calibrate import (
    FEWEST,
    Calibration,
    calibration_error,
    cross_fitted,
    fit_calibration,
    log_loss,
    softmax,
)
from relevance_eval.exporters.students.split import by_people, wording

__all__ = ["Holdout", "figures"]

Floats = NDArray[np.float64]
FIGURES = ("kappa", "quadratic_kappa", "relevant_kappa", "pairwise_accuracy", "ndcg")
STUDENT = "student"


@dataclass(frozen=True)
class Holdout:
    """Graded pairs that a student does not learn from; each has a judgment."""

    examples: Sequence[Example]

    @cached_property
    def references(self) -> list[Judgment]:
        return [e.judgment for e in self.examples if e.judgment is not None]

    @cached_property
    def targets(self) -> Floats:
        """The reference's probabilities, shape [n, 4]."""
        return np.array([j.probabilities for j in self.references], dtype=np.float64)

    @cached_property
    def grades(self) -> NDArray[np.int64]:
        """The grades that the reference names, shape [n]."""
        return np.array([j.grade for j in self.references], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, rows: NDArray[np.bool_]) -> Holdout:
        return Holdout([e for e, wanted in zip(self.examples, rows, strict=True) if wanted])

    @property
    def of_people(self) -> NDArray[np.bool_]:
        """Which pairs a person graded, shape [n]."""
        return np.array([by_people(e) for e in self.examples], dtype=np.bool_)

    @cached_property
    def measure(self) -> str:
        """What `score` is here."""
        expected = self.targets @ np.array(GRADES)
        return "quadratic kappa of expected grades" if np.ptp(expected) else "minus log loss"

    def score(self, logits: NDArray[np.float32]) -> float:
        """How well logits [n, 4] agree with the reference; more is better.

        Quadratic-weighted kappa of the expected grades, unrounded: 1 - E(s - t)^2 /
        (var s + var t + (mean s - mean t)^2), which is Lin's (1989) concordance correlation, -1 to
        1. It needs no cut points, which a student in the middle of its training does not have yet.
        Where the reference expects one grade everywhere, it is 0 whatever the student says, and
        minus the log loss takes its place.
        """
        probabilities = softmax(logits)
        if self.measure == "minus log loss":
            return -log_loss(probabilities, self.targets)
        student, teacher = probabilities @ np.array(GRADES), self.targets @ np.array(GRADES)
        apart = float(((student - teacher) ** 2).mean())
        chance = student.var() + teacher.var() + (student.mean() - teacher.mean()) ** 2
        return 1.0 - apart / float(chance)

    def calibrated(
        self, logits: NDArray[np.float32], seed: int
    ) -> tuple[Calibration, list[Judgment], dict[str, Any]]:
        """The calibration to ship, the pairs' judgments by cross-fitting, and a report.

        Fitted on people's grades where there are enough of them, else on all.
        """
        chosen = self.of_people
        if chosen.sum() < FEWEST:
            chosen = np.ones(len(self), dtype=np.bool_)
        part, given = self.take(chosen), logits[chosen]
        shipped = fit_calibration(given, part.targets, part.grades)
        queries = [wording(e) for e in part.examples]
        crossed = cross_fitted(given, part.targets, part.grades, queries, seed)
        by_query = dict(zip(queries, crossed, strict=True))
        judgments = [
            by_query.get(wording(e), shipped).judgments(logits[i : i + 1], STUDENT)[0]
            for i, e in enumerate(self.examples)
        ]
        fair = [j for j, wanted in zip(judgments, chosen, strict=True) if wanted]
        after = np.array([j.probabilities for j in fair])
        report: dict[str, Any] = {
            "fitted_on": "people" if self.of_people[chosen].all() else "teacher",
            "pairs": len(part),
            "queries": len(set(queries)),
            "temperature": shipped.temperature,
            "cuts": list(shipped.cuts),
            "before": errors(softmax(given), part.targets),
            "after": errors(after, part.targets),
        }
        if len(part) < FEWEST:
            report["note"] = f"fewer than {FEWEST} held-out pairs: left as it was"
        return shipped, judgments, report


def errors(probabilities: Floats, targets: Floats) -> dict[str, float]:
    return {
        "calibration_error": calibration_error(probabilities, targets),
        "log_loss": log_loss(probabilities, targets),
    }


def figures(
    references: Sequence[Example], judgments: Sequence[Judgment], seed: int
) -> dict[str, Any]:
    """Agreement of judgments with the references' grades, each figure as value, low, high (95 %).

    Intervals come from resampling queries.
    """
    truth: dict[str, dict[str, int]] = {}
    judged: dict[str, dict[str, Judgment]] = {}
    for example, judgment in zip(references, judgments, strict=True):
        if example.judgment is not None:
            query, document = wording(example), example.pair.document.content_hash
            truth.setdefault(query, {})[document] = example.judgment.grade
            judged.setdefault(query, {})[document] = judgment
    found = agree(truth, judged, seed=seed)
    values = {name: interval(getattr(found, name)) for name in FIGURES}
    return {"queries": found.queries, "pairs": found.pairs, **values, "confusion": found.confusion}


def interval(found: Interval) -> dict[str, float | None]:
    return {"value": found.mean, "low": found.low, "high": found.high}
