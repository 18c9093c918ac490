"""The embedded node is killed while a command needs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[..., dict[str, Any]]
Stored = Callable[[Path], int]


def pid_of_node(folder: Path) -> int:
    state = folder / ".relevance-eval" / "node" / "state.json"
    return int(json.loads(state.read_text())["pid"])


def wait_for(line_start: str, command: subprocess.Popen[str]) -> None:
    """Reads what the command says of its progress."""
    assert command.stderr is not None
    for line in command.stderr:
        if line.startswith(line_start):
            return
    raise AssertionError(f"it never said {line_start!r}")


def test_a_node_that_dies_while_pulling_loses_nothing_that_was_bought(
    console_script: Path, answer: Answer, stored: Stored, own_project: Path
) -> None:
    bought = answer("label", "bm25", cwd=own_project)["bought"]
    assert stored(own_project) == bought > 0
    queries = [{"id": f"m{n}", "text": f"policy number {n} of the team"} for n in range(20_000)]
    text = "".join(json.dumps(query) + "\n" for query in queries)
    (own_project / "many.jsonl").write_text(text)

    command = subprocess.Popen(
        [console_script, "label", "bm25", "fields", "--queries", "many.jsonl"],
        cwd=own_project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for("pulling: ", command)
    os.kill(pid_of_node(own_project), signal.SIGKILL)
    out, err = command.communicate(timeout=120)

    assert (command.returncode, out) == (5, "")
    assert err.count("error: ") == 1
    assert "node.log: the node has stopped: it was killed, most likely" in err
    assert "give the node a smaller heap than 1g" in err
    assert "Traceback" not in err
    assert stored(own_project) == bought
    again = answer("label", "bm25", cwd=own_project)
    assert (again["reused"], again["bought"]) == (bought, 0)
