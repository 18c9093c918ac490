"""Where a labeler comes from: the package, a folder, or a hub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair

Complains = Callable[..., Any]
Folder = Callable[..., Path]
Reply = tuple[int, Mapping[str, str], bytes]

WORDS = {"vpn": [0.0, 0.0, 1.0, 2.0]}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# A process of its own, as the hub's address and cache are read when its client is imported.
LOAD = """
import sys
from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.load import load_labeler
try:
    labeler = load_labeler(sys.argv[1])
    print(labeler.name, labeler.fingerprint)
except LabelerError as error:
    print(error)
"""


def test_a_folder_is_found_beside_the_configuration(write_folder: Folder) -> None:
    folder = write_folder(WORDS)
    relative = load_labeler("tiny", base=folder.parent)
    absolute = load_labeler(str(folder), base=Path("/nonexistent"))
    assert relative.fingerprint == absolute.fingerprint


def test_a_folder_may_be_below_the_home(
    write_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(WORDS)
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load_labeler("~/tiny").name == "tiny"


def test_a_folder_wins_over_a_hub(write_folder: Folder) -> None:
    folder = write_folder(WORDS)
    (folder.parent / "owner").mkdir()
    folder.rename(folder.parent / "owner" / "model")
    assert load_labeler("owner/model", base=folder.parent).name == "tiny"


def test_the_builtin_labeler_is_in_the_package(builtin: Labeler) -> None:
    assert load_labeler("builtin", base=Path("/nonexistent")).fingerprint == builtin.fingerprint


@pytest.mark.parametrize("name", ["biultin", "/no/such/folder", "a/b/c", "owner/my model", "x@1"])
def test_a_name_that_is_nothing(tmp_path: Path, complains: Complains, name: str) -> None:
    says, remedy = f"there is no labeler {name!r}", "use 'builtin', a folder, owner/name"
    with complains(LabelerError, says, code=2, remedy=remedy):
        load_labeler(name, base=tmp_path)


def test_a_file_is_no_folder(tmp_path: Path, complains: Complains) -> None:
    (tmp_path / "model").write_text("")
    with complains(LabelerError, "there is no labeler 'model'", code=2, remedy="a folder"):
        load_labeler("model", base=tmp_path)


@pytest.fixture
def hub(serve: Callable[..., str], write_folder: Folder) -> tuple[str, list[str]]:
    """A hub that has the model `owner/tiny` alone; its address, and what is asked of it."""
    folder = write_folder(WORDS)
    (folder / "weights.bin").write_bytes(b"not wanted")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    asked: list[str] = []

    def reply(content: object, status: int = 200, **headers: str) -> Reply:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return status, {"Content-Type": "application/json", **headers}, body

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        path = urlsplit(request.path).path
        asked.append(path)
        listed = [
            {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
            for n, c in files.items()
        ]
        if path in (f"/api/models/owner/tiny/revision/{r}" for r in ("main", "v1", COMMIT)):
            siblings = [{"rfilename": name} for name in files]
            return reply({"id": "owner/tiny", "sha": COMMIT, "siblings": siblings})
        if path.startswith(f"/api/models/owner/tiny/tree/{COMMIT}"):
            return reply(listed)
        name = path.removeprefix(f"/owner/tiny/resolve/{COMMIT}/")
        if name in files:
            etag = hashlib.sha1(files[name]).hexdigest()
            return reply(files[name], ETag=f'"{etag}"', **{"X-Repo-Commit": COMMIT})
        error = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
        return reply({"error": "Repository not found"}, 404, **error)

    return serve(answer), asked


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., str]:
    """What a process says that loads a labeler from the hub at this address."""

    def run(name: str, endpoint: str) -> str:
        env = {
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_TOKEN": "hf_do_not_show",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "5",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        env.pop("HF_HUB_OFFLINE", None)
        done = subprocess.run(
            [sys.executable, "-c", LOAD, name],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "hf_do_not_show" not in done.stdout + done.stderr
        return done.stdout.strip()

    return run


@pytest.mark.parametrize("name", ["owner/tiny", "owner/tiny@v1"])
def test_a_model_of_a_hub_is_downloaded_once(
    hub: tuple[str, list[str]],
    load: Callable[..., str],
    write_folder: Folder,
    tmp_path: Path,
    name: str,
) -> None:
    endpoint, asked = hub
    fingerprint = load_labeler(str(write_folder(WORDS))).fingerprint
    assert load(name, endpoint) == f"tiny {fingerprint}"
    fetched = {path.rpartition("/")[2] for path in asked if "/resolve/" in path}
    assert fetched == {"labeler.json", "model.onnx", "tokenizer.json"}
    asked.clear()
    assert load(name, endpoint) == f"tiny {fingerprint}"
    assert [path for path in asked if "/resolve/" in path] == []


def test_a_model_that_the_hub_does_not_have(
    hub: tuple[str, list[str]], load: Callable[..., str]
) -> None:
    said = load("owner/other", hub[0])
    assert said.startswith("there is no folder 'owner/other', and the hub does not give a model")
    assert "check the name and the network, or use 'builtin'" in said
    assert len(said.splitlines()) == 2


def test_a_hub_that_is_absent(load: Callable[..., str]) -> None:
    said = load("owner/tiny", "http://127.0.0.1:9")
    assert said.startswith("there is no folder 'owner/tiny', and the hub does not give a model")
    assert "check the name and the network, or use 'builtin'" in said
    assert len(said.splitlines()) == 2


def test_labelers_keep_the_protocol(write_folder: Folder, pair: Callable[..., Pair]) -> None:
    labeler: Labeler = load_labeler(str(write_folder(WORDS)))
    assert [position for position, _ in labeler.label([pair("vpn", body="vpn")])] == [0]
