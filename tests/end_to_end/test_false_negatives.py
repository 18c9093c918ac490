"""How many mined negatives are none: on a public collection, of which nearly all was judged.

Skipped where the shared data is not mounted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.evaluators.example import read_examples
from relevance_eval.evaluators.qrels import Qrels, read_qrels

Answer = Callable[..., dict[str, Any]]
CRANFIELD = Path(__file__).resolve().parents[3] / "shared" / "data" / "cranfield"
RELEVANT = 2
QUERIES = 12
CONFIGURATION = f"""
[elasticsearch]
index = "cranfield"

[load]
documents = "{CRANFIELD}/corpus.jsonl"

[labelling]
threads = 1
"""


@pytest.fixture(scope="module")
def qrels() -> Qrels:
    if not CRANFIELD.is_dir():
        pytest.skip(f"there is no {CRANFIELD}")
    return read_qrels(CRANFIELD / "qrels.txt")


@pytest.fixture
def cranfield(tmp_path: Path, node_url: str, node_folder: Path, qrels: Qrels) -> Path:
    """The queries with the most relevant documents; of each, one alone is known to `mine`."""
    (tmp_path / ".relevance-eval").mkdir()
    (tmp_path / ".relevance-eval" / "node").symlink_to(node_folder / "node")
    (tmp_path / "relevance-eval.toml").write_text(CONFIGURATION)
    lines = (CRANFIELD / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = {row["id"]: row for row in map(json.loads, lines)}

    def relevant(query: str) -> list[str]:
        return sorted(d for d, g in qrels.get(query, {}).items() if g >= RELEVANT)

    asked = sorted(queries, key=lambda q: (-len(relevant(q)), q))[:QUERIES]
    rows = [queries[q] | {"seed": relevant(q)[0]} for q in asked]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "queries.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def shares(path: Path, qrels: Qrels) -> Mapping[str, tuple[int, int]]:
    """By window and in `all`: negatives that people judged relevant, and negatives."""
    wrong: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for example in read_examples(path):
        if example.origin != "seed":
            grade = qrels[example.pair.query.id].get(example.pair.document.id, 0)
            taken.update((example.origin, "all"))
            wrong.update({example.origin: grade >= RELEVANT, "all": grade >= RELEVANT})
    return {origin: (wrong[origin], taken[origin]) for origin in taken}


def share(counts: tuple[int, int]) -> float:
    wrong, taken = counts
    return wrong / taken


def test_the_guard_takes_out_most_negatives_that_people_judged_relevant(
    answer: Answer, cranfield: Path, qrels: Qrels
) -> None:
    """The bands are around what was measured:

    | negatives that people judged relevant | without guard | with the built-in labeler |
    |---|---|---|
    | BM25, ranks 1 to 10 | 16 of 48 | 2 of 31 |
    | BM25, ranks 11 to 50 | 3 of 36 | 0 of 36 |
    | BM25, ranks 51 to 200 | 0 of 24 | 0 of 24 |
    | random | 1 of 24 | 1 of 24 |
    | all | 20 of 132 | 3 of 115 |
    """
    found = answer("mine", "--out", "plain.jsonl", cwd=cranfield)
    assert found["guard"] is None
    answer("mine", "--guard", "builtin", "--out", "guarded.jsonl", cwd=cranfield)
    plain = shares(cranfield / "plain.jsonl", qrels)
    guarded = shares(cranfield / "guarded.jsonl", qrels)
    assert 0.10 <= share(plain["all"]) <= 0.20
    assert share(guarded["all"]) <= 0.06
    assert share(guarded["all"]) < share(plain["all"]) / 2
    assert 0.2 <= share(plain["bm25 1-10"]) <= 0.45
    assert share(guarded["bm25 1-10"]) <= 0.15
    # Where the window has enough that is not relevant, what is taken out is replaced.
    assert guarded["bm25 11-50"][1] == plain["bm25 11-50"][1] == 3 * QUERIES
