"""The verb `mine` on a real Elasticsearch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.evaluators.example import read_examples
from relevance_eval.evaluators.qrels import read_qrels

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
JUDGED = ("mine", "--qrels", "qrels.txt")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def seeded(project: Path, tmp_path: Path) -> Path:
    """The project's queries, each with the document of its best grade as its seed."""
    qrels = read_qrels(project / "qrels.txt")
    rows = rows_of(project / "queries.jsonl")
    for row in rows:
        grades = qrels[row["id"]]
        row["seed"] = max(sorted(grades), key=lambda d: grades[d])
    path = tmp_path / "seeded.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_negatives_for_a_retriever_are_one_command(
    answer: Answer, project: Path, tmp_path: Path
) -> None:
    out = tmp_path / "triples.jsonl"
    words = (*JUDGED, "--queries", "queries.jsonl", "--format", "triples", "--out", out)
    found = answer(*words, cwd=project)
    rows = rows_of(out)
    assert found["rows"] == len(rows) > 100
    assert {tuple(row) for row in rows} == {("anchor", "positive", "negative")}
    texts = {q["text"]: q["id"] for q in rows_of(project / "queries.jsonl")}
    titles = {d["id"]: d["title"] for d in rows_of(project / "corpus.jsonl")}
    relevant = {
        (q, titles[d])
        for q, grades in read_qrels(project / "qrels.txt").items()
        for d, g in grades.items()
        if g >= 2 and d in titles
    }
    good = {(texts[r["anchor"]], r["positive"].split("\n")[0]) for r in rows}
    bad = {(texts[r["anchor"]], r["negative"].split("\n")[0]) for r in rows}
    assert good == relevant
    assert not bad & relevant


def test_examples_for_a_teacher_are_the_default(
    answer: Answer, project: Path, seeded: Path
) -> None:
    training = project / ".relevance-eval" / "training"
    training.mkdir(exist_ok=True)
    (training / "queries.jsonl").write_bytes(seeded.read_bytes())
    found = answer("mine", cwd=project)
    assert found["file"] == str(training / "pairs.jsonl")
    written = (training / "pairs.jsonl").read_bytes()
    examples = read_examples(training / "pairs.jsonl")
    assert [p.name for p in training.glob("*.part")] == []
    seeds = [e for e in examples if e.origin == "seed"]
    assert len(seeds) == found["queries"] == 12
    assert all(e.pair.document.id == e.seed == e.pair.query.tags["seed"] for e in seeds)
    assert found["kept"] == len(examples) - 12
    assert {w["origin"] for w in found["windows"]} == {e.origin for e in examples} - {"seed"} | {
        "bm25 51-200"  # of 60 documents
    }
    answer("mine", cwd=project)
    assert (training / "pairs.jsonl").read_bytes() == written
    answer("mine", "--seed", "1", cwd=project)
    assert (training / "pairs.jsonl").read_bytes() != written


def test_qrels_are_of_the_configured_queries_where_others_were_written_too(
    answer: Answer, project: Path, seeded: Path
) -> None:
    training = project / ".relevance-eval" / "training"
    training.mkdir(exist_ok=True)
    rows = [{**row, "id": f"s{row['id']}"} for row in rows_of(seeded)]
    (training / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer(*JUDGED, cwd=project)
    examples = read_examples(training / "pairs.jsonl")
    assert {e.pair.query.id for e in examples} <= set(read_qrels(project / "qrels.txt"))
    assert {e.origin for e in examples} >= {"qrels"}


def test_options_stand_before_the_configuration(
    answer: Answer, project: Path, seeded: Path, tmp_path: Path
) -> None:
    options = ("--ranker", "fields", "--ranker", "recent", "--window", "1-5:2", "--random", "0")
    out = tmp_path / "new" / "tuples.jsonl"
    rows = ("--format", "tuples", "--negatives", "3", "--out", out)
    found = answer("mine", "--queries", seeded, *options, *rows, cwd=project)
    wanted = {w["origin"]: w["wanted"] for w in found["windows"]}
    assert wanted == {"fields 1-5": 24, "recent 1-5": 24, "random": 0}
    assert found["rows"] + found["short"] == 12
    names = ("anchor", "positive", "negative_1", "negative_2", "negative_3")
    assert {tuple(row) for row in rows_of(out)} == {names}


def test_the_guards_labels_are_bought_once(
    answer: Answer, cli: Cli, project: Path, seeded: Path, tmp_path: Path
) -> None:
    words = (
        "mine",
        "--queries",
        seeded,
        "--window",
        "1-5:2",
        "--random",
        "1",
        "--guard",
        "builtin",
    )
    first = answer(*words, "--out", tmp_path / "a.jsonl", cwd=project)
    assert first["guard"]["needed"] >= first["kept"] > 0
    assert sum(w["dropped"]["guard"] for w in first["windows"]) > 0
    again = answer(*words, "--out", tmp_path / "b.jsonl", cwd=project)
    assert (again["guard"]["bought"], again["guard"]["reused"]) == (0, first["guard"]["needed"])
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    shown = cli(*words, "--out", tmp_path / "c.jsonl", cwd=project).stdout
    assert "bm25 1-5" in shown
    assert f"guard: {first['guard']['needed']:,} labels needed" in shown
    assert "(examples) are in" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--queries", "queries.jsonl"), "no query has a 'seed'"),
        (("--queries", "absent.jsonl"), "there is no such file"),
        (("--qrels", "qrels.txt", "--ranker", "bm52"), "did you mean bm25?"),
        (("--qrels", "qrels.txt", "--window", "10-5:1"), "ends at 5 before it begins at 10"),
        (("--qrels", "qrels.txt", "--guard", "no/such"), "no/such"),
    ],
)
def test_what_cannot_be_mined_is_said_in_one_message(
    complaint: Complaint, project: Path, words: tuple[str, ...], said: str
) -> None:
    given = words if "--queries" in words else (*words, "--queries", "queries.jsonl")
    assert said in complaint("mine", *given, cwd=project)


def test_a_window_of_another_form_is_wrong_use(cli: Cli, project: Path) -> None:
    done = cli(*JUDGED, "--window", "11-50", cwd=project, code=2)
    assert "such as 11-50:3" in done.stderr


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    complaint: Complaint, project: Path, seeded: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pairs.jsonl"
    out.write_text("old")
    (tmp_path / "pairs.jsonl.part").mkdir()
    said = complaint("mine", "--queries", seeded, "--out", out, cwd=project, code=5)
    assert str(tmp_path) in said
    assert out.read_text() == "old"
