"""A project of four documents that needs no Elasticsearch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

DOCUMENTS = [
    {"id": "vpn", "title": "VPN setup", "author": "Ida Holm", "body": "Install the client."},
    {"id": "vpn-old", "title": "VPN setup, 2019", "body": "Ask the help desk for a token."},
    {"id": "leave", "title": "Parental leave", "body": "Twenty weeks, shared as you like."},
    {"id": "menu", "title": "Canteen", "body": "Soup on Mondays."},
]
QUERIES = [{"id": "q1", "text": "vpn setup"}, {"id": "q2", "text": "parental leave weeks"}]
RUNS = {
    "a": ["q1 vpn-old 2.0", "q1 vpn 1.0", "q2 menu 2.0", "q2 leave 1.0"],
    "b": ["q1 vpn 2.0", "q1 vpn-old 1.0", "q2 leave 2.0", "q2 menu 1.0"],
}


def write_lines(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents, queries, runs a and b, and grades; without a configuration."""
    write_lines(tmp_path / "corpus.jsonl", DOCUMENTS)
    write_lines(tmp_path / "queries.jsonl", QUERIES)
    for name, lines in RUNS.items():
        rows = [line.split() for line in lines]
        text = "".join(f"{q} Q0 {d} 1 {score} {name}\n" for q, d, score in rows)
        (tmp_path / f"{name}.run").write_text(text, encoding="utf-8")
    (tmp_path / "qrels.txt").write_text("q1 0 vpn 3\nq1 0 vpn-old 1\nq2 0 leave 2\nq2 0 menu 0\n")
    return tmp_path


@pytest.fixture
def compare_words() -> tuple[str, ...]:
    """The command that compares the runs of `folder`."""
    return ("compare", "a.run", "b.run", "--corpus", "corpus.jsonl", "--queries", "queries.jsonl")


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration and says where it is."""

    def write(text: str) -> Path:
        path = tmp_path / "relevance-eval.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
