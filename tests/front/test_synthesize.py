"""The verb `synthesize`: what it prints, what it writes, and what it says that cannot work."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.evaluators.query import read_queries
from relevance_eval.plugin.server import Connection, connect

Cli = Callable[..., Any]
ENDPOINT = """
[endpoints.small]
model = "small"
base_url = "{url}"
retries = 0
pause = 0

[training.synthesize]
endpoint = "small"
documents = 3
"""


@pytest.fixture(scope="module")
def index(node_url: str) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    texts = ("payroll calendar for March", "battery recall of meters", "canteen menu on Monday")
    with connect(Connection(node_url, timeout=120)) as es:
        for n, text in enumerate(texts):
            row = {"title": f"All on the {text}", "body": f"Read here of the {text}, all of it."}
            es.index(index=name, id=f"d{n}", document=row)
        es.indices.refresh(index=name)
        yield name
        es.indices.delete(index=name)


@pytest.fixture
def project(configured: Callable[[str], Path], node_url: str, index: str) -> Callable[[str], Path]:
    """Writes a configuration for the index, with these further tables; returns its folder."""

    def write(more: str = "") -> Path:
        text = f'[elasticsearch]\nurl = "{node_url}"\nindex = "{index}"\n{more}'
        return configured(text).parent

    return write


def nobody() -> str:
    """An address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def test_queries_are_written_and_counted(
    cli: Cli, answer: Callable[..., Any], project: Callable[..., Path]
) -> None:
    folder = project()
    found = answer("synthesize", "--per-document", "2", cwd=folder)
    path = folder / ".relevance-eval" / "training" / "queries.jsonl"
    queries = read_queries(path)
    assert found["file"] == str(path)
    assert found["queries"] == len(queries) == sum(found["kinds"].values()) > 0
    assert (found["documents"], found["held"], found["drafts"]) == (3, 3, 6)
    assert found["by"] == "extractive"
    assert set(found["strata"]) == {"folder", "kind", "age"}
    said = cli("synthesize", "--documents", "2", "--out", "q.jsonl", "-q", cwd=folder).stdout
    assert f"{len(read_queries(folder / 'q.jsonl'))} queries about 2 documents" in said
    assert "queries by kind: " in said
    assert "dropped of " in said
    assert "by folder: none 2" in said
    assert "queries are in q.jsonl" in said


def test_the_models_answers_and_what_they_cost_are_told(
    cli: Cli, project: Callable[..., Path], serve: Callable[..., str]
) -> None:
    def say(request: object, body: bytes) -> tuple[int, dict[str, str], bytes]:
        asked = json.loads(body)["response_format"]["json_schema"]["schema"]["required"]
        about = json.loads(body)["messages"][-1]["content"]
        words = about.partition("All on the ")[2].split()[:2]
        text = json.dumps({name: " ".join(words) for name in asked})
        broken = text[:5] if "canteen" in about else text
        return 200, {}, json.dumps({"choices": [{"message": {"content": broken}}]}).encode()

    folder = project(ENDPOINT.format(url=f"{serve(say)}/v1"))
    ahead = cli("synthesize", "--dry-run", cwd=folder).stdout
    assert "at the most 3 requests" in ahead
    said = cli("synthesize", cwd=folder)
    assert "by small" in said.stdout
    assert "answers: 3 now, 0 from before; 1 of no use" in said.stdout
    assert "  1: the answer is not JSON, or a part of it" in said.stdout
    assert "spent: 3 requests" in said.stdout
    again = cli("synthesize", "--seed", "5", "--per-document", "2", cwd=folder)
    assert "this is a new start" in again.stderr
    own = cli("synthesize", "--endpoint", "none", cwd=folder).stdout
    assert "by extractive" in own


def test_an_endpoint_that_is_not_configured(
    complaint: Callable[..., str], configured: Callable[[str], Path]
) -> None:
    folder = configured(ENDPOINT.format(url="http://127.0.0.1:1/v1")).parent
    for more in ((), ("--dry-run",)):
        said = complaint("synthesize", "--endpoint", "smal", *more, cwd=folder)
        assert "there is no endpoint 'smal'" in said
        assert "did you mean small?" in said


def test_a_key_that_is_not_set_is_missed_before_anything_is_done(
    complaint: Callable[..., str], configured: Callable[[str], Path]
) -> None:
    text = ENDPOINT.format(url="http://127.0.0.1:1/v1").replace(
        "retries", 'api_key_env = "NOT_SET_ANYWHERE"\nretries'
    )
    said = complaint("synthesize", cwd=configured(text).parent)
    assert "[endpoints.small] api_key_env" in said
    assert "NOT_SET_ANYWHERE is not set" in said


def test_an_endpoint_at_which_nobody_answers(
    complaint: Callable[..., str], project: Callable[..., Path]
) -> None:
    folder = project(ENDPOINT.format(url=nobody()))
    said = complaint("synthesize", cwd=folder, code=5)
    assert "[endpoints.small]: nothing answers at" in said
    assert "start the server, or correct base_url" in said
    assert not (folder / ".relevance-eval" / "training" / "queries.jsonl").exists()


def test_a_dry_run_without_an_endpoint(
    complaint: Callable[..., str], project: Callable[..., Path]
) -> None:
    said = complaint("synthesize", "--dry-run", cwd=project())
    assert "no endpoint is named" in said


def test_an_index_without_the_fields(
    complaint: Callable[..., str], project: Callable[..., Path], index: str
) -> None:
    folder = project('[documents]\nbody = "content"\nauthor = "writer"\n')
    said = complaint("synthesize", cwd=folder)
    assert f"index {index}" in said
    assert "author = 'writer', body = 'content'" in said
