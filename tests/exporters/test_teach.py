"""A teacher grades within its budget, stores what it paid for, and goes on from there."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import BudgetError, EndpointError, InputError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelling import Labelling, label
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.settings import Endpoint, TeachSettings
from relevance_eval.exporters.teach import Teacher, open_teacher, teach

WHERE = "[endpoints.teacher]"
Make = Callable[..., Any]
SURE = {"2": 0.75, "1": 0.25}
READING = ("logprobs", "least_mass", "max_characters", "answer_tokens")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Judgments]:
    with Judgments(tmp_path / "judgments.sqlite") as opened:
        yield opened


def teacher(url: str = "http://127.0.0.1:9/v1", guidelines: str = "", **settings: Any) -> Teacher:
    reading = {k: settings.pop(k) for k in READING if k in settings}
    given = {"model": "small", "base_url": url, "pause": 0.01, "retries": 1, **settings}
    return Teacher(Endpoint(**given), TeachSettings(**reading), guidelines, where=WHERE)


def counts(found: Labelling) -> dict[str, int]:
    names = ("reused", "bought", "failed", "refused", "unasked")
    counted = {name: getattr(found, name) for name in names}
    assert found.needed == sum(counted.values()) == len(found.judgments)
    return {name: count for name, count in counted.items() if count}


def test_each_pair_gets_the_distribution_that_was_said_of_it(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    pairs = some_pairs(3, 4)

    def answer(body: dict[str, Any], number: int) -> Any:
        shown = body["messages"][1]["content"]
        grade = next(i for i, p in enumerate(pairs) if p.document.fields["body"] in shown) % 4
        shares = {str(grade): 0.6, str((grade + 1) % 4): 0.2}
        return completion(f'{{"grade": {grade}}}', shares)

    found = label(pairs, teacher(canned(answer).url), store)
    assert counts(found) == {"bought": 12}
    for i, pair in enumerate(pairs):
        probabilities = found.judgments[pair.key].probabilities
        assert probabilities[i % 4] == pytest.approx(0.75)
        assert probabilities[(i + 1) % 4] == pytest.approx(0.25)


def test_pairs_of_one_query_are_asked_about_one_after_another(
    canned: Make, completion: Make, some_pairs: Make
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    dict(teacher(server.url, concurrency=1).label(some_pairs(3, 4)))
    asked = [body["messages"][1]["content"].split("\n")[0] for body in server.bodies]
    assert asked == sorted(asked)
    assert len(set(asked)) == 3


def test_as_many_at_once_as_the_settings_say(
    canned: Make, completion: Make, some_pairs: Make
) -> None:
    together = threading.Barrier(3)  # nobody is answered before three ask

    def answer(body: dict[str, Any], number: int) -> Any:
        together.wait(20)
        return completion('{"grade": 2}', SURE)

    server = canned(answer)
    assert len(dict(teacher(server.url, concurrency=3).label(some_pairs(3, 4)))) == 12
    assert server.most == 3


def test_only_what_was_graded_is_kept_and_only_the_rest_is_asked_about_again(
    canned: Make, completion: Make, trouble: Make, some_pairs: Make, store: Judgments
) -> None:
    odd = iter(
        [
            (200, {"Content-Type": "application/json"}, b'{"choices": [{"mes'),
            completion(None, refusal="I will not."),
            completion('{"grade": 2}', {"2": 0.1, "x": 0.5}),
            trouble(400, "exceeds the context"),
            completion("I think it is a 3"),
        ]
    )
    server = canned(lambda body, n: next(odd, completion('{"grade": 2}', SURE)))
    pairs = some_pairs(2, 5)
    first = label(pairs, teacher(server.url, concurrency=1), store)
    assert counts(first) == {"bought": 5, "failed": 4, "refused": 1}
    reasons = {j.reason for j in first.judgments.values() if not j.graded}
    assert reasons == {
        "the server's answer is not JSON",
        "I will not.",
        "the grades have less than 0.5 of the probability",
        "rejected with HTTP 400: exceeds the context",
        "no grade but 'I think it is a 3'",
    }
    second = label(pairs, teacher(server.url), store)
    assert counts(second) == {"reused": 5, "bought": 4, "refused": 1}
    assert len(server.bodies) == 10 + 4


def test_a_budget_stops_cleanly_and_the_next_one_pays_for_the_rest(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    pairs = some_pairs(2, 5)
    poor = teacher(server.url, max_requests=4, concurrency=3)
    assert counts(label(pairs, poor, store)) == {"bought": 4, "unasked": 6}
    assert poor.stopped is not None
    assert "max_requests = 4" in poor.stopped.message
    assert (poor.spent.requests, store.count()) == (4, 4)
    assert counts(label(pairs, poor, store)) == {"reused": 4, "unasked": 6}
    rich = teacher(server.url)
    assert counts(label(pairs, rich, store)) == {"reused": 4, "bought": 6}
    assert rich.stopped is None
    assert len(server.bodies) == 10


def test_a_budget_too_small_for_one_request_sends_none(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments, complains: Make
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    with complains(
        BudgetError,
        "too small for one request: max_tokens = 100, and one takes about",
        code=2,
        where=WHERE,
        remedy="nothing was sent",
    ):
        label(some_pairs(2, 2), teacher(server.url, max_tokens=100), store)
    assert (server.bodies, store.count()) == ([], 0)


def test_a_server_that_goes_away_half_way_loses_nothing(
    canned: Make, completion: Make, trouble: Make, some_pairs: Make, store: Judgments
) -> None:
    broken = threading.Event()

    def answer(body: dict[str, Any], number: int) -> Any:
        if number >= 5 and not broken.is_set():
            return trouble(500, "on fire")
        return completion('{"grade": 2}', SURE)

    server = canned(answer)
    pairs = some_pairs(3, 4)
    with pytest.raises(EndpointError, match="HTTP 500 after 2 tries: on fire"):
        label(pairs, teacher(server.url, concurrency=2), store)
    assert store.count() == 5
    broken.set()
    assert counts(label(pairs, teacher(server.url), store)) == {"reused": 5, "bought": 7}


def test_answers_are_stored_before_the_next_is_there(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    """The fourth question is answered once the first three answers are in the file."""
    kept: list[int] = []

    def answer(body: dict[str, Any], number: int) -> Any:
        if number == 3:
            with Judgments(store.path) as other:
                for _ in range(500):
                    if other.count() == 3:
                        break
                    threading.Event().wait(0.01)
                kept.append(other.count())
        return completion('{"grade": 2}', SURE)

    label(some_pairs(1, 5), teacher(canned(answer).url, concurrency=1), store)
    assert kept == [3]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Tests that run in the background were started with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_what_is_paid_for(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    asked = threading.Barrier(2)

    def answer(body: dict[str, Any], number: int) -> Any:
        if asked.wait(20) == 0:
            _thread.interrupt_main()  # as Ctrl-C does it
        threading.Event().wait(0.3)
        return completion('{"grade": 2}', SURE)

    server = canned(answer)
    with pytest.raises(KeyboardInterrupt):
        label(some_pairs(2, 4), teacher(server.url, concurrency=2), store)
    assert store.count() == len(server.bodies) == 2


def test_without_log_probabilities_the_answers_are_taken_unless_they_are_required(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    server = canned(lambda body, n: completion('{"grade": 3}'))
    found = label(some_pairs(1, 2), teacher(server.url), store)
    assert {j.probabilities for j in found.judgments.values()} == {(0, 0, 0, 1)}
    with pytest.raises(EndpointError, match="without log-probabilities"):
        label(some_pairs(1, 2), teacher(server.url, logprobs="require"), store)
    label(some_pairs(1, 2), teacher(server.url, logprobs="never"), store)
    assert ["logprobs" in body for body in server.bodies[-2:]] == [False, False]


def test_a_document_without_text_is_not_asked_about(store: Judgments, some_pairs: Make) -> None:
    (pair,) = some_pairs(1, 1)
    found = label([Pair(pair.query, Document("d", {}))], teacher(), store)
    assert counts(found) == {"refused": 1}
    assert teacher().estimate([Pair(pair.query, Document("d", {}))]).requests == 0


def test_a_judgment_is_reused_exactly_when_nothing_that_it_depends_on_has_changed() -> None:
    same = [
        teacher("http://127.0.0.1:10/v1"),
        teacher(api_key_env="KEY"),
        teacher(concurrency=9, timeout=3, max_requests=5),
        teacher(input_price=1, output_price=2, max_cost=3),
        teacher(answer_tokens=600),
    ]
    assert {t.fingerprint for t in same} == {teacher().fingerprint}
    other = [
        teacher(model="large"),
        teacher(guidelines="Minutes count as 1."),
        teacher(max_characters=500),
        teacher(logprobs="never"),
        teacher(least_mass=0.1),
    ]
    assert len({t.fingerprint for t in [teacher(), *other]}) == 6


def test_more_room_for_answers_buys_again_only_those_that_were_cut_off(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    cut = completion("Let me think", finish="length")
    server = canned(lambda body, n: completion('{"grade": 2}', SURE) if n % 2 else cut)
    first = label(some_pairs(2, 3), teacher(server.url, concurrency=1), store)
    assert counts(first) == {"bought": 3, "failed": 3}
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    again = label(some_pairs(2, 3), teacher(server.url, answer_tokens=600), store)
    assert counts(again) == {"reused": 3, "bought": 3}
    assert len(server.bodies) == 3


def test_an_estimate_is_near_what_is_sent(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    asking = teacher(server.url, input_price=4.0, output_price=0.0)
    foreseen = asking.estimate(some_pairs(2, 3))
    label(some_pairs(2, 3), asking, store)
    sent = sum(len(m["content"]) for body in server.bodies for m in body["messages"])
    assert foreseen.requests == len(server.bodies) == 6
    assert foreseen.input_tokens == sent // 4
    assert foreseen.cost == pytest.approx(sent / 1e6, rel=0.01)


def test_a_lesson_holds_what_was_graded_and_says_why_the_rest_was_not(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    bad = {0, 2}
    server = canned(lambda body, n: completion("?" if n in bad else '{"grade": 2}', SURE))
    examples = [Example(pair, "bm25 1-10", rank=i) for i, pair in enumerate(some_pairs(2, 2))]
    lesson = teach(examples, teacher(server.url, concurrency=1), store)
    assert [e.rank for e in lesson.examples] == [2, 3]
    assert {e.judgment.grade for e in lesson.examples if e.judgment} == {2}
    assert lesson.reasons == {"no grade but '?'": 2}
    named = f"teacher:small {teacher().fingerprint[:12]}"
    assert {e.judgment.labeler for e in lesson.examples if e.judgment} == {named}


def test_a_teacher_that_grades_nothing_is_an_error(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments, complains: Make
) -> None:
    server = canned(lambda body, n: completion("I am a poet."))
    examples = [Example(pair, "random") for pair in some_pairs(1, 3)]
    with complains(
        EndpointError,
        "no pair was graded; 3 of 3: no grade but 'I am a poet.'",
        code=5,
        where="small",
        remedy="asked about again",
    ):
        teach(examples, teacher(server.url), store)


def test_a_model_that_never_grades_is_not_paid_to_the_end(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    server = canned(lambda body, n: completion("I am a poet."))
    with pytest.raises(EndpointError, match="20 answers and no grade among them"):
        label(some_pairs(5, 20), teacher(server.url, concurrency=2), store)
    assert 20 <= len(server.bodies) <= 22
    late = canned(lambda body, n: completion('{"grade": 1}' if n == 19 else "I am a poet."))
    assert label(some_pairs(5, 10), teacher(late.url, concurrency=1), store).failed == 49


def test_failures_of_a_model_that_graded_before_do_not_end_it(
    canned: Make, completion: Make, some_pairs: Make, store: Judgments
) -> None:
    def answer(body: dict[str, Any], number: int) -> Any:
        words = body["messages"][1]["content"].partition("Text: words ")[2].split()
        return completion('{"grade": 1}' if words[1] in {"0", "1"} else "I am a poet.")

    pairs = some_pairs(1, 27)
    server = canned(answer)
    assert label(pairs, teacher(server.url, concurrency=1), store).failed == 25
    again = label(pairs, teacher(server.url), store)
    assert (again.reused, again.failed) == (2, 25)


def test_guidelines_that_are_not_there(tmp_path: Path, complains: Make) -> None:
    settings = TeachSettings(guidelines=Path("words.txt"))
    endpoint = Endpoint(model="small")
    with complains(InputError, "no such file", code=2, where=str(tmp_path / "words.txt")):
        open_teacher(endpoint, "teacher", settings, tmp_path)
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe")
    with complains(InputError, "UTF-8", code=2, where=str(tmp_path / "words.txt")):
        open_teacher(endpoint, "teacher", settings, tmp_path)
    (tmp_path / "words.txt").write_text("Count minutes as 1.", encoding="utf-8")
    assert (
        "Count minutes as 1." in open_teacher(endpoint, "teacher", settings, tmp_path).prompt.system
    )
