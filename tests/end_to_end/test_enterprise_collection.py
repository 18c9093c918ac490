"""The enterprise collection holds what its data card promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

ENTERPRISE = Path(__file__).resolve().parents[2] / "fixtures" / "enterprise"
VARIANT = re.compile(r"-[rdc]\d+$")
TEMPLATES_AND_NOTES = {"weekly", "template"}
FIELDS = ["id", "kind", "title", "author", "file_name", "folder_path", "modified", "body"]


def rows(name: str) -> list[dict[str, Any]]:
    lines = (ENTERPRISE / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, Any]]:
    return rows("corpus.jsonl")


@pytest.fixture(scope="module")
def queries() -> list[dict[str, Any]]:
    return rows("queries.jsonl")


@pytest.fixture(scope="module")
def distinct(corpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Documents that are neither variants of others nor filler."""
    known = {document["id"] for document in corpus}
    return [
        d
        for d in corpus
        if VARIANT.sub("", d["id"]) not in known - {d["id"]}
        and d["kind"] not in TEMPLATES_AND_NOTES
    ]


def test_the_files_are_what_the_sources_say() -> None:
    done = subprocess.run(
        [sys.executable, ENTERPRISE / "build.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_was_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    for path in ENTERPRISE.glob("*.*"):
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "source").symlink_to(ENTERPRISE / "source")
    with (tmp_path / "qrels.txt").open("a") as out:
        out.write("it-q01 0 it-vpn 3\n")
    done = subprocess.run(
        [sys.executable, tmp_path / "build.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr == "qrels.txt is not what the sources say: run build.py\n"


def test_counts_and_kinds(corpus: list[dict[str, Any]], distinct: list[dict[str, Any]]) -> None:
    assert len(corpus) == len({d["id"] for d in corpus}) == 648
    assert len(distinct) == 216
    assert len(corpus) - len(distinct) == 432
    assert len({d["kind"] for d in distinct}) >= 12
    assert all(list(d) == FIELDS and all(d.values()) for d in corpus)
    assert all(80 <= len(d["body"].split()) <= 500 for d in distinct)


def test_distinct_documents_share_no_body(distinct: list[dict[str, Any]]) -> None:
    assert [body for body, n in Counter(d["body"] for d in distinct).items() if n > 1] == []


def test_distinct_documents_share_no_sentence(distinct: list[dict[str, Any]]) -> None:
    """No twelve words in a row stand in two of them."""
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for document in distinct:
        words = re.findall(r"\w+", document["body"].lower())
        for start in range(len(words) - 11):
            places[tuple(words[start : start + 12])].add(document["id"])
    assert {" ".join(w): ids for w, ids in places.items() if len(ids) > 1} == {}


def test_queries_have_the_bands_and_kinds_of_the_data_card(queries: list[dict[str, Any]]) -> None:
    assert Counter(q["band"] for q in queries) == {"head": 30, "torso": 54, "tail": 66}
    assert Counter(q["kind"] for q in queries) == {
        "known-item": 36, "topic": 30, "question": 24, "acronym": 12, "author": 12,
        "file-name": 12, "folder": 12, "misspelling": 12,
    }  # fmt: skip
    assert len({q["text"].casefold() for q in queries}) == len(queries) == 150


def test_every_query_has_an_answer_and_every_grade_a_document(
    corpus: list[dict[str, Any]], queries: list[dict[str, Any]]
) -> None:
    lines = [line.split() for line in (ENTERPRISE / "qrels.txt").read_text().splitlines()]
    assert {grade for *_, grade in lines} == {"1", "2", "3"}
    assert {d for _, _, d, _ in lines} <= {d["id"] for d in corpus}
    assert {q for q, _, _, grade in lines if grade == "3"} == {q["id"] for q in queries}
    assert len({(q, d) for q, _, d, _ in lines}) == len(lines) == 1369
