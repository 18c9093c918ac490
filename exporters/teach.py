"""A language model as a labeler: it grades pairs within a budget, and stops where that ends."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from relevance_eval.errors import EndpointError, InputError, storage_error
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment, Outcome
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelling import LEFT_OUT, Labeler, Labelling, label
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.endpoints.budget import Budget, BudgetSpent, Spent
from relevance_eval.exporters.endpoints.crew import each
from relevance_eval.exporters.endpoints.endpoint import Chat
from relevance_eval.exporters.endpoints.reply import Reply
from relevance_eval.exporters.endpoints.request import Request
from relevance_eval.exporters.settings import Endpoint, TeachSettings
from relevance_eval.exporters.teachers.grading import judgment_of
from relevance_eval.exporters.teachers.prompt import SCHEMA, Prompt

__all__ = ["Estimate", "Lesson", "Teacher", "open_teacher", "teach"]

TOP = 20
"""Likeliest tokens asked for: the most that OpenAI gives, so that no grade is missed."""
CHARACTERS_PER_TOKEN = 4
ANSWER_TOKENS = 12
"""Of `{"grade": 2}`, with the white space that some servers' grammars put in."""
ONCE_ANSWER_TOKENS = "32"
"""Stands in fingerprints where the setting once stood, at its default: grades that were bought
then are still found."""
NO_TEXT = "no text"
HOPELESS = 20
TEACHER = "teacher:"
SHOWN = 12
"""Digits of a fingerprint beside the teacher's name."""


