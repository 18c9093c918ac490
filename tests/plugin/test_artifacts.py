"""Maven artifacts: fetched once, kept whole or not at all, and nowhere but in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from relevance_eval.plugin.artifacts import cache_folder

pytest.importorskip("jgo", reason="needs relevance-eval[embedded]")

# 29 KB, with a dependency that is not wanted here
JAR = "org.apache.lucene:lucene-memory:10.3.2"
FETCH = f"""
import logging, os, sys
if os.environ.get("LOGGED"):
    logging.getLogger("relevance_eval").setLevel(logging.DEBUG)
    logging.getLogger("relevance_eval").addHandler(logging.StreamHandler(sys.stdout))
from relevance_eval.errors import EmbeddedNodeError
from relevance_eval.plugin import artifacts
artifacts._PAUSES = (0, 0)
try:
    jars = artifacts.fetch_jars([{JAR!r}], transitive=False, otherwise="use no jar")
    print(*(jar.name for jar in jars))
except EmbeddedNodeError as error:
    print(error)
"""


def fetch(home: Path, **env: str) -> str:
    """The names of the jars, or the complaint, that a process with this home folder gets.

    A process of its own, also as jgo leaves the connection of an error for the collector to close.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    kept.pop("RELEVANCE_EVAL_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", FETCH],
        env={**kept, "HOME": str(home), **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


def test_one_jar_is_fetched_once_and_only_into_the_cache(tmp_path: Path) -> None:
    assert fetch(tmp_path) == "lucene-memory-10.3.2.jar"
    assert fetch(tmp_path, HTTPS_PROXY="http://127.0.0.1:9") == "lucene-memory-10.3.2.jar"
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    (kept,) = files
    assert kept.startswith(".cache/relevance-eval/jars/lucene-memory-10.3.2-")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"RELEVANCE_EVAL_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/relevance-eval"),
        ({"XDG_CACHE_HOME": "not/absolute"}, "/home/u/.cache/relevance-eval"),
        ({}, "/home/u/.cache/relevance-eval"),
    ],
)
def test_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], expected: str
) -> None:
    for name in ("RELEVANCE_EVAL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/u")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


class Repository(BaseHTTPRequestHandler):
    """A Maven repository in which everything is `body`, or breaks off early."""

    body = b""
    announced = 0
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(self.announced))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing on stderr."""


@contextmanager
def serving(body: bytes, announced: int, status: int) -> Iterator[str]:
    members = {"body": body, "announced": announced, "status": status}
    handler = type("OwnRepository", (Repository,), members)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("body", "announced", "status", "reason"),
    [
        (b"PK half a jar", 1000, 200, "no connection"),
        (b"<html>please log in</html>", 26, 200, "File is not a zip file"),
        (b"", 0, 404, "not found in remote repositories"),
    ],
)
def test_a_broken_download_leaves_nothing_behind(
    tmp_path: Path, body: bytes, announced: int, status: int, reason: str
) -> None:
    with serving(body, announced, status) as repository:
        direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        said = fetch(tmp_path, RELEVANCE_EVAL_MAVEN=repository, **direct)
    assert f"{repository}: cannot download {JAR}: " in said
    assert reason in said
    assert "or use no jar" in said
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_the_password_of_a_repository_is_never_shown(tmp_path: Path) -> None:
    direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "LOGGED": "1"}
    with serving(b"", 0, 404) as repository:
        own = repository.replace("//", "//ada:s3cret@")
        said = fetch(tmp_path, RELEVANCE_EVAL_MAVEN=own, **direct)
    assert "s3cret" not in said
    assert f"lucene-memory 10.3.2 from {repository} (once)" in said
    assert f"{repository}: cannot download {JAR}: Artifact " in said
