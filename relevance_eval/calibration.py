"""Calibrating a model with what a configuration describes, and with grades from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import PERSON
from relevance_eval.evaluators.qrels import read_people
from relevance_eval.learning import from_grades, gathered
from relevance_eval.project import Project

__all__ = ["grades_for", "scores_folder"]


def grades_for(
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
        qrels, people: grades by anybody, known by the file's name, and by people, on the queries
            and the corpus named.

    Raises:
        InputError: a file is missing or broken, or holds no grade.
        UsageError: nothing is named, and nothing was graded yet.
    """
    examples: list[Example] = []
    if files or not (qrels or people):
        examples += gathered(project, files, qrels=(), people=(), queries=None, corpus=None)
    if qrels or people:
        sources = read_people(qrels)
        sources |= {f"{PERSON}{name}": grades for name, grades in read_people(people).items()}
        examples += from_grades(project, sources, queries, corpus)
    return examples


def scores_folder(project: Project) -> Path:
    """Where scores are kept from one run to the next."""
    return project.home / "scores"
