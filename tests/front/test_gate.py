"""`relevance-eval gate`: exit codes, and what a build system reads."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from relevance_eval.evaluators.gate import Check, Decision, Ruling
from relevance_eval.github import commands, summary
from relevance_eval.junit import junit_xml

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
Configured = Callable[[str], Path]
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl", "--qrels", "qrels.txt")
EVIL = "::error::<b>|x|</b> `y` @all\n::add-mask::z \x00\u202e"
QUIET = {"GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": ""}
"""So that tests that run in GitHub Actions see what a terminal sees."""


@pytest.fixture
def set_of_24(folder: Path) -> Path:
    """Runs worst, mixed and best of 24 queries, all graded by people; the first text is evil."""
    random.seed(0)
    texts = [EVIL, *(f"vpn setup {i}" for i in range(1, 24))]
    rows = [
        {"id": f"q{i}", "text": text, "band": "tail" if i >= 10 else "head"}
        for i, text in enumerate(texts)
    ]
    (folder / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    grades = "".join(f"q{i} 0 vpn 3\nq{i} 0 menu 0\nq{i} 0 leave 0\n" for i in range(24))
    (folder / "qrels.txt").write_text(grades)
    for name in ("worst", "mixed", "best"):
        lines: list[str] = []
        for i in range(24):
            place = {"worst": 2, "mixed": random.randint(0, 2), "best": 0}[name]
            hits = ["menu", "leave"]
            hits.insert(place, "vpn")
            lines += [f"q{i} Q0 {d} {n + 1} {3 - n} {name}" for n, d in enumerate(hits)]
        (folder / f"{name}.run").write_text("\n".join(lines) + "\n")
    return folder


def words(baseline: str, ranker: str, *more: str) -> tuple[str, ...]:
    return ("gate", f"{baseline}.run", f"{ranker}.run", *FILES, *more)


@pytest.mark.parametrize(
    ("baseline", "ranker", "more", "code", "says"),
    [
        ("mixed", "best", ("--direction", "better"), 0, "gate: passed"),
        ("mixed", "best", (), 0, "gate: passed"),
        ("best", "mixed", (), 1, "gate: failed"),
        ("mixed", "mixed2", ("--direction", "better"), 1, "gate: failed"),
        ("mixed", "best", ("--latency-ms", "9"), 3, "gate: inconclusive"),
        ("mixed", "best", ("--latency-ms", "9", "--inconclusive", "fail"), 1, "inconclusive"),
        ("mixed", "best", ("--latency-ms", "9", "--inconclusive", "pass"), 0, "inconclusive"),
        ("mixed", "best", ("--zero-results", "0"), 0, "0 of 24 queries have none"),
        ("best", "mixed", ("--margin", "0.9"), 0, "not worse by 0.9"),
        ("worst", "best", ("--measure", "RR", "--slice", "band"), 0, "RR not worse by 0.01"),
    ],
)
def test_the_exit_code_is_the_decision(
    cli: Cli,
    set_of_24: Path,
    baseline: str,
    ranker: str,
    more: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    (set_of_24 / "mixed2.run").write_text((set_of_24 / "mixed.run").read_text())
    done = cli(*words(baseline, ranker, *more), cwd=set_of_24, code=code, env=QUIET)
    assert says in done.stdout
    assert "labels: 72 needed" in done.stdout


def test_the_configuration_decides_and_options_override_it(
    cli: Cli, answer: Answer, set_of_24: Path, configured: Configured
) -> None:
    configured(
        "[gate]\nmeasure = 'RR'\ndirection = 'better'\nmargin = 0.2\nslices = ['band=head']\n"
        "zero_results = 0.5\ninconclusive = 'pass'\n"
    )
    found = answer(*words("mixed", "best"), cwd=set_of_24)
    assert (found["plan"]["primary"], found["plan"]["margin"]) == ("RR", 0.2)
    assert "EnDCG@10" in found["rankers"][0]["measures"]
    assert [c["name"] for c in found["gate"]["checks"]] == [
        "RR better", "no loss on band=head", "queries without hits 50 % at most"
    ]  # fmt: skip
    more = ("--slice", "band=tail", "--margin", "0", "--direction", "not worse")
    found = answer(*words("mixed", "best", *more), cwd=set_of_24)
    assert [c["name"] for c in found["gate"]["checks"]][:2] == [
        "RR not worse by 0", "no loss on band=tail"
    ]  # fmt: skip
    undecided = words("mixed", "best", "--latency-ms", "1")
    assert answer(*undecided, cwd=set_of_24)["gate"]["exit_code"] == 0


def test_a_value_too_rare_to_guard_is_told(cli: Cli, answer: Answer, set_of_24: Path) -> None:
    lines = (set_of_24 / "queries.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows[:4]:
        row["band"] = "torso"
    (set_of_24 / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    guarded = words("worst", "best", "--slice", "band")
    says = "values of band with fewer than 5 queries, such as torso, which no check guards: 1"
    assert answer(*guarded, cwd=set_of_24)["notices"][-1] == says
    assert says in " ".join(cli(*guarded, cwd=set_of_24, env=QUIET).stdout.split())
    assert answer(*words("worst", "best", "--slice", "band=head"), cwd=set_of_24)["notices"] == []


def test_a_value_that_is_too_rare_without_queries_of_no_gain_is_told(
    answer: Answer, set_of_24: Path, configured: Configured
) -> None:
    rows = (set_of_24 / "queries.jsonl").read_text().splitlines()
    rare = [json.loads(row) | ({"band": "torso"} if i >= 18 else {}) for i, row in enumerate(rows)]
    (set_of_24 / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rare))
    grades = (set_of_24 / "qrels.txt").read_text()
    useless = grades.replace("q22 0 vpn 3", "q22 0 vpn 0").replace("q23 0 vpn 3", "q23 0 vpn 0")
    (set_of_24 / "qrels.txt").write_text(useless)
    configured("[compare]\nno_gain = 'skip'\n")
    found = answer(*words("worst", "best", "--slice", "band"), cwd=set_of_24)
    assert not any("torso" in check["name"] for check in found["gate"]["checks"])
    assert "such as torso, which no check guards: 1" in found["notices"][-1]


def test_json_says_the_decision_and_the_folder_keeps_it(cli: Cli, set_of_24: Path) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": ""}
    done = cli(*words("best", "mixed"), "--json", cwd=set_of_24, code=1, env=env)
    printed = json.loads(done.stdout)
    assert printed["schema"] == {"name": "relevance-eval/gate", "version": 1}
    assert (printed["result"]["gate"]["decision"], printed["result"]["gate"]["exit_code"]) == (
        "failed", 1
    )  # fmt: skip
    (kept,) = (set_of_24 / ".relevance-eval" / "results").iterdir()
    assert json.loads((kept / "comparison.json").read_text()) == printed


# bad input


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--slice", "author"), "slice author: no query has the tag 'author'\n"),
        (("--slice", "band=torso"), "slice band=torso: no query has the value 'torso'\n"),
        (("--measure", "nDCG@20"), "[compare]: a measure looks at 20 hits"),
        (("--measure", "speed"), "speed"),
    ],
)
def test_what_cannot_be_checked_is_refused_before_anything_is_bought(
    complaint: Complaint, set_of_24: Path, more: tuple[str, ...], says: str
) -> None:
    assert says in complaint(*words("mixed", "best", *more), cwd=set_of_24)
    assert not (set_of_24 / ".relevance-eval").exists()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("direction = 'up'", "gate.direction"),
        ("margin = 1", "gate.margin"),
        ("margn = 0.1", "did you mean margin?"),
        ("zero_results = 2", "gate.zero_results"),
        ("inconclusive = 'ask'", "gate.inconclusive"),
    ],
)
def test_a_wrong_key_of_gate_is_told_with_its_line(
    complaint: Complaint, set_of_24: Path, configured: Configured, text: str, place: str
) -> None:
    path = configured(f"[gate]\n{text}\n")
    message = complaint(*words("mixed", "best"), cwd=set_of_24)
    assert message.startswith(f"error: {path.name}:2: ")
    assert place in message


def test_a_report_that_cannot_be_written_loses_no_answer(cli: Cli, set_of_24: Path) -> None:
    (set_of_24 / "job.md").mkdir()
    env = QUIET | {"GITHUB_STEP_SUMMARY": str(set_of_24 / "job.md")}
    done = cli(*words("mixed", "best"), cwd=set_of_24, code=5, env=env)
    assert "gate: passed" in done.stdout
    assert "job.md" in done.stderr


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_folder_that_is_not_there_is_told_before_anything_is_bought(
    complaint: Complaint, set_of_24: Path, option: str
) -> None:
    message = complaint(*words("mixed", "best", option, "no/such/file"), cwd=set_of_24)
    assert message.startswith("error: no/such: there is no such folder\n")
    assert not (set_of_24 / ".relevance-eval").exists()


# for build systems


def test_github_obeys_nothing_that_a_query_says(cli: Cli, set_of_24: Path) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(set_of_24 / "job.md")}
    done = cli(*words("best", "mixed"), cwd=set_of_24, code=1, env=env)
    stop, *answer = done.stdout.splitlines()
    found = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", stop)
    assert found
    end = answer.index(f"::{found[1]}::")
    assert "gate: failed" in answer[0]
    (command,) = answer[end + 1 :]
    assert command.startswith("::error title=relevance-eval%3A failed::mixed against best: ")
    assert "95 %25 interval" in command
    text = (set_of_24 / "job.md").read_text()
    assert "❌ failed" in text


def test_the_summary_is_added_to_the_jobs_and_written_to_a_file(cli: Cli, set_of_24: Path) -> None:
    (set_of_24 / "job.md").write_text("before\n")
    env = {"GITHUB_STEP_SUMMARY": str(set_of_24 / "job.md"), "GITHUB_ACTIONS": ""}
    command = words("mixed", "best", "--summary", "own.md")
    cli(*command, cwd=set_of_24, env=env)
    own = (set_of_24 / "own.md").read_text()
    assert (set_of_24 / "job.md").read_text() == "before\n" + own
    assert own.startswith("## ✅ relevance-eval gate: passed\n")
    assert "vpn setup" in own


def test_the_summary_says_what_was_left_out(cli: Cli, set_of_24: Path) -> None:
    with (set_of_24 / "queries.jsonl").open("a") as file:
        file.write('{"id": "q24", "text": "asked of nobody", "band": "tail"}\n')
    cli(*words("mixed", "best", "--summary", "own.md"), cwd=set_of_24, env=QUIET)
    text = (set_of_24 / "own.md").read_text()
    assert "⚠️ queries that are in no run file, such as q24, and are left out" in text
    assert "24 queries; " in text


def test_queries_without_hits_are_counted_though_no_file_has_them(
    cli: Cli, set_of_24: Path
) -> None:
    with (set_of_24 / "queries.jsonl").open("a") as file:
        file.write('{"id": "q24", "text": "asked of nobody", "band": "tail"}\n')
    done = cli(*words("mixed", "best", "--zero-results", "0"), cwd=set_of_24, code=1, env=QUIET)
    assert "1 of 25 queries have none" in done.stdout


def test_junit_has_a_test_case_for_each_check(cli: Cli, set_of_24: Path) -> None:
    more = ("--slice", "band", "--latency-ms", "9", "--junit", "gate.xml")
    cli(*words("best", "mixed", *more), cwd=set_of_24, code=1, env=QUIET)
    root = ElementTree.parse(set_of_24 / "gate.xml").getroot()
    (suite,) = root
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "3", "errors": "1", "skipped": "0"}
    assert [case.get("name") for case in suite][1:3] == [
        "no loss on band=head", "no loss on band=tail"
    ]  # fmt: skip
    assert [case[0].tag for case in suite] == ["failure", "failure", "failure", "error"]


EVIL_RULING = Ruling(
    [
        Check(EVIL, EVIL, Decision.PASSED, EVIL),
        Check("b", "n", Decision.INCONCLUSIVE, EVIL),
        Check("b", "n", Decision.UNTRUSTED, EVIL),
    ]
)


@pytest.mark.parametrize(
    ("meaning", "tag"), [("exit 3", "error"), ("fail", "failure"), ("pass", "skipped")]
)
def test_junit_is_xml_whatever_a_name_holds(meaning: Any, tag: str) -> None:
    xml = junit_xml(EVIL_RULING, created="2026-11-24", seconds=1.5, inconclusive=meaning)
    first, second, third = ElementTree.fromstring(xml)[0]
    assert (first[0].tag, second[0].tag, third[0].tag) == ("system-out", tag, "error")
    assert (first[0].text or "").startswith("::error::<b>|x|</b>")
    assert "\x00" not in xml


def test_an_annotation_is_one_command_whatever_a_name_holds() -> None:
    lines = commands(EVIL_RULING)
    assert [line.count("\n") for line in lines] == [0, 0, 0]
    assert [line.split()[0] for line in lines] == ["::notice", "::warning", "::error"]
    assert "%0A::add-mask" in lines[0]


def test_a_summary_is_tables_whatever_a_text_holds() -> None:
    change = {"query_id": "q", "text": EVIL, "baseline": 0.0, "ranker": 1.0, "difference": 1.0}
    contrast = {"baseline": "<i>|a", "ranker": "b", "changed_most": [change]}
    result = {
        "plan": {"primary": "RR"}, "comparisons": [contrast], "queries": 1,
        "labels": {"needed": 1, "bought": 0}, "labeler": {"name": "[x](http://y)"},
    }  # fmt: skip
    text = summary(EVIL_RULING, result)
    assert "<b>" not in text
    assert "<i>" not in text
    assert "\u202e" not in text
    assert "](" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 + 2 + 1
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
