"""People's audit: drawn, filled in, read, and what `compare` and `gate` make of it."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.cli.compare import counted
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.sheet import COLUMNS, read_sheet, sheet_rows, write_sheet

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")
QUIET = {"GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": ""}
COUNT = 40


@pytest.fixture
def audited(folder: Path, cli: Cli) -> Path:
    """40 queries, runs worst, mixed and best, and an audit of 20 queries."""
    random.seed(0)
    rows = [
        {"id": f"q{i}", "text": f"vpn setup {i}", "band": "tail" if i % 2 else "head"}
        for i in range(COUNT)
    ]
    (folder / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for name in ("worst", "mixed", "best"):
        lines: list[str] = []
        for i in range(COUNT):
            hits = ["menu", "leave"]
            hits.insert({"worst": 2, "mixed": random.randint(0, 2), "best": 0}[name], "vpn")
            lines += [f"q{i} Q0 {d} {n + 1} {3 - n} {name}" for n, d in enumerate(hits)]
        (folder / f"{name}.run").write_text("\n".join(lines) + "\n")
    words = ("audit", "draw", "--queries", "queries.jsonl", "--size", "20", "--strata", "band")
    cli(*words, "--seed", "3", "--out", "audit.json", cwd=folder)
    return folder


def drawn(folder: Path) -> list[str]:
    return list(json.loads((folder / "audit.json").read_text())["drawn"])


def grade(folder: Path, *, like: int = 3, name: str = "ann", spoil: int = 0) -> tuple[str, ...]:
    """People grade what was drawn: `vpn` as `like`, `menu` as the opposite."""
    lines: list[str] = []
    for n, query in enumerate(drawn(folder)):
        liked = 3 - like if n < spoil else like
        lines += [f"{query} 0 vpn {liked}", f"{query} 0 menu {3 - liked}", f"{query} 0 leave 0"]
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return ("--qrels", f"{name}.txt")


def by_hand(folder: Path) -> None:
    path = folder / "audit.json"
    found = json.loads(path.read_text())
    first, *rest = found["drawn"]
    other = next(f"q{i}" for i in range(COUNT) if f"q{i}" not in found["drawn"])
    chance = found["drawn"][first]
    found["drawn"] = {**{i: found["drawn"][i] for i in rest}, other: chance}
    path.write_text(json.dumps(found))


def words(verb: str, *more: str) -> tuple[str, ...]:
    return (verb, "mixed.run", "best.run", *FILES, "--audit", "audit.json", *more)


def test_the_corrected_figures_decide_and_the_labelers_own_stay_visible(
    answer: Answer, audited: Path
) -> None:
    found = answer(*words("compare", *grade(audited)), cwd=audited)
    (contrast,) = found["comparisons"]
    corrected = contrast["corrected"]
    assert contrast["verdict"] == "better"
    assert corrected["low"] < corrected["mean"] < corrected["high"]
    assert (corrected["audited"], corrected["queries"]) == (20, COUNT)
    assert corrected["mean"] != contrast["differences"]["EnDCG@10"]["mean"]
    assert contrast["uncorrected_verdict"] == "better"
    assert found["trust"]["trust"] == "trusted"
    assert found["trust"]["queries"] == 20
    assert found["audit"]["complete"] == 20
    assert found["audit"]["refusal"] is None
    assert set(found["audit"]["labeler_errors"]) == {"mixed", "best"}
    assert found["audit"]["labels"]["by_people"] == 0
    assert found["audit"]["mixed"] is True


def test_a_person_reads_what_was_corrected(cli: Cli, audited: Path) -> None:
    text = cli(*words("compare", *grade(audited)), cwd=audited).stdout
    for told in (
        "best is better than mixed: EnDCG@10",
        "corrected by people: 95 % interval",
        "people graded 20 of 40 queries in full",
        "uncorrected, labeler and people mixed:",
        "the labeler is trusted: kappa with people is",
        "the labeler's error on best, people minus labeler:",
        "The corrected interval covers",
    ):
        assert told in " ".join(text.split())


def test_grades_that_are_not_those_of_the_draw_correct_nothing(
    answer: Answer, cli: Cli, audited: Path
) -> None:
    by_hand(audited)
    people = grade(audited)
    found = answer(*words("compare", *people), cwd=audited)
    (contrast,) = found["comparisons"]
    assert contrast["corrected"] is None
    assert "chosen by hand" in found["audit"]["refusal"]
    assert contrast["verdict"] == contrast["uncorrected_verdict"]
    assert found["trust"]["trust"] == "unknown"  # they cannot show that the labeler is good
    assert "no figure is corrected: the audit's queries" in cli(
        *words("compare", *people), cwd=audited
    ).stdout.replace("\n", " ")


def test_an_untrusted_labeler_gets_no_verdict(cli: Cli, answer: Answer, audited: Path) -> None:
    by_hand(audited)
    people = grade(audited, like=0)
    text = cli(*words("compare", *people), cwd=audited).stdout
    assert text.startswith("the labeler is untrusted: kappa with people is -")
    assert "no verdict on best against mixed: EnDCG@10 " in text
    found = answer(*words("compare", *people), cwd=audited)
    assert found["comparisons"][0]["verdict"] == "untrusted"
    assert {s["verdict"] for s in found["comparisons"][0]["slices"]} == {"untrusted"}
    page = cli("report", "--out", "page.html", cwd=audited)
    assert page.returncode == 0
    text = (audited / "page.html").read_text()
    assert "No verdict on best against mixed: the labeler is untrusted" in text


def test_corrected_figures_need_no_trust(cli: Cli, answer: Answer, audited: Path) -> None:
    people = grade(audited, like=0)
    found = answer(*words("compare", *people), cwd=audited)
    (contrast,) = found["comparisons"]
    assert found["trust"]["trust"] == "untrusted"
    assert contrast["verdict"] == "worse"
    assert contrast["corrected"]["favours"] == "best"
    gate = cli(*words("gate", *people), cwd=audited, code=1, env=QUIET).stdout
    assert gate.startswith("gate: failed")
    assert "the labeler favours best where best is compared with mixed" in " ".join(gate.split())
    sliced = cli(*words("gate", *people, "--slice", "band"), cwd=audited, code=4, env=QUIET)
    assert "untrusted best against mixed: no loss on band=head" in sliced.stdout


def test_the_bar_is_the_configurations_and_so_may_be_the_audit(
    answer: Answer, audited: Path
) -> None:
    (audited / "relevance-eval.toml").write_text(
        '[compare]\naudit = "audit.json"\n\n[labelling]\nbar = -1.0\n'
    )
    plain = ("compare", "mixed.run", "best.run", *FILES)
    found = answer(*plain, *grade(audited, like=0), cwd=audited)
    assert (found["trust"]["trust"], found["trust"]["bar"]) == ("trusted", -1.0)
    assert found["comparisons"][0]["corrected"]


def test_a_margin_of_0_gives_no_equivalence_and_twins_are_equivalent(
    cli: Cli, answer: Answer, audited: Path
) -> None:
    (audited / "twin.run").write_text((audited / "best.run").read_text())
    people = grade(audited)
    plain = (*FILES, "--audit", "audit.json", *people)
    found = answer("compare", "best.run", "twin.run", "mixed.run", *plain, cwd=audited)
    assert [c["verdict"] for c in found["comparisons"]] == ["equivalent", "worse"]
    (audited / "relevance-eval.toml").write_text("[compare]\nmargin = 0\n")
    found = answer("compare", "best.run", "twin.run", *plain, cwd=audited)
    assert found["comparisons"][0]["verdict"] == "inconclusive"
    cli("gate", "mixed.run", "best.run", *plain, "--margin", "0", cwd=audited, env=QUIET)


def test_people_who_disagree_share_and_it_is_told(answer: Answer, audited: Path) -> None:
    people = grade(audited) + grade(audited, name="ben", spoil=3)
    found = answer(*words("compare", *people), cwd=audited)
    assert found["audit"]["conflicts"] == 6
    assert "people disagree on 6 pairs: their grades are averaged" in found["audit"]["notes"]


def test_an_audit_without_grades_says_what_is_missing(answer: Answer, audited: Path) -> None:
    found = answer(*words("compare"), cwd=audited)
    assert "name them with --qrels FILE" in found["audit"]["refusal"]
    assert found["comparisons"][0]["verdict"] == "better"


def test_an_audit_of_other_queries_corrects_nothing(answer: Answer, audited: Path) -> None:
    people = grade(audited)
    lines = (audited / "queries.jsonl").read_text().splitlines()
    (audited / "queries.jsonl").write_text("\n".join(lines[:30]) + "\n")
    found = answer(*words("compare", *people), cwd=audited)
    assert "drawn from another set of 40 queries" in found["audit"]["refusal"]
    assert "of those drawn are not in this one" in found["audit"]["refusal"]


def test_the_gate_takes_no_audit_that_can_correct_nothing(
    complaint: Complaint, audited: Path
) -> None:
    people = grade(audited)
    message = complaint(*words("gate"), cwd=audited)
    assert message.startswith("error: audit.json: nobody's grades of the audit were given\n")
    lines = (audited / "queries.jsonl").read_text()
    (audited / "queries.jsonl").write_text("\n".join(lines.splitlines()[:30]) + "\n")
    message = complaint(*words("gate", *people), cwd=audited)
    assert message.startswith("error: audit.json: the audit was drawn from another set of 40 quer")
    assert "audit draw, or name its set" in message
    (audited / "queries.jsonl").write_text(lines)
    by_hand(audited)
    assert "chosen by hand" in complaint(*words("gate", *people), cwd=audited)
    assert not (audited / ".relevance-eval").exists()


def test_a_file_that_is_no_audit_is_told_before_anything_is_bought(
    complaint: Complaint, audited: Path
) -> None:
    (audited / "audit.json").write_text("{}")
    message = complaint(*words("compare"), cwd=audited)
    assert message.startswith("error: audit.json: ")
    assert not (audited / ".relevance-eval" / "judgments.sqlite").exists()


def test_another_audit_decides_in_another_way_and_provenance_tells(
    answer: Answer, audited: Path
) -> None:
    with_audit = answer(*words("compare", *grade(audited)), cwd=audited)["made_of"]
    plain = answer("compare", "mixed.run", "best.run", *FILES, "--qrels", "ann.txt", cwd=audited)
    assert with_audit["deciding"] != plain["made_of"]["deciding"]
    assert plain["audit"] is plain["trust"] is None


def test_a_report_and_an_index_have_the_figures_that_decide(
    cli: Cli, answer: Answer, audited: Path
) -> None:
    found = answer(*words("compare", *grade(audited, like=0)), cwd=audited)
    (contrast,) = counted({"result": found})["result"]["comparisons"]
    told = contrast["differences"]["EnDCG@10"]
    assert {k: told[k] for k in ("mean", "low", "high")} == {
        k: found["comparisons"][0]["corrected"][k] for k in ("mean", "low", "high")
    }
    cli("report", "--out", "page.html", cwd=audited)
    page = " ".join((audited / "page.html").read_text().split())
    for said in (
        f"EnDCG@10 {told['mean']:+.4f}, corrected by people",
        "The labeler favours best.",
        "The labeler is untrusted: kappa",
        "The labeler's error on best, people minus labeler:",
        "Nothing here is corrected by people.",
        "20 of the 20 queries drawn",
    ):
        assert said in page


def test_several_baselines_are_each_corrected_and_queries_without_gain_count(
    answer: Answer, audited: Path
) -> None:
    (audited / "relevance-eval.toml").write_text('[compare]\nno_gain = "skip"\n')
    plain = (*FILES, "--audit", "audit.json", *grade(audited))
    lines = [
        f"q{i} Q0 {d} {n + 1} {3 - n} other"
        for i in range(COUNT)
        for n, d in enumerate(("menu", "vpn", "leave") if i % 3 else ("menu", "leave", "vpn"))
    ]
    (audited / "other.run").write_text("\n".join(lines) + "\n")
    runs = ("other.run", "mixed.run", "best.run", "--baselines", "2")
    found = answer("compare", *runs, *plain, cwd=audited)
    assert [c["verdict"] for c in found["comparisons"]] == ["better", "better"]
    p = [(c["corrected"]["p"], c["corrected"]["p_corrected"]) for c in found["comparisons"]]
    assert all(one <= corrected for one, corrected in p)
    assert any("count queries without any gain as 0" in n for n in found["audit"]["notes"])
    assert set(found["audit"]["means"]) == {"other", "mixed", "best"}


# the sheet


def test_a_sheet_is_filled_in_read_and_compared_with(
    cli: Cli, answer: Answer, audited: Path
) -> None:
    sheet = ("audit", "sheet", "audit.json", "mixed.run", "best.run", *FILES)
    cli(*sheet, "--out", "sheet.csv", cwd=audited)
    with (audited / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 60
    assert {r["query_id"] for r in rows} == set(drawn(audited))
    assert {r["grade"] for r in rows} == {""}
    for row in rows:
        row["grade"] = "3" if row["document_id"] == "vpn" else "0"
    rows[-1]["grade"] = ""
    with (audited / "sheet.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    read = answer("audit", "read", "sheet.csv", "--name", "ann", cwd=audited)
    assert (read["graded"], read["empty"]) == (59, 1)
    assert (read["queries_finished"], read["queries_unfinished"]) == (19, 1)
    found = answer(*words("compare", "--qrels", "ann.txt"), cwd=audited)
    assert found["audit"]["complete"] == 19
    assert found["comparisons"][0]["verdict"] == "better"


def test_a_sheet_is_not_written_over_nor_made_of_an_audit_that_is_none(
    complaint: Complaint, audited: Path
) -> None:
    sheet = ("audit", "sheet", "audit.json", "mixed.run", "best.run", *FILES)
    (audited / "sheet.csv").write_text("work of days")
    assert "may hold grades" in complaint(*sheet, "--out", "sheet.csv", cwd=audited)
    by_hand(audited)
    assert "chosen by hand" in complaint(*sheet, "--out", "new.csv", cwd=audited)


def test_the_name_is_that_of_the_file(complaint: Complaint, audited: Path) -> None:
    (audited / "sheet.csv").write_text(",".join(COLUMNS))
    read = ("audit", "read", "sheet.csv", "--name", "ann")
    assert "--out ann.qrels" in complaint(*read, "--out", "x.qrels", cwd=audited)
    assert "nobody has filled in a grade" in complaint(*read, cwd=audited)
    assert "nobody has filled in a grade" in complaint(*read[:3], cwd=audited)


def test_grades_are_written_over_neither_their_sheet_nor_those_of_others(
    cli: Cli, complaint: Complaint, audited: Path
) -> None:
    sheet = audited / "ann.txt"
    cli("audit", "sheet", "audit.json", "best.run", *FILES, "--out", sheet.name, cwd=audited)
    empty = sheet.read_text(encoding="utf-8-sig")
    filled = empty.replace(",,c", ",2,c", 5)
    sheet.write_text(filled)
    for more in ((), ("--out", "./ann.txt", "--force")):
        said = complaint("audit", "read", "ann.txt", *more, cwd=audited)
        assert "this file is read, and would be written over" in said
    assert sheet.read_text() == filled
    read = ("audit", "read", "ann.txt", "--out", "grades.txt")
    cli(*read, cwd=audited)
    sheet.write_text(filled.replace(",,c", ",1,c", 5))
    cli(*read, cwd=audited)  # what is filled in further loses no grade
    grades = audited / "grades.txt"
    assert len(grades.read_text().splitlines()) == 10
    sheet.write_text(empty.replace(",,c", ",0,c"))
    before = grades.read_text()
    said = complaint(*read, cwd=audited)
    assert "the file exists, and holds grades that this sheet does not have" in said
    assert grades.read_text() == before
    grades.write_text("notes of mine")
    assert "the file exists" in complaint(*read, cwd=audited)
    cli(*read, "--force", cwd=audited)
    assert len(grades.read_text().splitlines()) == 60


def test_a_draw_that_cannot_be_made_is_told(complaint: Complaint, audited: Path) -> None:
    draw = ("audit", "draw", "--queries", "queries.jsonl")
    assert "people's grades rest on" in complaint(*draw, cwd=audited)
    draw = (*draw, "--out", "new.json")
    assert "cannot be drawn from 40" in complaint(*draw, "--size", "41", cwd=audited)
    assert "no query has the tag" in complaint(
        *draw, "--size", "9", "--strata", "kind", cwd=audited
    )


FORMULAS = ["=1+1", "+1", "-1", "@x", "'=1", "plain", "-", "=HYPERLINK(1)"]


def test_no_cell_is_a_formula_and_ids_come_back_as_they_were(tmp_path: Path) -> None:
    queries = [Query(f, f"{f}\n= {f}", {}) for f in FORMULAS]
    hits = tuple(Hit(f, -float(n)) for n, f in enumerate(FORMULAS))
    run = Run("r", {f: Result(hits) for f in FORMULAS})
    documents = {f: Document(f, {"title": f, "body": f"{f}\r\n\x00=2"}) for f in FORMULAS[:-1]}
    rows = sheet_rows(queries, [run], documents, 10, 0)
    path = tmp_path / "sheet.csv"
    write_sheet(path, rows)
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [c for row in csv.reader(file) for c in row]
    assert not [c for c in cells if c.startswith(("=", "+", "-", "@"))]
    assert len(path.read_text(encoding="utf-8-sig").splitlines()) == 1 + len(FORMULAS) ** 2
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",,c", ",2,c"))
    filled = read_sheet(path)
    assert filled.grades == {q: dict.fromkeys(FORMULAS, 2) for q in FORMULAS}


def test_the_order_is_one_of_chance_and_depends_on_nothing_but_seed_and_ids() -> None:
    queries = [Query(f"q{n}", "x", {}) for n in range(20)]
    runs = [
        Run(name, {q.id: Result(tuple(Hit(f"d{d}", -d) for d in order)) for q in queries})
        for name, order in (("a", range(6)), ("b", range(5, -1, -1)))
    ]
    one = sheet_rows(queries, runs, {}, 6, 7)
    assert one == sheet_rows(queries[::-1], runs[::-1], {}, 6, 7)
    assert one != sheet_rows(queries, runs, {}, 6, 8)
    firsts = {r.document_id for r in one[::6]}
    assert len(firsts) > 3
    assert [r.query_id for r in one[::6]] != [q.id for q in queries]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("q,x,d,,,4,{check}", "the grade '4' is none of 0, 1, 2, 3"),
        ("q,x,d,,,-1,{check}", "the grade '-1' is none of"),
        ("q,x,d,,,two,{check}", "the grade 'two' is none of"),
        ("7,x,d,,,2,{check}", "are not those that were written here"),
        ("q,x,d,,,2,", "are not those that were written here"),
        ('q,"x\ny",d,,,1,{check}\nq,x,d,,,2,{check}', "two grades for query 'q', 1 and 2"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(
    complaint: Complaint, folder: Path, line: str, says: str
) -> None:
    write_sheet(
        folder / "s.csv",
        sheet_rows([Query("q", "x", {})], [Run("r", {"q": Result((Hit("d", 1.0),))})], {}, 1, 0),
    )
    head, row = (folder / "s.csv").read_text(encoding="utf-8-sig").splitlines()
    text = line.format(check=row.rpartition(",")[2])
    (folder / "s.csv").write_text(f"{head}\n{text}\n")
    message = complaint("audit", "read", "s.csv", "--name", "ann", cwd=folder)
    assert message.startswith(f"error: s.csv:{len(text.splitlines()) + 1}: ")
    assert says in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a,b\n1,2\n", "there is no column 'query_id'"),
        (b"", "there is no column 'query_id'"),
        (b"\xff\xfeq", "not a text file in UTF-8"),
    ],
)
def test_a_file_that_is_no_sheet(
    complaint: Complaint, folder: Path, content: bytes, says: str
) -> None:
    (folder / "s.csv").write_bytes(content)
    assert says in complaint("audit", "read", "s.csv", "--name", "ann", cwd=folder)


# probes


def test_probes_show_what_moves_the_labeler(cli: Cli, answer: Answer, folder: Path) -> None:
    (folder / "zeros.txt").write_text(
        "q1 0 menu 0\nq1 0 leave 0\nq1 0 vpn 3\nq2 0 menu 0\nq2 0 vpn 0\nq2 0 leave 3\n"
    )
    found = answer("agreement", "zeros.txt", *FILES, "--probes", cwd=folder)["probes"]
    assert [p["probe"] for p in found] == ["planted words", "length", "instructions"]
    assert {(p["pairs"], p["queries"], p["ungraded"]) for p in found} == {(4, 2, 0)}
    assert found[0]["shift"]["mean"] > 0
    text = cli("agreement", "zeros.txt", *FILES, "--probes", cwd=folder).stdout
    assert "shift of the expected grade (0 to 3)" in text
    assert answer("agreement", "zeros.txt", *FILES, cwd=folder)["probes"] == []


def test_probes_of_a_labeler_that_reads_no_body_are_no_pass(
    cli: Cli, answer: Answer, folder: Path
) -> None:
    builtin = str(resources.files("relevance_eval.builtin_labeler"))
    manifest = Path(shutil.copytree(builtin, folder / "mine")) / "labeler.json"
    content = json.loads(manifest.read_bytes()) | {"name": "titles", "fields": [["title", ""]]}
    manifest.write_text(json.dumps(content))
    (folder / "zeros.txt").write_text("q1 0 menu 0\nq2 0 vpn 0\n")
    words = ("agreement", "zeros.txt", *FILES, "--labeler", "mine", "--probes")
    found = answer(*words, cwd=folder)["probes"]
    assert [(p["moved"], p["unchanged"]) for p in found] == [(False, True)] * 3
    text = " ".join(cli(*words, cwd=folder).stdout.split())
    assert "which is no pass: the labeler may not read `body`" in text


def test_probes_without_irrelevant_documents_are_told_before_anything_is_bought(
    complaint: Complaint, folder: Path
) -> None:
    (folder / "good.txt").write_text("q1 0 vpn 3\n")
    message = complaint("agreement", "good.txt", *FILES, "--probes", cwd=folder)
    assert message.startswith("error: good.txt: people graded no document 0")
    assert not (folder / ".relevance-eval").exists()
