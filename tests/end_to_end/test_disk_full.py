"""A project on a disk that is full: a small file system in memory, filled to the last byte."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
Stored = Callable[[Path], int]
FREE_SPACE = "free some space"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"mounting a small file system is not permitted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leaves not one page free; returns the file that takes the space."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while out.write(b"\0" * size):
                    pass
    assert shutil.disk_usage(disk).free == 0
    return ballast


@pytest.fixture
def project_on_disk(many_pairs: Path, small_disk: Path) -> Path:
    """A project whose inputs are elsewhere."""
    text = (many_pairs / "relevance-eval.toml").read_text()
    (small_disk / "relevance-eval.toml").write_text(text)
    lines = (many_pairs / "all.run").read_text().splitlines()
    (many_pairs / "few.run").write_text("\n".join(lines[:20]) + "\n")
    return small_disk


@pytest.fixture
def inputs(many_pairs: Path) -> Sequence[str]:
    corpus, queries = many_pairs / "corpus.jsonl", many_pairs / "queries.jsonl"
    return ("--corpus", str(corpus), "--queries", str(queries))


def test_labels_that_do_not_fit_leave_a_store_that_opens(
    answer: Answer,
    complaint: Complaint,
    stored: Stored,
    many_pairs: Path,
    project_on_disk: Path,
    inputs: Sequence[str],
) -> None:
    few, every = str(many_pairs / "few.run"), str(many_pairs / "all.run")
    assert answer("label", few, *inputs, cwd=project_on_disk)["bought"] == 20
    ballast = fill(project_on_disk)
    message = complaint("label", every, *inputs, cwd=project_on_disk, code=5)
    assert "judgments.sqlite: " in message
    assert "the disk is full" in message
    assert FREE_SPACE in message
    ballast.unlink()
    assert stored(project_on_disk) >= 20
    after = answer("label", every, *inputs, cwd=project_on_disk)
    assert after["reused"] >= 20
    assert after["reused"] + after["bought"] == after["needed"] == 640


def test_a_comparison_on_a_full_disk_keeps_the_labels(
    answer: Answer,
    complaint: Complaint,
    stored: Stored,
    many_pairs: Path,
    project_on_disk: Path,
    inputs: Sequence[str],
) -> None:
    few = str(many_pairs / "few.run")
    lines = (many_pairs / "few.run").read_text().splitlines()
    (many_pairs / "fewer.run").write_text("\n".join(lines[::2]) + "\n")
    words = ("compare", few, str(many_pairs / "fewer.run"), *inputs)
    answer("label", few, *inputs, cwd=project_on_disk)
    ballast = fill(project_on_disk)
    message = complaint(*words, cwd=project_on_disk, code=5)
    assert "the disk is full" in message
    assert FREE_SPACE in message
    ballast.unlink()
    assert stored(project_on_disk) == 20
    assert answer(*words, cwd=project_on_disk)["labels"]["bought"] == 0
