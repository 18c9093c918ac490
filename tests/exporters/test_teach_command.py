"""The verb: what it says, what it writes, and what is left when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.evaluators.example import Example, read_examples, write_examples
from relevance_eval.evaluators.judgments import Judgments

Make = Callable[..., Any]
SURE = {"2": 0.75, "1": 0.25}
LIMITS = "input_price = 1.0\noutput_price = 2.0\n"


@pytest.fixture
def project(tmp_path: Path, some_pairs: Make) -> Callable[..., Path]:
    """A folder with twelve pairs to grade, and an endpoint that grades."""

    def made(url: str, more: str = "", *, pairs: int = 12) -> Path:
        text = f'[endpoints.teacher]\nmodel = "small"\nbase_url = "{url}"\npause = 0.01\n{more}\n'
        text += '[training]\nfolder = "training"\n[training.teach]\nendpoint = "teacher"\n'
        (tmp_path / "relevance-eval.toml").write_text(text)
        (tmp_path / "training").mkdir(exist_ok=True)
        examples = [
            Example(pair, "bm25 1-10", seed="d0-0", rank=i + 1)
            for i, pair in enumerate(some_pairs(3, pairs // 3))
        ]
        write_examples(tmp_path / "training" / "pairs.jsonl", examples)
        return tmp_path

    return made


def test_it_grades_and_writes_what_training_reads(
    canned: Make, completion: Make, project: Make, answer: Make
) -> None:
    usage = {"prompt_tokens": 300, "completion_tokens": 9}
    server = canned(lambda body, n: completion('{"grade": 2}', SURE, usage=usage))
    folder = project(server.url, LIMITS)
    found = answer("teach", cwd=folder)
    assert {k: found[k] for k in ("needed", "reused", "graded", "failed", "not_asked")} == {
        "needed": 12,
        "reused": 0,
        "graded": 12,
        "failed": 0,
        "not_asked": 0,
    }
    assert found["spent"] == {
        "requests": 12,
        "input_tokens": 3600,
        "output_tokens": 108,
        "cost": 0.003816,
    }
    examples = read_examples(folder / "training" / "graded.jsonl")
    assert [e.rank for e in examples] == list(range(1, 13))
    assert {e.judgment.probabilities for e in examples if e.judgment} == {(0, 0.25, 0.75, 0)}
    first = (folder / "training" / "graded.jsonl").read_bytes()
    again = answer("teach", cwd=folder)
    assert (again["reused"], again["graded"], again["spent"]["requests"]) == (12, 0, 0)
    assert (folder / "training" / "graded.jsonl").read_bytes() == first
    assert len(server.bodies) == 12


def test_a_dry_run_asks_nothing_and_needs_no_key(
    canned: Make, completion: Make, project: Make, answer: Make, cli: Make
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    folder = project(server.url, LIMITS + 'api_key_env = "NO_SUCH_KEY"\n')
    found = answer("teach", "--dry-run", cwd=folder)
    assert (found["pairs"], found["reused"], found["estimate"]["requests"]) == (12, 0, 12)
    assert 0 < found["estimate"]["cost"] < found["most"]["cost"]
    assert found["most"]["output_tokens"] == 12 * 32
    told = cli("teach", "--dry-run", cwd=folder).stdout
    assert "12 pairs, 0 graded before\nabout 12 requests, " in told
    assert "\nat the most 12 requests, " in told
    assert server.bodies == []
    assert not (folder / "training" / "graded.jsonl").exists()


def test_a_budget_that_ends_is_told_and_no_failure(
    canned: Make, completion: Make, project: Make, cli: Make, answer: Make
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    folder = project(server.url, "max_requests = 5\n")
    told = " ".join(cli("teach", cwd=folder).stdout.split())
    assert "12 pairs: 0 graded before, 5 now" in told
    assert "7 were not asked about" in told
    assert "max_requests = 5" in told
    assert "failed" not in told
    assert len(read_examples(folder / "training" / "graded.jsonl")) == 5
    found = answer("teach", cwd=folder)
    assert (found["reused"], found["graded"], found["not_asked"]) == (5, 5, 2)
    assert "max_requests" in found["stopped"]


def test_killed_and_started_again_it_pays_for_nothing_twice(
    canned: Make, completion: Make, project: Make, answer: Make, console_script: Path
) -> None:
    halfway = threading.Event()

    def reply(body: dict[str, Any], number: int) -> Any:
        if number >= 6 and not halfway.is_set():
            halfway.wait(60)  # nobody is answered any more until the process is gone
        return completion('{"grade": 2}', SURE)

    server = canned(reply)
    folder = project(server.url, "concurrency = 2\n")
    words = [console_script, "teach", "-q"]
    process = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while len(server.bodies) < 8:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        halfway.set()
    with Judgments(folder / ".relevance-eval" / "judgments.sqlite") as store:
        assert store.count() == 6
    found = answer("teach", cwd=folder)
    assert (found["reused"], found["graded"]) == (6, 6)
    asked = [body["messages"][1]["content"] for body in server.bodies]
    unanswered = 2  # under way when the process was killed
    assert len(asked) == 12 + unanswered
    assert len(set(asked)) == 12


def test_a_batch_goes_out_and_comes_back(
    completion: Make, project: Make, answer: Make, cli: Make
) -> None:
    folder = project("http://127.0.0.1:9/v1")
    out = answer("teach", "--batch-out", "in.jsonl", cwd=folder)
    assert out["estimate"]["requests"] == 12
    lines = [json.loads(line) for line in (folder / "in.jsonl").read_text().splitlines()]
    body = json.loads(completion('{"grade": 1}')[2])
    answers = [
        {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}}
        for line in lines[:8]
    ]
    text = "".join(json.dumps(a) + "\n" for a in answers) + '{"custom_id": "ha'
    (folder / "out.jsonl").write_text(text)
    back = answer("teach", "--batch-in", "out.jsonl", cwd=folder)
    assert (back["graded"], back["not_asked"], back["unknown"], back["broken"]) == (8, 4, 0, 1)
    rest = answer("teach", "--batch-out", "rest.jsonl", cwd=folder)
    assert (rest["reused"], rest["estimate"]["requests"]) == (8, 4)
    told = cli("teach", "--batch-in", "out.jsonl", cwd=folder).stdout
    assert "1 lines of the batch cannot be read" in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--dry-run", "--batch-out", "x.jsonl"], "exclude each other"),
        (["--endpoint", "teecher"], "there is no endpoint 'teecher'\n  did you mean teacher?"),
        (["nowhere.jsonl"], "there is no such file\n  make it with: relevance-eval mine"),
        (["empty.jsonl"], "the file holds no pairs"),
        (["--guidelines", "none.txt"], "there is no such file of guidelines"),
        (["--batch-in", "none.jsonl"], "there is no such file"),
    ],
)
def test_wrong_use_is_one_message(
    project: Make, complaint: Make, words: list[str], says: str
) -> None:
    folder = project("http://127.0.0.1:9/v1")
    (folder / "empty.jsonl").touch()
    assert says in complaint("teach", *words, cwd=folder)


def test_a_folder_that_cannot_be_is_said_before_anything_is_paid_for(
    canned: Make, completion: Make, project: Make, complaint: Make
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    folder = project(server.url)
    (folder / "file").touch()
    said = complaint("teach", "--out", "file/graded.jsonl", cwd=folder, code=5)
    assert said.startswith("error: file/graded.jsonl: ")
    assert "choose another folder" in said
    assert server.bodies == []


def test_answers_of_another_batch_leave_what_was_graded_before(
    completion: Make, project: Make, complaint: Make
) -> None:
    folder = project("http://127.0.0.1:9/v1")
    graded = folder / "training" / "graded.jsonl"
    graded.write_text("kept\n")
    body = json.loads(completion('{"grade": 1}')[2])
    row = {"custom_id": "another", "response": {"status_code": 200, "body": body}}
    (folder / "out.jsonl").write_text(json.dumps(row) + "\n")
    said = complaint("teach", "--batch-in", "out.jsonl", cwd=folder, code=5)
    assert "no pair was graded; 12 of 12: the labeler left it out" in said
    assert graded.read_text() == "kept\n"


def test_without_an_endpoint_it_says_how_to_name_one(tmp_path: Path, complaint: Make) -> None:
    (tmp_path / "relevance-eval.toml").write_text("")
    assert "no endpoint is named that grades\n  describe one" in complaint("teach", cwd=tmp_path)


def test_a_key_that_is_not_set_is_named(project: Make, complaint: Make) -> None:
    folder = project("http://127.0.0.1:9/v1", 'api_key_env = "NO_SUCH_KEY"\n')
    assert "NO_SUCH_KEY is not set" in complaint("teach", cwd=folder)


def test_an_absent_server_is_one_message(project: Make, complaint: Make) -> None:
    folder = project("http://127.0.0.1:9/v1", "retries = 1\n")
    said = complaint("teach", cwd=folder, code=5)
    assert "nothing answers at http://127.0.0.1:9/v1, in 2 tries" in said


def test_a_labeler_of_an_endpoint_that_is_not_configured(project: Make, complaint: Make) -> None:
    folder = project("http://127.0.0.1:9/v1")
    (folder / "corpus.jsonl").write_text('{"id": "d1", "body": "Open it."}\n')
    (folder / "queries.jsonl").write_text('{"id": "q1", "text": "vpn setup"}\n')
    (folder / "qrels.txt").write_text("q1 0 d1 2\n")
    words = ["agreement", "qrels.txt", "--corpus", "corpus.jsonl", "--queries", "queries.jsonl"]
    said = complaint(*words, "--labeler", "endpoint:teachers", cwd=folder)
    assert "there is no endpoint 'teachers'\n  did you mean teacher?" in said


def test_an_endpoint_is_a_labeler_like_any_other(
    canned: Make, completion: Make, project: Make, answer: Make
) -> None:
    server = canned(lambda body, n: completion('{"grade": 2}', SURE))
    folder = project(server.url)
    (folder / "corpus.jsonl").write_text('{"id": "d1", "title": "VPN", "body": "Open it."}\n')
    (folder / "queries.jsonl").write_text('{"id": "q1", "text": "vpn setup"}\n')
    (folder / "qrels.txt").write_text("q1 0 d1 2\n")
    words = ["agreement", "qrels.txt", "--corpus", "corpus.jsonl", "--queries", "queries.jsonl"]
    found = answer(*words, "--labeler", "endpoint:teacher", cwd=folder)
    assert found["labeler"]["name"] == "small"
    assert found["labels"]["bought"] == len(server.bodies) == 1
