"""A labeler's folder is replaced whole or not at all, and nothing is left beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from relevance_eval.errors import StorageError
from relevance_eval.exporters.folders import replaced

KILLED = """
import os, sys
from pathlib import Path
from relevance_eval.exporters.folders import replaced
with replaced(Path(sys.argv[1])) as (new, work):
    (new / "model").write_text("half")
    os._exit(9)
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "labeler"
    folder.mkdir()
    (folder / "model").write_text("before")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_takes_the_place_of_the_old_one(out: Path) -> None:
    with replaced(out) as (new, work):
        (new / "model").write_text("after")
        (work / "part").write_text("gone")
        assert (out / "model").read_text() == "before"
    assert (out / "model").read_text() == "after"
    assert names(out.parent) == ["labeler"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_was_there_stays_when_the_work_fails(out: Path, kind: type[BaseException]) -> None:
    def work() -> None:
        with replaced(out) as (new, _):
            (new / "model").write_text("after")
            raise kind

    with pytest.raises(kind):
        work()
    assert (out / "model").read_text() == "before"
    assert names(out.parent) == ["labeler"]


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_what_was_there_stays_when_the_exchange_fails(
    out: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise kind
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(StorageError if kind is OSError else kind), replaced(out) as (new, _):
        (new / "model").write_text("after")
    assert (out / "model").read_text() == "before"
    assert names(out.parent) == ["labeler"]


def test_what_a_killed_process_left_goes_with_the_next_one(out: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False, timeout=60)
    assert len(names(out.parent)) == 2
    (out.parent / ".labeler-of-mine").mkdir()
    another = out.parent / ".labeler-2-abcdefgh"
    (another / "old").mkdir(parents=True)
    (another / "relevance-eval.lock").touch()
    with replaced(out) as (new, _):
        (new / "model").write_text("after")
    assert names(out.parent) == [".labeler-2-abcdefgh", ".labeler-of-mine", "labeler"]


def test_work_that_goes_on_is_not_swept(out: Path) -> None:
    with replaced(out) as (first, _):
        (first / "model").write_text("first")
        with replaced(out) as (second, _):
            (second / "model").write_text("second")
        assert (out / "model").read_text() == "second"
        assert (first / "model").read_text() == "first"
    assert (out / "model").read_text() == "first"
    assert names(out.parent) == ["labeler"]


def test_the_folder_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with replaced(Path()) as (new, _):
        (new / "model").write_text("after")
    assert (folder / "model").read_text() == "after"
