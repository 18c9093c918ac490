"""Grading by files, for servers that answer a batch overnight at a lower price.

The files are those of OpenAI's Batch API: JSON Lines, one request or one answer a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import BudgetError, InputError, storage_error
from relevance_eval.evaluators.jsonl import write_rows
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.endpoints.budget import Spent
from relevance_eval.exporters.endpoints.reply import Reply, one_line, reply_of
from relevance_eval.exporters.teach import Estimate, Teacher

__all__ = ["BatchAnswers", "write_batch"]

OLD_NAMES = frozenset({"max_tokens"})
"""Parameters sent by their newer name: a batch cannot learn what its server calls them."""


def custom_id(teacher: Teacher, pair: Pair) -> str:
    """The same for the same words to the same model, so that no answer meets another question."""
    parts = json.dumps([teacher.fingerprint, *pair.key])
    return hashlib.sha256(parts.encode()).hexdigest()[:40]


def write_batch(path: Path, teacher: Teacher, pairs: Sequence[Pair]) -> Estimate:
    """Writes one request for each distinct pair that has a text; what they would take.

    Nobody counts while a server works a batch off: the budget has to pay for the most that it can
    take.

    Raises:
        BudgetError: the budget does not pay for all of them, with answers as long as they may be.
        StorageError: the file cannot be written.
    """
    distinct = list({p.key: p for p in pairs if teacher.prompt.document(p.document)}.values())
    estimate = teacher.estimate(distinct)
    if lacking := teacher.budget.lacking(estimate.most):
        raise above_budget(estimate.most, lacking, teacher.where)
    write_rows(
        path,
        (
            {
                "custom_id": custom_id(teacher, pair),
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": teacher.request(pair).body(teacher.name, OLD_NAMES),
            }
            for pair in distinct
        ),
    )
    return estimate


def above_budget(most: Spent, lacking: str, where: str) -> BudgetError:
    price = f" and cost {most.cost:,.4f}" if most.cost else ""
    return BudgetError(
        f"{most.requests:,} requests may take {most.tokens:,} tokens{price}, above {lacking}",
        where=where,
        remedy="raise the limit, lower answer_tokens, or take fewer pairs; nothing was written",
    )


class BatchAnswers:
    """A labeler that answers out of a batch's output files, in the teacher's name.

    Pairs that the files do not speak of are left out.

    Attributes:
        broken: lines that are not JSON or have no id; a download that broke off ends in one.
        unknown: answers to other questions than those about `pairs` in the teacher's words.
        used: as the server counts it.

    Raises InputError if the file is missing, StorageError if it cannot be read.
    """

    def __init__(self, teacher: Teacher, path: Path, pairs: Sequence[Pair]):
        self.teacher = teacher
        self.broken = 0
        asked = {custom_id(teacher, pair) for pair in pairs}
        replies = dict(self.read(path))
        self.unknown = len(replies.keys() - asked)
        self.replies = {i: reply for i, reply in replies.items() if i in asked}
        self.used = self.sum()

    @property
    def name(self) -> str:
        return self.teacher.name

    @property
    def fingerprint(self) -> str:
        return self.teacher.fingerprint

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        for i, pair in enumerate(pairs):
            reply = self.replies.get(custom_id(self.teacher, pair))
            if reply is not None:
                yield i, self.teacher.judge(reply)

    def read(self, path: Path) -> Iterator[tuple[str, Reply]]:
        """Yields (id, reply) for each line that can be read, and counts the others."""
        try:
            with path.open("rb") as lines:
                for line in lines:
                    if not line.strip():
                        continue
                    row = parsed(line)
                    name = row.get("custom_id")
                    if isinstance(name, str):
                        yield name, reply_in(row)
                    else:
                        self.broken += 1
        except FileNotFoundError:
            raise InputError("there is no such file", where=str(path)) from None
        except OSError as error:
            raise storage_error(error, path) from error

    def sum(self) -> Spent:
        read = sum(reply.input_tokens or 0 for reply in self.replies.values())
        answered = sum(reply.output_tokens or 0 for reply in self.replies.values())
        cost = self.teacher.budget.price(read, answered)
        return Spent(len(self.replies), read, answered, cost)


def parsed(line: bytes) -> Mapping[str, Any]:
    """The object on a line; empty if there is none."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], row) if isinstance(row, dict) else {}


def reply_in(row: Mapping[str, Any]) -> Reply:
    """The reply on a line of the output or of the error file."""
    response: Any = row.get("response")
    answered = cast(dict[str, Any], response) if isinstance(response, dict) else {}
    status: Any = answered.get("status_code")
    if status == 200:
        return reply_of(answered.get("body"))
    error: Any = row.get("error") or answered.get("body") or "no answer"
    said = one_line(error if isinstance(error, str) else json.dumps(error))
    if "content_filter" in said:
        return Reply(refusal="the server's content filter turned the request away")
    return Reply(problem=f"HTTP {status}: {said}" if status else said)
