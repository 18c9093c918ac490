"""`--labels` on run files with the built-in labeler: few labels, the verdict of all."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from relevance_eval.report import section
from relevance_eval.saved import newest, read_saved

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
    assert "labels of the pool that were not used: " in shown
    assert "worse, as estimated" in " ".join(shown.split())
    assert "queries that changed most" not in shown  # what a single query has may be far off


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
    shown = " ".join(cli(*words, cwd=lists).stdout.split())
    cli("report", "--out", "page.html", cwd=lists)
    page = " ".join((lists / "page.html").read_text(encoding="utf-8").split())
    first = shown[: shown.index("mean ± 95 %")]
    assert "the budget is spent" in first
    for unknown in ("p = 1", "4 times in 5", " the same, "):  # no test could be made
        assert unknown not in first
        assert unknown not in page[page.index("<h1>") : page.index("<h2>")]
    assert "with its 95 % interval" not in page
    assert "1.0000" not in page[page.index("p, permutation") : page.index("Query by query")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--labels", "all", "--max-labels", "9"), "all labels have no budget"),
        (("--labels", "decisive", "--qrels", "none.txt"), "people's grades go with all labels"),
        (("--labels", "exact", "--qrels", "none.txt"), "name the audit that they were given for"),
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


# an audit by people


def audited(cli: Cli, folder: Path, best: int) -> tuple[str, ...]:
    """An audit of half of the queries, with people's grades of all that was drawn: the document at
    place `best` of the good list is perfect, and one at a place of each query's own is related."""
    draw = ("audit", "draw", "--queries", "queries.jsonl", "--size", str(QUERIES // 2))
    cli(*draw, "--out", "audit.json", "--force", cwd=folder)
    drawn = json.loads((folder / "audit.json").read_text())["drawn"]
    lines: list[str] = []
    for query in drawn:
        grades = {1 + int(query[1:]) % 8: 1, best: 3}
        lines += [f"{query} 0 d{query[1:]}-{i} {grades.get(i, 0)}" for i in range(10)]
    (folder / "people.txt").write_text("\n".join(lines) + "\n")
    return ("--audit", "audit.json", "--qrels", "people.txt")


def woven(folder: Path, name: str, odd: str, even: str) -> None:
    """A run with one ranker's lists for odd queries, and another's for even ones."""
    lines = [(folder / f"{n}.run").read_text().splitlines() for n in (even, odd)]
    chosen = [pair[int(pair[0].split()[0][1:]) % 2] for pair in zip(*lines, strict=True)]
    (folder / f"{name}.run").write_text("\n".join(chosen) + "\n")


ERRORS = {
    "exact": "the error of labels and forecasts on the difference, people minus these: ",
    "decisive": "the labeler's error on the difference, people minus labeler: ",
}


@pytest.mark.parametrize("labels", ["exact", "decisive"])
def test_people_correct_what_few_labels_estimate(
    cli: Cli, answer: Answer, lists: Path, labels: str
) -> None:
    people = audited(cli, lists, 0)
    found = answer("compare", *WORDS, "--labels", labels, *people, cwd=lists)
    (contrast,) = found["comparisons"]
    corrected = contrast["corrected"]
    assert (corrected["audited"], corrected["queries"]) == (QUERIES // 2, QUERIES)
    assert corrected["low"] < corrected["mean"] < corrected["high"] < 0
    assert contrast["verdict"] == contrast["uncorrected_verdict"] == "worse"
    assert contrast["settled"]["how"] == {"exact": "bounds", "decisive": "sample"}[labels]
    assert (corrected["favours"] is None) or labels == "decisive"
    assert found["audit"]["labeler_errors"] == {}
    assert found["audit"]["mixed"] is False
    assert set(found["audit"]["means"]) == {"good", "bad"}
    assert found["labels"]["skipped"] > 100
    assert found["labels"]["by_people"] == 0
    # Trust rests on whole lists: the labeler grades all that people graded.
    assert found["audit"]["labels"]["needed"] == 10 * QUERIES // 2
    assert found["audit"]["labels"]["by_people"] == 0
    assert found["trust"]["queries"] == QUERIES // 2


def test_what_people_say_has_no_part_in_what_they_correct(
    cli: Cli, answer: Answer, lists: Path
) -> None:
    words = ("compare", *WORDS, "--labels", "decisive")
    one = answer(*words, *audited(cli, lists, 0), cwd=lists)
    other = answer(*words, *audited(cli, lists, 9), cwd=lists)
    assert one["rankers"] == other["rankers"]
    for found, verdict in ((one, "worse"), (other, "better")):
        (contrast,) = found["comparisons"]
        assert contrast["verdict"] == verdict
        assert contrast["uncorrected_verdict"] == "worse"
    one, other = one["comparisons"][0], other["comparisons"][0]
    assert one["differences"] == other["differences"]
    assert one["settled"] == other["settled"]


def test_a_new_audit_changes_no_label_that_is_drawn(
    cli: Cli, answer: Answer, lists: Path, tmp_path: Path
) -> None:
    """The labels for trust, in the store by now, are not taken into the estimates either."""
    folder = tmp_path / "new"
    shutil.copytree(lists, folder, ignore=shutil.ignore_patterns(".relevance-eval"))
    words = ("compare", *WORDS, "--labels", "decisive")
    people = audited(cli, folder, 0)
    first = answer(*words, *people, cwd=folder)
    assert first["audit"]["labels"]["bought"] > 50
    second, plain = answer(*words, *people, cwd=folder), answer(*words, cwd=folder)
    assert second["labels"]["bought"] == second["audit"]["labels"]["bought"] == 0
    assert second["comparisons"] == first["comparisons"]
    assert first["labels"]["needed"] == second["labels"]["needed"] == plain["labels"]["needed"]
    assert plain["rankers"] == first["rankers"]


@pytest.mark.parametrize("labels", ["exact", "decisive"])
def test_a_person_reads_what_settled_the_labels_and_what_corrected_them(
    cli: Cli, lists: Path, labels: str
) -> None:
    people = audited(cli, lists, 0)
    words = ("compare", *WORDS, "--labels", labels, *people)
    text = " ".join(cli(*words, cwd=lists).stdout.split())
    for told in (
        "bad is worse than good: EnDCG@10",
        "corrected by people: 95 % interval",
        "uncorrected, the labeler alone: -",
        {
            "exact": "no labels that are left could",
            "decisive": "the labels that are left would not",
        }[labels],
        ERRORS[labels],
        "The corrected interval covers the choice of queries and labels",
        "labels of the pool that were not used: ",
    ):
        assert told in text
    cli("report", "--out", "page.html", cwd=lists)
    page = " ".join((lists / "page.html").read_text(encoding="utf-8").split())
    for told in (
        "corrected by people",
        "Uncorrected, the labeler alone, worse:",
        ERRORS[labels].capitalize(),
        "The corrected interval covers the choice of queries and labels",
    ):
        assert told in page


def test_the_same_lists_differ_by_nothing_whatever_is_forecast(
    cli: Cli, answer: Answer, lists: Path
) -> None:
    """`half` is `good` for every other query: these are known without error."""
    woven(lists, "half", "good", "bad")
    runs = ("good.run", "bad.run", "half.run", *WORDS[2:], "--labels", "decisive")
    found = answer("compare", *runs, "--baselines", "2", *audited(cli, lists, 0), cwd=lists)
    assert [c["verdict"] for c in found["comparisons"]] == ["worse", "better"]
    values = {r["name"]: r["per_query"]["EnDCG@10"] for r in found["rankers"]}
    page = read_saved(newest(lists / ".relevance-eval" / "results"))
    for contrast in found["comparisons"]:  # as its own labels tell it, not the first baseline's
        mean = contrast["differences"]["EnDCG@10"]["mean"]
        assert fmean(contrast["per_query"].values()) == pytest.approx(mean, abs=1e-9)
        (part,) = [c for c in page.result.comparisons if c.baseline == contrast["baseline"]]
        rows = section(page, part).rows
        assert fmean(r.after - r.before for r in rows) == pytest.approx(mean, abs=1e-9)
    assert all(values["half"][q] == values["good"][q] for q in values["good"] if int(q[1:]) % 2)
    for contrast in found["comparisons"]:
        corrected, alone = contrast["corrected"], contrast["corrected"]["people_alone"]
        assert abs(corrected["mean"]) < 0.4  # half of the 0.65 or so where the lists differ
        assert corrected["audited"] == QUERIES // 2
        assert corrected["mean"] * alone["mean"] > 0


def test_a_gate_of_few_labels_is_decided_by_people(cli: Cli, lists: Path) -> None:
    gate = ("gate", *WORDS, "--labels", "decisive", "--json")
    people = audited(cli, lists, 9)  # the labeler likes the others' documents
    result = json.loads(cli(*gate, *people, cwd=lists).stdout)["result"]
    assert result["gate"]["decision"] == "passed"
    assert result["trust"]["trust"] == "untrusted"
    assert "labels taken as they are" not in result["gate"]["checks"][0]["detail"]
    path = lists / "audit.json"
    draw = json.loads(path.read_text())
    path.write_text(json.dumps(draw | {"seed": 7}))
    refused = cli(*gate, *people, cwd=lists, code=2)
    assert "chosen by hand" in refused.stderr
    result = json.loads(cli("compare", *gate[1:], *people, cwd=lists).stdout)["result"]
    assert "chosen by hand" in result["audit"]["refusal"]
    assert result["comparisons"][0]["verdict"] == "untrusted"
    assert result["labels"]["skipped"] > 0


def test_an_audit_that_nobody_graded_corrects_nothing(
    cli: Cli, answer: Answer, lists: Path
) -> None:
    audit, file, *_ = audited(cli, lists, 0)
    found = answer("compare", *WORDS, "--labels", "decisive", audit, file, cwd=lists)
    assert "name them with --qrels FILE" in found["audit"]["refusal"]
    assert found["comparisons"][0]["verdict"] == "worse"
    assert found["audit"]["labels"]["needed"] == 0


def test_all_labels_by_a_last_look_are_the_labelers_own(
    cli: Cli, answer: Answer, lists: Path
) -> None:
    """Where nothing is skipped, every measure is told, and people's grades stay out of it."""
    woven(lists, "one", "good", "bad")
    woven(lists, "other", "bad", "good")
    words = ("one.run", "other.run", *WORDS[2:], "--labels", "exact", *audited(cli, lists, 0))
    found = answer("compare", *words, cwd=lists)
    (contrast,) = found["comparisons"]
    assert found["labels"]["skipped"] == found["labels"]["by_people"] == 0
    assert contrast["settled"] is None
    assert "nDCG@10" in contrast["differences"]
    assert set(found["audit"]["labeler_errors"]) == {"one", "other"}
    assert contrast["corrected"]["low"] < 0 < contrast["corrected"]["high"]
    said = " ".join(cli("compare", *words, cwd=lists).stdout.split())
    assert "uncorrected, the labeler alone: " in said
