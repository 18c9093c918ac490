"""The embedded node, as users meet it: real processes, a real Elasticsearch, real signals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, EmbeddedNodeError
from relevance_eval.plugin.embedded import EmbeddedNode
from relevance_eval.plugin.embedded_failures import data_refused, start_failed
from relevance_eval.plugin.embedded_layout import FAILED, NodeFolder

USER = """
import sys, resource
from pathlib import Path
from relevance_eval.errors import RelevanceEvalError
from relevance_eval.plugin.embedded import EmbeddedNode
PRELUDE
node = EmbeddedNode(Path(sys.argv[1]), heap=sys.argv[2])
try:
    print(node.start(), flush=True)
except RelevanceEvalError as error:
    sys.exit(f"{type(error).__name__} {error}")
sys.stdin.read()
"""
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


def start_user(
    folder: Path, *, heap: str = "512m", prelude: str = "", env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """A process that uses the node of `folder` until its input is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", USER.replace("PRELUDE", prelude), str(folder), heap],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )


def complaint(user: subprocess.Popen[str]) -> str:
    """What a user reads who gets no node."""
    out, err = user.communicate(timeout=60)
    assert (user.returncode, out) == (1, "")
    return err


@contextmanager
def client(url: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(url, request_timeout=30) as elasticsearch:
        yield elasticsearch


def wait_until_ended(folder: Path, seconds: float) -> None:
    """The child's lock says best whether it lives: no number of a process is used twice there."""
    deadline = time.monotonic() + seconds
    with (folder / "node" / "child.lock").open("ab") as lock:
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < deadline, "the node still runs"
                time.sleep(0.05)


def state(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "node" / "state.json").read_text())
    return content


def test_finds_by_words_and_by_vector(node_url: str) -> None:
    properties = {"title": {"type": "text"}, "v": {"type": "dense_vector", "dims": 3}}
    knn = {"field": "v", "query_vector": [0.1, 1, 0], "k": 1, "num_candidates": 2}
    with client(node_url) as es:
        es.indices.create(index="test-embedded", mappings={"properties": properties})
        for number, (title, vector) in enumerate([("vpn setup", [1, 0, 0]), ("leave", [0, 1, 0])]):
            document = {"title": title, "v": vector}
            es.index(index="test-embedded", id=str(number), document=document, refresh=True)
        words = es.search(index="test-embedded", query={"match": {"title": "vpn"}})
        vector = es.search(index="test-embedded", knn=knn)
        es.indices.delete(index="test-embedded")
    assert [hit["_id"] for hit in words["hits"]["hits"]] == ["0"]
    assert vector["hits"]["hits"][0]["_id"] == "1"


def test_listens_on_loopback_alone_and_outlives_ctrl_c(node_url: str, node_folder: Path) -> None:
    with client(node_url) as es:
        (node,) = es.nodes.info(node_id="_local", metric="http,transport")["nodes"].values()
    addresses = node["http"]["bound_address"] + node["transport"]["bound_address"]
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}
    assert os.getsid(state(node_folder)["pid"]) != os.getsid(0)


def test_another_process_shares_a_running_node(node_url: str, node_folder: Path) -> None:
    user = start_user(node_folder, env={**NO_NETWORK, "RELEVANCE_EVAL_CACHE": "/nonexistent"})
    out, err = user.communicate(timeout=60)
    assert (out.strip(), err) == (node_url, "")
    with client(node_url) as es:
        assert es.cluster.health()["status"] != "red"  # one user less ends nothing


def test_a_running_node_of_another_version_is_refused(node_url: str, node_folder: Path) -> None:
    with pytest.raises(EmbeddedNodeError, match=r"a node of version 9\.2\.2 .* is in use"):
        EmbeddedNode(node_folder, version="9.2.1").start()


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    """With a name that Java cannot read in every locale, or takes for lists of paths."""
    folder = tmp_path / "fünf: zwei, drei Wörter"
    folder.mkdir()
    return folder


