"""Training with what a configuration describes, and with grades from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relevance_eval.errors import InputError, UsageError
from relevance_eval.evaluators.example import Example, read_examples
from relevance_eval.evaluators.judgment import PERSON
from relevance_eval.evaluators.qrels import Qrels, read_people
from relevance_eval.exporters.settings import TrainSettings
from relevance_eval.exporters.students.graded import graded
from relevance_eval.meeting import corpus_of, query_set
from relevance_eval.project import Project

__all__ = ["changed_settings", "from_grades", "gathered"]

TEACHER = "teacher:"


def changed_settings(settings: TrainSettings, **given: Any) -> TrainSettings:
    """The settings with those that are not None in their places."""
    changes = {name: value for name, value in given.items() if value is not None}
    return TrainSettings.model_validate(settings.model_dump() | changes)


def gathered(
    project: Project,
    files: Sequence[Path],
    *,
    qrels: Sequence[Path],
    people: Sequence[Path],
    queries: str | None,
    corpus: str | None,
) -> list[Example]:
    """Examples of all files; `graded.jsonl` of the training folder if nothing is named.

    Args:
        files: as `teach` writes them.
        qrels, people: grades by teachers and by people, on the queries and the corpus named.

    Raises:
        InputError: a file is missing or broken, or holds no grade.
        UsageError: there is nothing to learn from yet.
    """
    given = list(files)
    if not given and not qrels:
        given = [project.training / "graded.jsonl"]
        if not given[0].exists():
            raise UsageError(
                "there are no graded pairs yet",
                where=str(given[0]),
                remedy="run relevance-eval teach, or name files, or --qrels with --queries and "
                "--corpus",
            )
    examples = [e for path in given for e in read_examples(path)]
    if qrels or people:
        sources = {f"{TEACHER}{name}": grades for name, grades in read_people(qrels).items()}
        sources |= {f"{PERSON}{name}": grades for name, grades in read_people(people).items()}
        examples += from_grades(project, sources, queries, corpus)
    if not any(e.judgment for e in examples):
        raise InputError(
            "not one pair has a grade",
            where=", ".join(str(path) for path in given),
            remedy="run relevance-eval teach first",
        )
    return examples


def from_grades(
    project: Project, sources: Mapping[str, Qrels], queries: str | None, corpus: str | None
) -> list[Example]:
    asked = query_set(project, queries)
    wanted = frozenset(i for q in sources.values() for grades in q.values() for i in grades)
    documents = corpus_of(project, corpus, wanted)
    return [e for name, q in sources.items() for e in graded(q, asked, documents, name)]
