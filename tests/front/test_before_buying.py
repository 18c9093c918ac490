"""What is found out before anything is pulled or bought, and what an answer is known by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.project import open_project

Complaint = Callable[..., str]
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.run"], "two rankers or more are needed"),
        (["a.run", "copy/a.run"], "two rankers have one name: a, a"),
    ],
    ids=["one", "twice"],
)
def test_a_comparison_that_cannot_be_made_buys_no_label(
    complaint: Complaint, folder: Path, names: list[str], said: str
) -> None:
    (folder / "copy").mkdir()
    (folder / "copy" / "a.run").write_bytes((folder / "a.run").read_bytes())
    assert said in complaint("compare", *names, *FILES, cwd=folder)
    assert not (folder / ".relevance-eval").exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.run"], "an order needs two runs or more"),
        (["a.run", "copy/a.run"], "two runs have one name: a, a"),
    ],
    ids=["one", "twice"],
)
def test_an_order_of_runs_that_cannot_be_told_buys_no_label(
    complaint: Complaint, folder: Path, names: list[str], said: str
) -> None:
    (folder / "copy").mkdir()
    (folder / "copy" / "a.run").write_bytes((folder / "a.run").read_bytes())
    runs = [word for name in names for word in ("--run", name)]
    assert said in complaint("agreement", "qrels.txt", *FILES, *runs, cwd=folder)
    assert not (folder / ".relevance-eval").exists()


def test_the_configurations_hash_changes_with_a_template(
    tmp_path: Path, configured: Callable[[str], Path]
) -> None:
    path = configured("[rankers.a]\ntemplate = 'a.json'\n")
    hashes: list[str] = []
    for body in ('{"query": {"match": {"title": "{{query}}"}}}', '{"query": {"match_all": {}}}'):
        (tmp_path / "a.json").write_text(body)
        hashes.append(open_project(path).hash)
    assert hashes[0] != hashes[1]
    assert open_project(path).hash == hashes[1]


def test_pull_writes_over_nothing_and_says_so_before_it_pulls(
    complaint: Complaint, folder: Path, configured: Callable[[str], Path]
) -> None:
    configured("[elasticsearch]\nurl = 'http://127.0.0.1:9'\n[rankers.r]\nstored_template = 't'\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    message = complaint("pull", "r", "--out", ".", cwd=folder)
    assert message.startswith("error: .: the folder is not empty, and files of the same names")
    assert "say --force" in message
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    for words in (("--out", ".", "--force"), ("--out", "new")):  # these get as far as the server
        assert "cannot be reached" in complaint("pull", "r", *words, cwd=folder, code=5)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--qrels", "qrels.txt", "--out", "./qrels.txt", "--force"], "this file is read"),
        (["--out", "qrels.txt"], "the file exists, and may hold grades of people"),
        (["--out", "none/grades.txt"], "there is no such folder"),
    ],
    ids=["read", "there", "nowhere"],
)
def test_grades_that_cannot_be_written_are_not_bought(
    complaint: Complaint, folder: Path, more: list[str], said: str
) -> None:
    before = (folder / "qrels.txt").read_text()
    assert said in complaint("label", "a.run", *FILES, *more, cwd=folder)
    assert (folder / "qrels.txt").read_text() == before
    assert not (folder / ".relevance-eval").exists()
