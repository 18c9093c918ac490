"""`--labels` on run files with the built-in labeler: few labels, the verdict of all."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
WORDS = ("good.run", "bad.run", "--corpus", "corpus.jsonl", "--queries", "queries.jsonl")
QUERIES = 40


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rankers of ten hits: one has the answer on top, the other at the bottom."""
    folder = tmp_path_factory.mktemp("few-labels")
    corpus, queries = [], []
    lines: dict[str, list[str]] = {"good": [], "bad": []}
    for number in range(QUERIES):
        ids = [f"d{number}-{place}" for place in range(10)]
        queries.append({"id": f"q{number}", "text": f"how to reset gateway {number}"})
        answer = f"To reset gateway {number}, hold its button for ten seconds."
        corpus.append({"id": ids[0], "body": answer})
        corpus += [{"id": i, "body": f"Lunch menu {i}: soup, bread and fruit."} for i in ids[1:]]
        for name, order in (("good", ids), ("bad", ids[::-1])):
            lines[name] += [
                f"q{number} Q0 {i} {rank} {-rank} {name}" for rank, i in enumerate(order, start=1)
            ]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    for name, rows in lines.items():
        (folder / f"{name}.run").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("labels", ["exact", "decisive"])
def test_few_labels_settle_what_is_clear(answer: Answer, lists: Path, labels: str) -> None:
    found = answer("compare", *WORDS, "--labels", labels, cwd=lists)
    counts = found["labels"]
    assert counts["skipped"] > 100
    assert counts["needed"] + counts["skipped"] == 10 * QUERIES
    (contrast,) = found["comparisons"]
    assert contrast["verdict"] == "worse"
    assert contrast["settled"]["how"] == {"exact": "bounds", "decisive": "sample"}[labels]
    assert contrast["settled"]["low"] < 0
    assert set(contrast["differences"]) == {"EnDCG@10"}
    coverage = [r["measures"]["Judged@10"]["mean"] for r in found["rankers"]]
    assert all(0 < share < 1 for share in coverage)


def test_asked_again_nothing_is_bought(cli: Cli, answer: Answer, lists: Path) -> None:
    words = ("compare", *WORDS, "--labels", "decisive")
    first = answer(*words, cwd=lists)
    second = answer(*words, cwd=lists)
    assert second["labels"]["bought"] == 0
    assert second["comparisons"] == first["comparisons"]
    shown = cli(*words, cwd=lists).stdout
    assert "the labels that are left would not change this" in " ".join(shown.split())
    assert "labels that were not bought: " in shown


def test_a_gate_is_settled_by_few_labels(cli: Cli, lists: Path) -> None:
    done = cli("gate", *WORDS, "--labels", "decisive", "--json", cwd=lists, code=1)
    result = json.loads(done.stdout)["result"]
    assert result["gate"]["decision"] == "failed"
    assert result["labels"]["skipped"] > 0
    page = cli("report", "--out", "page.html", cwd=lists)
    assert page.returncode == 0
    assert "would not change this" in (lists / "page.html").read_text(encoding="utf-8")


def test_a_forecaster_is_another_labeler(complaint: Complaint, lists: Path) -> None:
    text = '[compare]\nlabels = "decisive"\nforecaster = "builtin"\n'
    (lists / "own.toml").write_text(text, encoding="utf-8")
    said = complaint("compare", *WORDS, "-c", "own.toml", cwd=lists)
    assert "cannot forecast" in said
    assert "[compare] forecaster" in said


def fill_in(sheet: Path) -> int:
    """As the one answer of each query deserves; how many pairs there were."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["grade"] = "3" if row["document_id"].endswith("-0") else "0"
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def test_people_are_asked_for_the_pairs_that_decide(
    console_script: Path, cli: Cli, lists: Path
) -> None:
    """Sheet after sheet, until the verdict is settled; the built-in labeler forecasts the rest."""
    text = '[compare]\nforecaster = "builtin"\n'
    (lists / "people.toml").write_text(text, encoding="utf-8")
    words = [
        "compare",
        *WORDS,
        "--labels",
        "decisive",
        "--labeler",
        "people",
        "--json",
        "-c",
        "people.toml",
    ]
    sheets, graded = lists / ".relevance-eval" / "sheets", 0
    for number in range(9):
        done = subprocess.run(
            [console_script, *words], cwd=lists, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode == 0:
            break
        assert "wait for a person's grades" in done.stderr
        (sheet,) = sheets.glob("*.csv")
        graded += fill_in(sheet)
        cli("audit", "read", sheet, "--out", f"grades-{number}.txt", cwd=lists)
        sheet.unlink()
        words += ["--qrels", f"grades-{number}.txt"]
    result = json.loads(done.stdout)["result"]
    assert result["comparisons"][0]["verdict"] == "worse"
    assert result["labels"]["by_people"] == result["labels"]["needed"] == graded
    assert result["labels"]["skipped"] > 200


def test_a_budget_is_kept_to_and_told(cli: Cli, lists: Path) -> None:
    words = ("compare", *WORDS, "--labels", "decisive", "--max-labels", "15")
    result = json.loads(cli(*words, "--json", cwd=lists).stdout)["result"]
    assert result["labels"]["needed"] <= 15
    contrast = result["comparisons"][0]
    assert (contrast["settled"]["how"], contrast["verdict"]) == ("open", "inconclusive")
    assert contrast["differences"]["EnDCG@10"]["p_non_inferior"] == 1
    cli("gate", *words[1:], cwd=lists, code=3)
    assert "the budget is spent" in " ".join(cli(*words, cwd=lists).stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--labels", "all", "--max-labels", "9"), "all labels have no budget"),
        (("--labels", "decisive", "--qrels", "none.txt"), "people's grades go with all labels"),
    ],
)
def test_what_does_not_go_together_is_said(
    complaint: Complaint, lists: Path, words: tuple[str, ...], said: str
) -> None:
    (lists / "none.txt").write_text("q0 0 d0-0 3\n")
    assert said in complaint("compare", *WORDS, *words, cwd=lists)


def test_a_measure_that_is_no_sum_needs_all_labels(complaint: Complaint, lists: Path) -> None:
    words = ("gate", *WORDS, "--measure", "ERR@10", "--labels", "exact")
    assert "ERR@10 needs all labels" in complaint(*words, cwd=lists)


def test_slices_of_a_gate_need_all_labels(complaint: Complaint, lists: Path) -> None:
    rows = [json.loads(line) for line in (lists / "queries.jsonl").read_text().splitlines()]
    tagged = [row | {"kind": "one"} for row in rows]
    (lists / "tagged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in tagged))
    words = ("good.run", "bad.run", "--corpus", "corpus.jsonl", "--queries", "tagged.jsonl")
    said = complaint("gate", *words, "--slice", "kind", "--labels", "decisive", cwd=lists)
    assert "few labels settle the whole query set, not its slices" in said
