"""Asking a model for queries about many documents at a time, and once about each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass

from relevance_eval.errors import EndpointError
from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.endpoints.budget import Budget, BudgetSpent, Spent
from relevance_eval.exporters.endpoints.endpoint import Chat
from relevance_eval.exporters.endpoints.request import Request
from relevance_eval.exporters.queries.draft import Draft
from relevance_eval.exporters.queries.worksheet import Answer, Worksheet
from relevance_eval.exporters.queries.writing import drafts_of, key_of, read_texts, request_for
from relevance_eval.exporters.settings import Endpoint, Kind, SynthesizeSettings

__all__ = ["Asking", "Question", "ask_about", "estimate", "questions_of"]

HOPELESS = 20
"""Answers of no use, with none of use among them, after which no more are paid for."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What a model is asked about one document.

    Attributes:
        slots: kinds of the queries wanted.
        key: hash of model and request; two documents of one content may share it.
    """

    document: Document
    slots: Sequence[Kind]
    request: Request
    key: str


@dataclass(frozen=True)
class Asking:
    """Drafts by document id, and what they took.

    Attributes:
        failures: reason to the documents whose answer was of no use.
        asked, reused, unasked: documents; of those not asked about, the budget is the reason.
        changed: the worksheet held answers, and none of them of these settings.
    """

    drafts: Mapping[str, Sequence[Draft]]
    failures: Mapping[str, int]
    asked: int
    reused: int
    unasked: int
    changed: bool
    spent: Spent


def questions_of(
    wanted: Sequence[tuple[Document, Sequence[Kind]]], settings: SynthesizeSettings, model: str
) -> list[Question]:
    """One for each document of which a query is wanted."""
    found: list[Question] = []
    for document, slots in wanted:
        if slots:
            request = request_for(document, slots, settings)
            found.append(Question(document, slots, request, key_of(model, request)))
    return found


def estimate(questions: Iterable[Question], endpoint: Endpoint) -> Spent:
    """What the questions take at the most, by rules of thumb; questions of one key count once."""
    distinct = {q.key: q.request for q in questions}.values()
    budget = Budget(endpoint, "")
    used = (budget.used(request.input_tokens, request.max_tokens) for request in distinct)
    return sum(used, Spent())


def ask_about(
    chat: Chat,
    questions: Sequence[Question],
    sheet: Worksheet,
    *,
    run: str,
    seed: int,
    progress: Progress = lambda done, total: None,
) -> Asking:
    """Asks what the worksheet does not answer yet; every answer is written there as it comes.

    A budget that ends half-way ends the asking, not the run. An answer of no use is asked for
    again the next time, a refusal is not.

    Args:
        run: hash of the settings, written beside the answers.
        seed: of the typing errors.
        progress: called with (documents done, documents in all).

    Raises:
        BudgetError: the budget does not pay for one request.
        EndpointError: the endpoint does not answer, or none of its answers is of use.
        StorageError: the worksheet cannot be written.
    """
    changed = bool(sheet.runs) and run not in sheet.runs
    distinct = {q.key: q for q in questions}
    missing = [q for q in distinct.values() if not sheet.settled(q.key)]
    asked = Buying(chat, sheet, run, len(distinct), progress).buy(missing)
    answers = [(q, sheet.answers.get(q.key)) for q in questions]
    problems = (a.problem for _, a in answers if a)
    failures = Counter(problem for problem in problems if problem is not None)
    drafts = {
        q.document.id: drafts_of(a.texts, q.slots, seed)
        for q, a in answers
        if a and a.problem is None
    }
    if failures and not drafts:
        raise of_no_use(chat, failures)
    return Asking(
        drafts=drafts,
        failures=dict(failures.most_common()),
        asked=asked,
        reused=len(distinct) - len(missing),
        unasked=len(missing) - asked,
        changed=changed,
        spent=chat.spent,
    )


class Buying:
    """Requests at the same time, until all are answered, the budget ends, or it is hopeless."""

    def __init__(self, chat: Chat, sheet: Worksheet, run: str, total: int, progress: Progress):
        self.chat = chat
        self.sheet = sheet
        self.run = run
        self.total = total
        self.progress = progress
        self.spent = threading.Event()

    def buy(self, questions: Sequence[Question]) -> int:
        """How many were answered, in whatever way."""
        asked, useless = 0, Counter[str]()
        reused = self.total - len(questions)
        threads = ThreadPoolExecutor(self.chat.settings.concurrency)
        sent = [threads.submit(self.ask, question) for question in questions]
        try:
            for future in as_completed(sent):
                answer = future.result()
                if answer is None:
                    continue
                asked += 1
                if answer.problem is not None:
                    useless[answer.problem] += 1
                self.progress(reused + asked, self.total)
                if HOPELESS <= asked == useless.total() and not reused:
                    raise of_no_use(self.chat, useless)
        except BaseException:
            self.end(threads, sent)
            raise
        threads.shutdown()
        return asked

    def ask(self, question: Question) -> Answer | None:
        """The answer, which is written down before anybody else can fail; None if the budget has
        ended."""
        if self.spent.is_set():
            return None
        try:
            reply = self.chat.answer(question.request)
        except BudgetSpent:
            self.spent.set()
            return None
        texts, problem = read_texts(reply, question.slots)
        answer = Answer(
            key=question.key,
            document=question.document.id,
            by=self.chat.settings.model,
            run=self.run,
            texts=texts,
            problem=problem,
            refused=reply.refusal is not None,
        )
        self.sheet.add(answer)
        return answer

    def end(self, threads: ThreadPoolExecutor, sent: Sequence[Future[Answer | None]]) -> None:
        """Sends no more, and waits for the answers under way: they are paid for."""
        self.spent.set()
        threads.shutdown(wait=False, cancel_futures=True)
        # Nobody tells those that wait of what was cancelled here: it would never be done.
        under_way = [future for future in sent if not future.cancelled()]
        wait(under_way, timeout=self.chat.settings.timeout)


def of_no_use(chat: Chat, failures: Mapping[str, int]) -> EndpointError:
    commonest = max(failures, key=lambda reason: failures[reason])
    count = sum(failures.values())
    return EndpointError(
        f"none of {count:,} answers holds queries; most often: {commonest}",
        where=chat.where,
        remedy="name a larger model, or a server that takes a JSON schema; "
        "without an endpoint queries are made of the documents' words",
    )
