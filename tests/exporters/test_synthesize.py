"""From an index to queries: on the real node, with no model, with a canned server, and with a
real small model."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import BudgetError, ConfigError, EndpointError, InputError, UsageError
from relevance_eval.evaluators.document import DEFAULT_FIELDS, Document
from relevance_eval.evaluators.query import read_queries
from relevance_eval.exporters.endpoints.endpoint import Chat
from relevance_eval.exporters.queries.asking import ask_about, questions_of
from relevance_eval.exporters.queries.worksheet import Worksheet
from relevance_eval.exporters.settings import Endpoint, Kind, SynthesizeSettings
from relevance_eval.exporters.synthesize import Synthesis, foresee, synthesize
from relevance_eval.plugin.server import Connection, connect

Complains = Callable[..., Any]
Run = Callable[..., Synthesis]
Say = Callable[[str], Any]

SUBJECTS = (
    "payroll calendar salaries",
    "parental leave weeks",
    "battery recall meters",
    "gateway certificate renewal",
    "travel expense receipts",
    "canteen lunch menu",
)


@pytest.fixture(scope="module")
def es(node_url: str) -> Iterator[Elasticsearch]:
    with connect(Connection(node_url, timeout=120)) as client:
        yield client


@pytest.fixture(scope="module")
def index(es: Elasticsearch) -> Iterator[str]:
    """Six documents of six subjects, in two folders, by two authors."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    properties = {"body": {"type": "text"}, "modified": {"type": "date"}}
    es.indices.create(index=name, mappings={"dynamic": False, "properties": properties})
    for n, subject in enumerate(SUBJECTS):
        first, second, third = subject.split()
        row = {
            "title": f"About the {subject} of number{n}",
            "author": ("Ida Holm", "Per Aas")[n % 2],
            "file_name": f"{first}_{second}_v{n}.docx",
            "folder_path": ("/People", "/Devices")[n // 3],
            "modified": f"202{n}-01-01",
            "body": f"All on {first} and {second}. The {second} of {third} is kept for {first}. "
            f"Ask the HRX{n} desk about {third}.",
        }
        es.index(index=name, id=f"d{n}", document=row)
    es.indices.refresh(index=name)
    yield name
    es.indices.delete(index=name)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "training" / "queries.jsonl"


@pytest.fixture
def run(es: Elasticsearch, index: str, out: Path) -> Run:
    """Synthesizes, with the model at `url` if there is one."""

    def start(url: str | None = None, seed: int = 0, **options: Any) -> Synthesis:
        limits = {k: options.pop(k) for k in list(options) if k in Endpoint.model_fields}
        settings = SynthesizeSettings(**{"documents": 6, **options})
        common: dict[str, Any] = {"fields": DEFAULT_FIELDS, "out": out, "seed": seed}
        if url is None:
            return synthesize(es, index, settings, **common)
        endpoint = Endpoint(**{"model": "m", "base_url": f"{url}/v1", "retries": 0, **limits})
        with Chat(endpoint, where="[endpoints.small]") as chat:
            return synthesize(es, index, settings, chat=chat, **common)

    return start


class Model:
    """A server's side of the talk: says what it is told to, and keeps what it was asked."""

    def __init__(self, say: Say):
        self.say = say
        self.asked: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def __call__(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        question = json.loads(body)
        with self.lock:
            self.asked.append(question)
            said = self.say(question["messages"][-1]["content"])
        answer = said if isinstance(said, bytes) else json.dumps(said).encode()
        return 200, {"Content-Type": "application/json"}, answer


def choice(content: str | None, **message: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return {"choices": [{"message": {"content": content, **message}}], "usage": usage}


def queries_about(prompt: str) -> dict[str, Any]:
    """An answer with two words of the title for each query wanted, each time others."""
    title = next(line for line in prompt.splitlines() if line.startswith("Title: "))
    words = title.split()[3:6]
    pairs = [f"{words[0]} {words[1]}", f"{words[2]} {words[0]}", f"{words[1]} {words[2]}"]
    wanted = [line.partition(":")[0] for line in prompt.splitlines() if line.startswith("query_")]
    return choice(json.dumps({name: pairs[n % 3] for n, name in enumerate(wanted)}))


def subject_of(prompt: str) -> str:
    return next(subject for subject in SUBJECTS if subject in prompt)


def test_without_a_model_queries_are_of_the_documents_own_words(run: Run, out: Path) -> None:
    found = run()
    assert read_queries(out) == list(found.queries)
    assert {q.tags["by"] for q in found.queries} == {"extractive"}
    assert {q.tags["seed"] for q in found.queries} == {f"d{n}" for n in range(6)}
    assert "question" not in found.report.kinds
    assert sum(found.report.kinds.values()) == len(found.queries)
    dropped = sum(found.report.dropped.values())
    assert found.report.drafts == len(found.queries) + dropped == 18
    assert found.report.strata["folder"] == {"Devices": 3, "People": 3}
    assert list(out.parent.iterdir()) == [out]


def test_the_same_seed_gives_the_same_bytes(run: Run, out: Path) -> None:
    run()
    first = out.read_bytes()
    run()
    assert out.read_bytes() == first
    run(seed=1)
    assert out.read_bytes() != first


def test_ids_stay_when_the_sample_grows(run: Run) -> None:
    few = {q.id: q.tags["seed"] for q in run(documents=2).queries}
    many = {q.id: q.tags["seed"] for q in run(documents=6).queries}
    assert all(many.get(i, seed) == seed for i, seed in few.items())
    assert len(set(few) & set(many)) >= 3
    assert set(many) - set(few)


def test_a_single_document_is_enough(es: Elasticsearch, out: Path) -> None:
    index = f"test-{uuid.uuid4().hex[:12]}"
    es.index(index=index, id="only", document={"body": "The canteen menu of March"}, refresh=True)
    try:
        settings = SynthesizeSettings()
        found = synthesize(es, index, settings, fields=DEFAULT_FIELDS, out=out, seed=0)
    finally:
        es.indices.delete(index=index)
    assert found.queries
    assert {q.tags["seed"] for q in found.queries} == {"only"}


def test_a_model_is_asked_once_a_document_and_its_answers_are_screened(
    run: Run, serve: Callable[..., str], out: Path
) -> None:
    model = Model(queries_about)
    found = run(serve(model), kinds=("topic", "question", "typo"), near_duplicate=1.0)
    assert len(model.asked) == 6
    assert {q["response_format"]["type"] for q in model.asked} == {"json_schema"}
    assert len(found.queries) == 18
    assert {q.tags["by"] for q in found.queries} == {"m"}
    assert read_queries(out) == list(found.queries)
    asking = found.report.asking
    assert asking
    assert (asking.asked, asking.reused, asking.unasked, asking.failures) == (6, 0, 0, {})
    assert (asking.spent.requests, asking.spent.input_tokens) == (6, 600)
    typo = next(q for q in found.queries if q.tags["kind"] == "typo")
    assert typo.text not in (out.parent / "synthesis.jsonl").read_text()


def test_a_second_run_pays_for_nothing(run: Run, serve: Callable[..., str], out: Path) -> None:
    model = Model(queries_about)
    url = serve(model)
    run(url)
    first = out.read_bytes()
    asking = run(url).report.asking
    assert asking
    assert (asking.asked, asking.reused, asking.spent.requests) == (0, 6, 0)
    assert (len(model.asked), out.read_bytes()) == (6, first)


def test_more_documents_go_on_and_other_settings_start_anew_with_what_was_paid_for(
    run: Run, serve: Callable[..., str]
) -> None:
    model = Model(queries_about)
    url = serve(model)
    run(url, documents=2)
    grown, other = run(url).report.asking, run(url, near_duplicate=0.9).report.asking
    warmer = run(url, temperature=1.0).report.asking
    assert grown
    assert other
    assert warmer
    assert (grown.reused, grown.asked, grown.changed) == (2, 4, False)
    assert (other.reused, other.asked, other.changed) == (6, 0, True)
    assert (warmer.reused, warmer.asked, warmer.changed) == (0, 6, True)


def test_killed_half_way_it_goes_on_and_ends_with_the_same_file(
    run: Run, serve: Callable[..., str], out: Path
) -> None:
    model = Model(queries_about)
    url = serve(model)
    run(url)
    whole, sheet = out.read_bytes(), out.with_name("synthesis.jsonl")
    lines = sheet.read_bytes().splitlines(keepends=True)
    out.unlink()
    sheet.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    run(url)
    assert len(model.asked) == 9
    assert out.read_bytes() == whole


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (choice('{"query_1_topic": "half'), "the answer is not JSON, or a part of it"),
        (choice(None, refusal="I will not"), "refused: I will not"),
        ({"choices": []}, "the server's answer has no choice"),
        (choice(""), "the answer is empty"),
        (b'{"choices": [{"mess', "the server's answer is not JSON"),
    ],
    ids=["half", "refusal", "no choice", "empty", "broken"],
)
def test_an_answer_of_no_use_is_counted_and_the_others_are_used(
    run: Run, serve: Callable[..., str], answer: Any, reason: str
) -> None:
    bad = SUBJECTS[2]
    model = Model(lambda p: answer if bad in p else queries_about(p))
    url = serve(model)
    found = run(url)
    assert found.report.asking
    assert found.report.asking.failures == {reason: 1}
    assert {q.tags["seed"] for q in found.queries} == {f"d{n}" for n in (0, 1, 3, 4, 5)}
    again = run(url).report.asking
    assert again
    assert again.asked == (0 if "refus" in reason else 1)


def test_no_answer_of_use_at_all(
    run: Run, serve: Callable[..., str], out: Path, complains: Complains
) -> None:
    url = serve(Model(lambda prompt: choice("I cannot do JSON")))
    says = "none of 6 answers holds queries; most often: the answer is not JSON"
    where = "[endpoints.small]"
    with complains(EndpointError, says, code=5, where=where, remedy="name a larger model"):
        run(url)
    assert not out.exists()


def test_a_budget_that_ends_half_way_keeps_what_it_bought(
    run: Run, serve: Callable[..., str]
) -> None:
    model = Model(queries_about)
    url = serve(model)
    found = run(url, max_requests=2, concurrency=2)
    assert found.report.asking
    assert (found.report.asking.asked, found.report.asking.unasked) == (2, 4)
    assert len({q.tags["seed"] for q in found.queries}) == 2
    rest = run(url, max_requests=4).report.asking
    assert rest
    assert (rest.reused, rest.asked, rest.unasked) == (2, 4, 0)
    assert sorted(subject_of(q["messages"][-1]["content"]) for q in model.asked) == sorted(SUBJECTS)


def test_a_budget_too_small_for_one_request(run: Run, serve: Callable[..., str]) -> None:
    model = Model(queries_about)
    with pytest.raises(BudgetError, match="too small for one request"):
        run(serve(model), max_tokens=10)
    assert model.asked == []


def test_an_endpoint_that_goes_away_loses_no_answer(
    run: Run, serve: Callable[..., str], out: Path
) -> None:
    three = Model(queries_about)

    def answer(
        request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        return three(request, body) if len(three.asked) < 3 else (503, {}, b"gone")

    with pytest.raises(EndpointError, match="HTTP 503"):
        run(serve(answer), concurrency=1)
    assert len(out.with_name("synthesis.jsonl").read_text().splitlines()) == 3
    model = Model(queries_about)
    run(serve(model))
    assert len(model.asked) == 3


def test_an_error_waits_for_the_answers_under_way_alone(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    model = Model(queries_about)
    first = threading.Lock()

    def answer(
        request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        if first.acquire(blocking=False):
            return 401, {}, b"who are you"
        time.sleep(0.5)
        return model(request, body)

    settings = SynthesizeSettings(kinds=("topic",))
    wanted: list[tuple[Document, tuple[Kind, ...]]] = [
        (Document(f"d{n}", {"title": f"About the {s} {n}", "body": s}), ("topic",))
        for n, s in enumerate(SUBJECTS * 3)
    ]
    sheet = Worksheet(tmp_path / "synthesis.jsonl")
    endpoint = Endpoint(
        model="m", base_url=f"{serve(answer)}/v1", retries=0, timeout=60, concurrency=2
    )
    began = time.monotonic()
    with (
        Chat(endpoint, where="[endpoints.small]") as chat,
        pytest.raises(EndpointError, match="HTTP 401"),
    ):
        ask_about(chat, questions_of(wanted, settings, "m"), sheet, run="r", seed=0)
    assert time.monotonic() - began < 40
    assert 1 <= len(sheet.answers) == len(model.asked) <= 3


def test_what_it_would_take_is_told_without_asking(
    es: Elasticsearch, index: str, run: Run, serve: Callable[..., str], out: Path
) -> None:
    model = Model(queries_about)
    url = serve(model)
    endpoint = Endpoint(model="m", base_url=f"{url}/v1", input_price=1000, output_price=0)

    def look() -> Any:
        settings = SynthesizeSettings(documents=6)
        common: dict[str, Any] = {"fields": DEFAULT_FIELDS, "out": out, "seed": 0}
        return foresee(es, index, settings, endpoint=endpoint, **common)

    before = look()
    assert (before.documents, before.reused, before.most.requests) == (6, 0, 6)
    assert before.most.cost == pytest.approx(before.most.input_tokens / 1000)
    assert model.asked == []
    assert not out.parent.exists()
    run(url)
    assert (look().reused, look().most.requests) == (6, 0)


@pytest.mark.parametrize("name", ["synthesis.jsonl", "Synthesis.jsonl"])
def test_queries_are_not_written_over_the_answers(
    es: Elasticsearch, index: str, tmp_path: Path, complains: Complains, name: str
) -> None:
    out = tmp_path / name
    out.write_text("answers\n")
    common: dict[str, Any] = {"fields": DEFAULT_FIELDS, "out": out, "seed": 0}
    settings, says = SynthesizeSettings(documents=6), "answers that were paid for"
    with complains(UsageError, says, code=2, where=str(out), remedy="another name"):
        synthesize(es, index, settings, **common)
    with complains(UsageError, says, code=2, where=str(out), remedy="another name"):
        foresee(es, index, settings, endpoint=Endpoint(model="m"), **common)
    assert out.read_text() == "answers\n"


def test_kinds_that_need_a_model(run: Run, complains: Complains) -> None:
    where = "[training.synthesize] kinds"
    with complains(ConfigError, "without a model", code=2, where=where, remedy="or an endpoint"):
        run(kinds=("question",))


def test_queries_that_are_all_dropped(run: Run, serve: Callable[..., str], out: Path) -> None:
    def say(prompt: str) -> dict[str, Any]:
        names = json.loads(queries_about(prompt)["choices"][0]["message"]["content"])
        return choice(json.dumps(dict.fromkeys(names, "quarterly dividends")))

    with pytest.raises(InputError, match=r"none of 18 queries by m is kept: not answered 18"):
        run(serve(Model(say)))
    assert not out.exists()
    assert len(out.with_name("synthesis.jsonl").read_text().splitlines()) == 6


def test_a_real_small_model_answers_by_the_schema(run: Run, smollm2: str) -> None:
    url = smollm2.removesuffix("/v1")
    limits = {"max_characters": 600, "timeout": 120.0, "concurrency": 1}
    options: dict[str, Any] = {"documents": 2, "per_document": 2, "answered": 0, **limits}
    found = run(url, **options)
    asking = found.report.asking
    assert asking
    assert (asking.asked, asking.failures) == (2, {})
    assert found.report.drafts >= 3
    again = run(url, **options)
    assert again.queries == found.queries
    assert again.report.asking
    assert again.report.asking.spent.requests == 0
