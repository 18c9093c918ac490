"""A public test collection from files alone; skipped where the shared data is not mounted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
CRANFIELD = Path(__file__).resolve().parents[3] / "shared" / "data" / "cranfield"


@pytest.fixture
def cut_qrels(tmp_path: Path) -> Path:
    """People's grades for the first four queries."""
    if not CRANFIELD.is_dir():
        pytest.skip(f"there is no {CRANFIELD}")
    lines = (CRANFIELD / "qrels.txt").read_text().splitlines()
    asked = list(dict.fromkeys(line.split()[0] for line in lines))[:4]
    kept = [line for line in lines if line.split()[0] in asked]
    path = tmp_path / "qrels.txt"
    path.write_text("\n".join(kept) + "\n")
    return path


def test_agreement_on_cranfield_needs_no_elasticsearch(answer: Answer, cut_qrels: Path) -> None:
    files = ("--corpus", CRANFIELD / "corpus.jsonl", "--queries", CRANFIELD / "queries.jsonl")
    found = answer("agreement", cut_qrels, *files, cwd=cut_qrels.parent)
    pairs = len(cut_qrels.read_text().splitlines())
    assert found["queries"] == 4
    assert found["pairs"] + found["unknown_pairs"] == pairs
    assert found["pairs"] > pairs / 2
    assert not (cut_qrels.parent / ".relevance-eval" / "node").exists()
    again = answer("agreement", cut_qrels, *files, cwd=cut_qrels.parent)
    assert again["labels"]["bought"] == 0
    assert again["quadratic_kappa"] == found["quadratic_kappa"]
