"""What models answered when they were asked for queries: a file in which nothing is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import InputError, storage_error
from relevance_eval.evaluators.jsonl import read_rows, text_of

__all__ = ["Answer", "Worksheet"]


@dataclass(frozen=True)
class Answer:
    """A model's answer about one document.

    Attributes:
        key: hash of the model and of all that it was asked; 64 hexadecimal digits.
        document: id.
        by: the model's name.
        run: hash of the settings and the seed in force.
        texts: a query for each one asked for; none if the answer is of no use.
        problem: why it is not; None for one that is.
        refused: the model will not answer, now or later.
    """

    key: str
    document: str
    by: str
    run: str
    texts: tuple[str, ...] = ()
    problem: str | None = None
    refused: bool = False

    @property
    def settled(self) -> bool:
        """Whether it need not be asked for again."""
        return self.problem is None or self.refused


class Worksheet:
    """Answers in a JSON Lines file to which each is added as it comes; safe from several threads.

    A line that was cut off, as by a full disk or a killed process, is taken away.

    Raises:
        InputError: another line is broken.
        StorageError: the file cannot be read or written.
    """

    def __init__(self, path: Path):
        self.path = path
        self.lock = threading.Lock()
        self.answers: dict[str, Answer] = {}
        self.runs: set[str] = set()
        try:
            there = cut_torn_line(path)
        except OSError as error:
            raise storage_error(error, path) from error
        for place, row in read_rows(path) if there else ():
            self.remember(answer_of(row, place))

    def remember(self, answer: Answer) -> None:
        self.answers[answer.key] = answer
        self.runs.add(answer.run)

    def settled(self, key: str) -> Answer | None:
        """The answer to this question that need not be paid for again, if there is one."""
        found = self.answers.get(key)
        return found if found and found.settled else None

    def add(self, answer: Answer) -> None:
        """On the disk when this returns, also after the process is killed."""
        line = json.dumps(asdict(answer), ensure_ascii=True) + "\n"
        with self.lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="ascii") as out:
                    out.write(line)
            except OSError as error:
                with suppress(OSError):  # or the next answer would be written behind half of this
                    cut_torn_line(self.path)
                raise storage_error(error, self.path) from error
            self.remember(answer)


def cut_torn_line(path: Path) -> bool:
    """Takes away what stands after the last line's end; whether there is a file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return True


def answer_of(row: Mapping[str, Any], place: str) -> Answer:
    texts: Any = row.get("texts")
    problem = row.get("problem")
    if not isinstance(texts, list) or not all(
        isinstance(text, str) for text in cast(list[Any], texts)
    ):
        raise InputError(
            "the field 'texts' is no list of texts",
            where=place,
            remedy="remove this line: its document is asked about again",
        )
    return Answer(
        key=text_of(row, "key", place),
        document=text_of(row, "document", place),
        by=text_of(row, "by", place),
        run=text_of(row, "run", place),
        texts=tuple(cast(list[str], texts)),
        problem=None if problem is None else str(problem),
        refused=row.get("refused") is True,
    )