def test_lifetime(odd_folder: Path) -> None:
    """One folder through its life, as each start takes seconds."""
    users = [start_user(odd_folder, env={"LC_ALL": "C", "JAVA_TOOL_OPTIONS": "-x"}) for _ in "ab"]
    try:
        first, second = (user.stdout.readline().strip() for user in users if user.stdout)
        assert first == second != ""  # started at once, by both
        with client(first) as es:
            es.index(index="kept", id="1", document={"title": "kept"}, refresh=True)
    finally:
        for user in users:
            user.send_signal(signal.SIGKILL)
            user.communicate()
    wait_until_ended(odd_folder, 10)

    with EmbeddedNode(odd_folder, heap="512m") as node, client(node.start()) as es:
        assert es.count(index="kept")["count"] == 1
        assert node.failure() is None
        os.kill(state(odd_folder)["pid"], signal.SIGKILL)
        wait_until_ended(odd_folder, 10)
        failure = node.failure()
        assert failure is not None
        assert "memory ran out" in str(failure)

    (odd_folder / "node" / "data-version").write_text("9.9.0")
    with pytest.raises(EmbeddedNodeError, match=r"written by Elasticsearch 9\.9\.0") as caught:
        node.start()
    assert f"remove {odd_folder / 'node' / 'data'}" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "refused"),
    [("9.2.2", False), ("9.0.10", False), ("9.2.3", True), ("10.0.0", True), ("8.19.1", True)],
)
def test_data_of_the_same_major_is_upgraded(tmp_path: Path, written: str, refused: bool) -> None:
    folder = NodeFolder(tmp_path)
    (folder.data / "indices").mkdir(parents=True)
    (tmp_path / "data-version").write_text(written)
    assert (data_refused(folder, "9.2.2") is not None) is refused


def test_no_network(tmp_path: Path) -> None:
    env = {**NO_NETWORK, "RELEVANCE_EVAL_CACHE": str(tmp_path / "cache")}
    said = complaint(start_user(tmp_path, env=env))
    assert "EmbeddedNodeError" in said
    assert "cannot download org.elasticsearch:elasticsearch:9.2.2" in said
    assert "connect to the internet once" in said
    assert "`[elasticsearch] url`" in said
    assert list((tmp_path / "cache" / "jars").iterdir()) == []


def test_a_heap_beyond_the_machine(tmp_path: Path, node_url: str) -> None:
    with pytest.raises(EmbeddedNodeError, match="900g does not fit into this machine's memory"):
        EmbeddedNode(tmp_path, heap="900g").start()


def test_a_heap_that_java_cannot_reserve(tmp_path: Path, node_url: str) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_AS, (1500 << 20, 1500 << 20))"
    said = complaint(start_user(tmp_path, heap="1g", prelude=limit))
    assert "Java cannot have a heap of 1g; Could not reserve enough space" in said
    assert "choose another heap" in said


def test_a_heap_that_is_too_small(tmp_path: Path, node_url: str) -> None:
    with pytest.raises(EmbeddedNodeError, match="a heap of 2m is not enough") as caught:
        EmbeddedNode(tmp_path, heap="2m").start()
    assert caught.value.where == str(tmp_path / "node" / "node.log")


def test_no_answer_in_time(tmp_path: Path, node_url: str) -> None:
    with pytest.raises(EmbeddedNodeError, match=r"did not answer within 0\.3 s"):
        EmbeddedNode(tmp_path, start_timeout=0.3).start()
    wait_until_ended(tmp_path, 10)


@pytest.mark.parametrize(
    ("module", "said"),
    [("fcntl", "needs Linux or macOS"), ("jpype", "pip install 'relevance-eval[embedded]'")],
)
def test_what_the_node_needs(tmp_path: Path, module: str, said: str) -> None:
    user = start_user(tmp_path, prelude=f"sys.modules[{module!r}] = None")
    assert said in complaint(user)


@pytest.mark.parametrize(
    ("option", "value"), [("version", "newest"), ("heap", "1.5g"), ("heap", "0g"), ("heap", "1")]
)
def test_options_that_are_none(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=value):
        EmbeddedNode(tmp_path, **{option: value})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("log", "message", "remedy"),
    [
        ("BindHttpException: Failed to bind to 127.0.0.1:9200", "no port of 127.0.0.1", "127.0.0"),
        ("IllegalStateException: failed to obtain node locks, tried", "in use by another", "end"),
        ("cannot downgrade a node from version [9.3.0]", "does not go with", "remove /"),
        ("java.io.IOException: No space left on device", "the disk is full", "free some space"),
        (f"ERROR x\n{FAILED} bad setting\nat y", "exit code 1); its log says: bad setting", "log"),
        ("loading\nsome Error here\nat z", "its log says: some Error here", "read the log"),
        ("", "its log says: nothing", "read the log"),
    ],
)
def test_causes_in_the_log(tmp_path: Path, log: str, message: str, remedy: str) -> None:
    folder = NodeFolder(tmp_path)
    folder.log.write_text(log)
    error = start_failed(folder, 1, "1g")
    assert message in error.message
    assert remedy in (error.remedy or "")
    assert error.where == str(folder.log)
