"""Grades in TREC's qrels format: `query 0 document grade`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from relevance_eval.errors import InputError
from relevance_eval.evaluators.run import escape, read_lines, unescape
from relevance_eval.evaluators.whole_file import whole_file

__all__ = ["Qrels", "read_people", "read_qrels", "write_qrels"]

Qrels = Mapping[str, Mapping[str, int]]
"""Query id to document id to grade."""


def read_qrels(path: Path, highest: int = 3) -> dict[str, dict[str, int]]:
    """Grades by query and document.

    TREC marks junk with a negative grade; it counts as 0, as in `trec_eval`.

    Raises:
        InputError: a line that is no judgment, a grade above `highest`, or a pair with two grades.
    """
    qrels: dict[str, dict[str, int]] = {}
    for place, (query_id, _, name, text) in read_lines(path, 4, "query 0 document grade"):
        grade = whole_grade(text, highest, place)
        grades = qrels.setdefault(query_id, {})
        document_id = unescape(name)
        if grades.setdefault(document_id, grade) != grade:
            raise InputError(
                f"{document_id!r} has two grades for query {query_id!r}, "
                f"{grades[document_id]} and {grade}",
                where=place,
                remedy="keep one; grades of several people go into a file for each",
            )
    return qrels


def read_people(paths: Sequence[Path]) -> dict[str, Qrels]:
    """Grades of one or several people, each named after their file, without its ending.

    Raises InputError as `read_qrels` does, and if two files have one name.
    """
    people: dict[str, Qrels] = {}
    for path in paths:
        if path.stem in people:
            raise InputError(
                f"two files of grades are named {path.stem}",
                where=str(path),
                remedy="rename one: people are told apart by their file's name",
            )
        people[path.stem] = read_qrels(path)
    return people


def whole_grade(text: str, highest: int, place: str) -> int:
    try:
        grade = int(text)
    except ValueError:
        raise InputError(f"the grade {text!r} is not a whole number", where=place) from None
    if grade > highest:
        raise InputError(
            f"the grade {grade} is outside the scale 0 to {highest}",
            where=place,
            remedy="map the file to the scale first",
        )
    return max(grade, 0)


def write_qrels(path: Path, qrels: Qrels) -> None:
    """All of the file or nothing of it.

    Raises StorageError if the disk is full or the folder cannot be written.
    """
    with whole_file(path) as out:
        for query_id, grades in qrels.items():
            for document_id, grade in grades.items():
                out.write(f"{query_id} 0 {escape(document_id)} {grade}\n")
