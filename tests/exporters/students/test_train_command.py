"""`relevance-eval train` as it is typed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.evaluators.document import write_documents
from relevance_eval.evaluators.example import Example, write_examples
from relevance_eval.evaluators.qrels import write_qrels
from relevance_eval.evaluators.query import write_queries

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Make = Callable[..., list[Example]]


@pytest.fixture
def project(tmp_path: Path, tiny_encoder: Path) -> Path:
    """A folder with a configuration whose students are tiny."""
    (tmp_path / "relevance-eval.toml").write_text(
        f"""
        [training.train]
        base = "{tiny_encoder}"
        max_tokens = 96
        threads = 1
        epochs = 1
        holdout = 0.3
        """
    )
    return tmp_path


def write_grades(folder: Path, examples: list[Example]) -> list[str | Path]:
    """Queries, corpus and qrels of the examples; gives the options that name the first two."""
    queries = {e.pair.query.id: e.pair.query for e in examples}
    write_queries(folder / "queries.jsonl", queries.values())
    write_documents(folder / "corpus.jsonl", (e.pair.document for e in examples))
    grades: dict[str, dict[str, int]] = {}
    for e in examples:
        if e.judgment:
            grades.setdefault(e.pair.query.id, {})[e.pair.document.id] = e.judgment.grade
    write_qrels(folder / "gpt.qrels", grades)
    write_qrels(folder / "ann.qrels", {q: grades[q] for q in list(grades)[:6]})
    return ["--queries", folder / "queries.jsonl", "--corpus", folder / "corpus.jsonl"]


def test_the_training_folders_grades_make_a_student_in_it(
    project: Path, cli: Cli, overlapping: Make
) -> None:
    training = project / ".relevance-eval" / "training"
    training.mkdir(parents=True)
    write_examples(training / "graded.jsonl", overlapping(12, 6))
    done = cli("train", cwd=project)
    assert "learned from 48 pairs of 8 queries; held out 24 pairs of 4" in done.stdout
    assert "held-out quadratic kappa of expected grades" in done.stderr
    assert (training / "student" / "model.safetensors").is_file()


def test_grades_that_were_bought_elsewhere_and_grades_by_people_make_a_student(
    project: Path, cli: Cli, overlapping: Make
) -> None:
    named = write_grades(project, overlapping(12, 6))
    words = ["train", "--qrels", "gpt.qrels", "--people", "ann.qrels", *named, "--out", "mine"]
    answer = json.loads(cli(*words, "--json", cwd=project).stdout)
    assert answer["schema"] == {"name": "relevance-eval/train", "version": 1}
    result = answer["result"]
    assert result["data"]["labelers"] == {"person:ann": 36, "teacher:gpt": 72}
    assert set(result["held_out"]) == {
        "student_against_teacher",
        "student_against_people",
        "teacher_against_people",
    }
    assert (project / "mine" / "training.json").is_file()


def test_without_graded_pairs_it_says_what_to_run(
    project: Path, complaint: Callable[..., str]
) -> None:
    said = complaint("train", cwd=project)
    assert "there are no graded pairs yet" in said
    assert "relevance-eval teach" in said


def test_pairs_that_nobody_graded_teach_nothing(
    project: Path, complaint: Callable[..., str], overlapping: Make
) -> None:
    ungraded = [Example(e.pair, e.origin) for e in overlapping(4, 2)]
    write_examples(project / "pairs.jsonl", ungraded)
    assert "not one pair has a grade" in complaint("train", "pairs.jsonl", cwd=project)
