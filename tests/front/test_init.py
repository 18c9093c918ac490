"""`init` and `queries import`: the first two steps of a user."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.config import Config, read_config
from relevance_eval.project import open_project

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]


def test_init_writes_a_configuration_with_two_rankers_that_can_be_filled(
    answer: Answer, tmp_path: Path
) -> None:
    written = answer("init", "new", cwd=tmp_path)["written"]
    assert written == ["new/relevance-eval.toml", "new/rankers/title.json", "new/rankers/body.json"]
    project = open_project(tmp_path / "new" / "relevance-eval.toml")
    for name in ("title", "body"):
        body = project.ranker(name).body('say "vpn"', 5, None)  # type: ignore[union-attr]
        assert 'say "vpn"' in json.dumps(body, ensure_ascii=False).replace('\\"', '"')


def test_the_commented_values_are_the_defaults(cli: Cli, tmp_path: Path) -> None:
    """Every `# key = value` of [compare] and [pull], read as if it were not a comment."""
    cli("init", cwd=tmp_path)
    path = tmp_path / "relevance-eval.toml"
    _, _, tail = path.read_text(encoding="utf-8").partition("[compare]")
    path.write_text("[compare]" + tail.replace("\n# ", "\n"), encoding="utf-8")
    assert "# depth = 10" in tail
    assert read_config(path) == Config()


def test_init_never_writes_over_a_file(complaint: Complaint, tmp_path: Path) -> None:
    (tmp_path / "rankers").mkdir()
    (tmp_path / "rankers" / "body.json").write_text("mine")
    message = complaint("init", cwd=tmp_path)
    assert message.startswith("error: rankers/body.json: the file exists\n")
    assert "remove it, or name another folder" in message
    assert (tmp_path / "rankers" / "body.json").read_text() == "mine"
    assert not (tmp_path / "relevance-eval.toml").exists()


def test_init_where_nothing_can_be_written(complaint: Complaint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = complaint("init", "file/new", cwd=tmp_path, code=5)
    assert message.startswith("error: file/new/relevance-eval.toml: Not a directory\n")
    assert "choose another folder" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.txt", "vpn setup\n\nVPN  Setup\nparental leave\n"),
        ("in.tsv", "a\tvpn setup\nb\t\nc\tVPN setup\nd\tparental leave\n"),
        ("in.csv", "id,text\na,vpn setup\nb,\nc,VPN setup\nd,parental leave\n"),
        (
            "in.jsonl",
            '{"text": "vpn setup"}\n{"text": ""}\n{"text": "VPN setup"}\n'
            '{"text": "parental leave"}',
        ),
    ],
)
def test_queries_are_imported_once_each_and_counted(
    answer: Answer, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    counts = answer("queries", "import", name, cwd=tmp_path)
    assert (counts["queries"], counts["repeated"], counts["empty"]) == (2, 1, 1)
    rows = [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["vpn setup", "parental leave"]


def test_a_query_set_is_not_written_over_unless_forced(
    cli: Cli, complaint: Complaint, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("vpn setup\n")
    (tmp_path / "queries.jsonl").write_text("mine")
    message = complaint("queries", "import", "in.txt", cwd=tmp_path)
    assert f"{tmp_path / 'queries.jsonl'}: the file exists\n" in message
    assert "say --force, or --out FILE" in message
    assert (tmp_path / "queries.jsonl").read_text() == "mine"
    cli("queries", "import", "in.txt", "--force", cwd=tmp_path)
    assert json.loads((tmp_path / "queries.jsonl").read_text())["text"] == "vpn setup"
