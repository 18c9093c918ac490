"""The gate and its page on a real Elasticsearch."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
PEOPLE = ("--qrels", "qrels.txt")


def test_a_ranker_is_gated_by_grades_time_and_what_changed_since(
    cli: Cli, answer: Answer, project: Path, tmp_path: Path
) -> None:
    # A copy: what people said stays in a project's store, and other tests count what it holds.
    shutil.copytree(
        project,
        tmp_path / "own",
        ignore=shutil.ignore_patterns("*.sqlite*", "results"),
        symlinks=True,
    )
    project = tmp_path / "own"
    words = ("gate", "bm25", "fields", *PEOPLE, "--latency-ms", "60000", "--zero-results", "1")
    done = cli(*words, "--inconclusive", "pass", "--margin", "0.9", "--json", cwd=project)
    result = json.loads(done.stdout)["result"]
    assert [c["decision"] for c in result["gate"]["checks"]] == ["passed"] * 3
    assert result["gate"]["checks"][1]["detail"].endswith(" ms")
    first = max((project / ".relevance-eval" / "results").glob("*-bm25-fields*"))

    template = project / "rankers" / "fields.json"
    before = template.read_text()
    try:
        template.write_text(before.replace("title^", "title^1"))
        assert template.read_text() != before
        answer("compare", "bm25", "fields", *PEOPLE, cwd=project)
    finally:
        template.write_text(before)
    found = answer("report", "--against", first, "--out", "page.html", cwd=project)
    details = {a["name"]: (a["state"], a["detail"]) for a in found["changes"]["aspects"]}
    assert details["ranker bm25"] == ("same", "asks the same, the same hits")
    assert details["ranker fields"][0] == "changed"
    assert details["ranker fields"][1].startswith("asks something else")
    assert (details["corpus"][0], details["judge"][0]) == ("same", "same")
    assert "What it was made of" in (project / "page.html").read_text()
