"""Labelling that is stopped, and two users at once: what was bought is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[..., dict[str, Any]]
Stored = Callable[[Path], int]


def started(script: Path, words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """In a session of its own, so that a signal reaches it alone.

    Where the tests run in the background, an interrupt is ignored, and a child would inherit that.
    """
    return subprocess.Popen(
        [script, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_first_labels(process: subprocess.Popen[str], folder: Path, stored: Stored) -> None:
    deadline = time.monotonic() + 180
    while not stored(folder):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no label was written"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (signal.SIGINT, 130, "\nstopped; what was stored so far is kept\n"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
    ids=["ctrl-c", "kill"],
)
def test_labelling_goes_on_from_where_it_was_stopped(
    console_script: Path,
    answer: Answer,
    stored: Stored,
    many_pairs: Path,
    label_all: Sequence[str],
    sent: signal.Signals,
    code: int,
    said: str,
) -> None:
    process = started(console_script, [*label_all, "-q"], many_pairs)
    try:
        wait_for_first_labels(process, many_pairs, stored)
    finally:
        os.kill(process.pid, sent)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", said)
    kept = stored(many_pairs)
    rest = answer(*label_all, cwd=many_pairs)
    assert 0 < kept < rest["needed"]
    assert rest["reused"] == kept
    assert rest["bought"] == rest["needed"] - kept
    assert stored(many_pairs) == rest["needed"]


def test_two_at_once_share_a_store_and_come_to_the_same_result(
    console_script: Path, stored: Stored, many_pairs: Path
) -> None:
    lines = (many_pairs / "all.run").read_text().splitlines()
    (many_pairs / "some.run").write_text("\n".join(lines[::3]) + "\n")
    words = ["compare", "all.run", "some.run", "--corpus", "corpus.jsonl", "--json", "-q"]
    both = [started(console_script, words, many_pairs) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert [err for _, err in told] == ["", ""]
    one, two = (json.loads(out)["result"] for out, _ in told)
    assert one["rankers"] == two["rankers"]
    assert one["comparisons"] == two["comparisons"]
    assert stored(many_pairs) == one["labels"]["needed"] == two["labels"]["needed"]
    assert len(list((many_pairs / ".relevance-eval" / "results").iterdir())) == 2