@dataclass(frozen=True)
class Estimate:
    """What grading would take, before anything is asked.

    Attributes:
        requests: one a pair.
        input_tokens, output_tokens: by rules of thumb, 4 characters a token and 12 tokens an
            answer; the true figures depend on the model's tokenizer and on what it has to say.
        cost: in the currency of the endpoint's prices; 0 without prices.
        most: what it takes where every answer is as long as it may be, by a count of input tokens
            that is seldom too low.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float
    most: Spent


class Teacher:
    """Grades pairs by asking a language model; one budget for its whole life.

    Its fingerprint covers the model's name, every word of the prompt, the guidelines, how much of
    a document is shown and how the grade is read; not the server, the key or the price, nor how
    long an answer may be: with more room, answers that were cut off are bought again, and no
    others.

    Args:
        guidelines: what counts as relevant in this organisation, for the teacher to read.
        where: place in the configuration, for messages.
    """

    def __init__(
        self, endpoint: Endpoint, settings: TeachSettings, guidelines: str = "", *, where: str
    ):
        self.name = endpoint.model
        self.endpoint = endpoint
        self.settings = settings
        self.where = where
        self.prompt = Prompt(guidelines, settings.max_characters)
        self.budget = Budget(endpoint, where)
        self.stopped: BudgetSpent | None = None
        """Why pairs were left out, or None if all were asked about."""
        self.proven = False
        """Whether it has graded a pair, now or before: then no more need be hoped for."""
        parts = ["teacher", self.name, *self.prompt.identity, json.dumps(SCHEMA)]
        parts += [settings.logprobs, str(settings.least_mass), ONCE_ANSWER_TOKENS]
        self.fingerprint = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def spent(self) -> Spent:
        return self.budget.spent

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        """Yields (position, judgment) as answers come, `concurrency` at a time.

        Pairs of one query are asked about together, so that a server reuses their beginning. Where
        the budget ends the rest is left out, and `stopped` says so.

        Raises:
            ConfigError: the variable that is to hold the key is missing or empty.
            BudgetError: the budget is too small for one request.
            EndpointError: nobody answers, or the server refuses all; or none of the first 20
                answers is a grade, and none was before; or log-probabilities are required, and
                there are none.
        """
        width = self.endpoint.concurrency
        empty = {i for i, pair in enumerate(pairs) if not self.prompt.document(pair.document)}
        yield from ((i, Judgment.refused(self.fingerprint, NO_TEXT)) for i in sorted(empty))
        asked = sorted(
            (i for i in range(len(pairs)) if i not in empty), key=lambda i: pairs[i].query.text
        )
        with (
            ThreadPoolExecutor(width, thread_name_prefix="teacher") as pool,
            Chat(self.endpoint, where=self.where, budget=self.budget) as chat,
        ):
            try:
                answers = each(pool, width, asked, lambda i: self.grade(chat, pairs[i]))
                yield from self.hopeful(answers)
            except BudgetSpent as spent:
                self.stopped = spent

    def hopeful(self, answers: Iterator[tuple[int, Judgment]]) -> Iterator[tuple[int, Judgment]]:
        """The answers, as long as there may be grades among them: no more of others are paid for.

        Raises EndpointError after 20 answers of which none was of use, if none was before.
        """
        for useless, (position, judgment) in enumerate(answers, start=1):
            yield position, judgment
            self.proven = self.proven or judgment.outcome is not Outcome.FAILED
            if useless >= HOPELESS and not self.proven:
                raise EndpointError(
                    f"{useless} answers and no grade among them, the last: {judgment.reason}",
                    where=self.where,
                    remedy="use a model that answers in JSON, or that gives log-probabilities",
                )

    def grade(self, chat: Chat, pair: Pair) -> Judgment:
        return self.judge(chat.answer(self.request(pair)))

    def judge(self, reply: Reply) -> Judgment:
        """Raises EndpointError for a reply without log-probabilities, if they are required."""
        if self.settings.logprobs == "require" and reply.text and not reply.positions:
            raise EndpointError(
                f"{self.name!r} is served without log-probabilities",
                where=self.where,
                remedy='set logprobs = "auto" in [training.teach] to grade by the answers alone',
            )
        return judgment_of(reply, self.fingerprint, self.settings.least_mass)

    def request(self, pair: Pair) -> Request:
        """What is asked about this pair."""
        return Request(
            self.prompt.messages(pair),
            max_tokens=self.settings.answer_tokens,
            temperature=0.0,
            schema=SCHEMA,
            logprobs=0 if self.settings.logprobs == "never" else TOP,
        )

    def estimate(self, pairs: Sequence[Pair]) -> Estimate:
        """What it would take to ask about all of these."""
        requests = [self.request(pair) for pair in pairs if self.prompt.document(pair.document)]
        written = sum(len(m.content) for request in requests for m in request.messages)
        read, answered = written // CHARACTERS_PER_TOKEN, len(requests) * ANSWER_TOKENS
        cost = self.budget.price(read, answered)
        used = (self.budget.used(r.input_tokens, r.max_tokens) for r in requests)
        return Estimate(len(requests), read, answered, cost, most=sum(used, Spent()))


@dataclass(frozen=True)
class Lesson:
    """What a teacher said of examples.

    Attributes:
        examples: those that were graded, with their judgments, in the order given. For people to
            read, and for the labeler's card, a judgment's labeler is the teacher's name here.
        reasons: why others were not, the most frequent first, and how many pairs each concerns.
    """

    examples: Sequence[Example]
    labelling: Labelling
    reasons: Mapping[str, int]


def teach(
    examples: Sequence[Example],
    teacher: Labeler,
    store: Judgments,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Lesson:
    """Has the teacher grade what the store does not hold of it; people's grades are left aside.

    Raises:
        EndpointError: none was graded, now or before.
        StorageError: the store cannot be written; what was written before is kept.
    """
    labelling = label([e.pair for e in examples], teacher, store, progress, people=False)
    judged = labelling.judgments
    said_by = f"{TEACHER}{teacher.name} {teacher.fingerprint[:SHOWN]}"
    graded = [
        replace(e, judgment=replace(judged[e.pair.key], labeler=said_by))
        for e in examples
        if judged[e.pair.key].graded
    ]
    reasons = Counter(j.reason for j in judged.values() if not j.graded and j.reason != LEFT_OUT)
    if judged and not graded:
        reason, count = next(iter(reasons.most_common(1)), (LEFT_OUT, labelling.unasked))
        raise EndpointError(
            f"no pair was graded; {count:,} of {labelling.needed:,}: {reason}",
            where=teacher.name,
            remedy="what has no grade is asked about again the next time",
        )
    return Lesson(graded, labelling, dict(reasons.most_common()))


def open_teacher(endpoint: Endpoint, name: str, settings: TeachSettings, base: Path) -> Teacher:
    """The teacher behind a configured endpoint.

    Args:
        name: of the endpoint.
        base: folder that the path of the guidelines begins in.

    Raises:
        InputError: there is no file of guidelines, or it is not text.
        StorageError: it cannot be read.
    """
    guidelines = read_guidelines(base / settings.guidelines) if settings.guidelines else ""
    return Teacher(endpoint, settings, guidelines, where=f"[endpoints.{name}]")


def read_guidelines(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("there is no such file of guidelines", where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
