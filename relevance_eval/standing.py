"""The new labeler beside others, on pairs that it never learned from."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relevance_eval.evaluators.agreement import Agreement, agree
from relevance_eval.evaluators.example import read_examples
from relevance_eval.evaluators.judgment import PERSON, Judgment
from relevance_eval.evaluators.labelling import Labeler, label
from relevance_eval.evaluators.pair import Pair
from relevance_eval.project import Project, Task

__all__ = ["Standing", "in_common", "standing"]


@dataclass(frozen=True)
class Standing:
    """A labeler on the held-out pairs, beside the reference's grades."""

    labeler: str
    agreement: Agreement


def standing(
    project: Project, folder: Path, task: Task, seed: int
) -> tuple[str, Sequence[Standing]]:
    """The new labeler, the built-in one and, where people graded, the teacher, on pairs that all
    of them graded."""
    held = read_examples(project.training / "student" / "holdout.jsonl")
    person = [e for e in held if e.judgment and e.judgment.labeler.startswith(PERSON)]
    known = person or held
    teacher = project.teacher(project.config.training.teach.endpoint or "")
    grades: dict[str, dict[str, int]] = {}
    for e in known:
        if e.judgment:
            grades.setdefault(e.pair.query.id, {})[e.pair.document.id] = e.judgment.grade
    labelers: list[Labeler] = [project.labeler(str(folder)), project.labeler("builtin")]
    if person:
        labelers.append(teacher)
    pairs, relevant = [e.pair for e in known], project.config.compare.relevant
    found = [(at.name, by_id) for at, by_id in graded(project, labelers, pairs, task) if by_id]
    shared = in_common(grades, [judged for _, judged in found])
    standings = [
        Standing(name, agree(shared, judged, relevant=relevant, seed=seed))
        for name, judged in found
    ]
    return ("people" if person else teacher.name), standings


def in_common(
    grades: Mapping[str, Mapping[str, int]], judged: Sequence[Mapping[str, Mapping[str, Judgment]]]
) -> dict[str, dict[str, int]]:
    """The grades of the pairs that all labelers graded: figures of others cannot be compared."""
    return {
        q: {i: g for i, g in of_query.items() if all(i in by_id.get(q, {}) for by_id in judged)}
        for q, of_query in grades.items()
    }


def graded(
    project: Project, labelers: Sequence[Labeler], pairs: Sequence[Pair], task: Task
) -> Generator[tuple[Labeler, Mapping[str, Mapping[str, Judgment]]]]:
    """What each labeler says; what the store holds is not asked for again."""
    with project.store() as store:
        for labeler in labelers:
            with task(f"labelling by {labeler.name}") as progress:
                yield labeler, label(pairs, labeler, store, progress, people=False).by_id(pairs)
