"""Comparisons of run files: no Elasticsearch, real labels, results that other tools read."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import pytest
from click.testing import CliRunner

from relevance_eval.errors import UnreachableError

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")
KEPT = ("judgments.jsonl", "queries.jsonl", "documents.jsonl", "results.jsonl")
EXACT = ("qrels.txt", *KEPT, "a.run", "b.run")


def results(folder: Path) -> list[Path]:
    """Result folders, oldest first."""
    return sorted(
        (folder / ".relevance-eval" / "results").iterdir(), key=lambda path: path.stat().st_mtime_ns
    )


def test_a_second_comparison_buys_nothing_and_says_so(
    cli: Cli, answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    first = answer(*compare_words, cwd=folder)["labels"]
    assert (first["needed"], first["bought"], first["reused"]) == (4, 4, 0)
    second = cli(*compare_words, cwd=folder)
    assert "labels: 4 needed, 4 reused, 0 bought, by" in second.stdout


def test_the_same_inputs_give_the_same_bytes(
    cli: Cli, folder: Path, compare_words: tuple[str, ...]
) -> None:
    for _ in range(2):
        cli(*compare_words, cwd=folder)
        (folder / ".relevance-eval" / "judgments.sqlite").rename(folder / "bought-anew.sqlite")
    first, second = results(folder)
    for name in EXACT:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    one, two = (json.loads((path / "comparison.json").read_text()) for path in (first, second))
    for found in (one, two):
        del found["created"], found["result"]["seconds"]
    assert one == two


def test_the_result_folder_holds_what_json_prints(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    printed = answer(*compare_words, cwd=folder)
    (kept,) = results(folder)
    assert json.loads((kept / "comparison.json").read_text())["result"] == printed
    assert {path.name for path in kept.iterdir()} == {*EXACT, "comparison.json"}


def test_an_answer_that_cannot_be_kept_is_shown(
    cli: Cli, folder: Path, compare_words: tuple[str, ...]
) -> None:
    (folder / ".relevance-eval").mkdir()
    (folder / ".relevance-eval" / "results").write_text("a file where a folder is needed")
    done = cli(*compare_words, cwd=folder, code=5)
    assert "EnDCG@10" in done.stdout.splitlines()[0]
    assert "everything is in" not in done.stdout
    assert "error: " in done.stderr
    assert json.loads(cli(*compare_words, "--json", cwd=folder, code=5).stdout)["result"]


def test_publishing_fails_before_anything_is_bought(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    (folder / "relevance-eval.toml").write_text("[elasticsearch]\nurl = 'http://127.0.0.1:9'\n")
    message = complaint(*compare_words, "--publish", cwd=folder, code=5)
    assert "cannot be reached" in message
    assert not (folder / ".relevance-eval").exists()


def test_an_answer_that_cannot_be_published_is_shown(
    monkeypatch: pytest.MonkeyPatch, folder: Path, compare_words: tuple[str, ...]
) -> None:
    def published(session: object, project: object, answer: object) -> None:
        if answer is not None:
            raise UnreachableError("gone since")

    verb = importlib.import_module("relevance_eval.cli.compare")
    monkeypatch.setattr(verb, "published", published)
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(verb.compare, [*compare_words[1:], "--publish"])
    assert isinstance(done.exception, UnreachableError)
    assert "EnDCG@10" in done.stdout.splitlines()[0]


def test_two_rankers_do_not_share_a_file(complaint: Complaint, folder: Path) -> None:
    text = (folder / "a.run").read_text()
    (folder / "a b.run").write_text(text)
    (folder / "a_b.run").write_text(text)
    message = complaint("compare", "a b.run", "a_b.run", *FILES, cwd=folder)
    assert message.startswith("error: 'a b' and 'a_b' would both be written to a_b.run\n")


def test_other_tools_read_runs_and_grades_and_find_the_same(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    people = ("--qrels", "qrels.txt")
    printed = answer(*compare_words, *people, cwd=folder)
    (kept,) = results(folder)
    qrels = list(ir_measures.read_trec_qrels(str(kept / "qrels.txt")))
    assert {(q.query_id, q.doc_id, q.relevance) for q in qrels} == {
        ("q1", "vpn", 3), ("q1", "vpn-old", 1), ("q2", "leave", 2), ("q2", "menu", 0)
    }  # fmt: skip
    measure = ir_measures.parse_measure("nDCG@10")
    for ranker in printed["rankers"]:
        run = list(ir_measures.read_trec_run(str(kept / f"{ranker['name']}.run")))
        theirs = ir_measures.calc_aggregate([measure], qrels, run)[measure]
        assert ranker["measures"]["nDCG@10"]["mean"] == pytest.approx(theirs, abs=1e-9)


def test_people_win_over_the_labeler_and_are_kept(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    bought = answer(*compare_words, cwd=folder)["labels"]
    assert (bought["bought"], bought["by_people"]) == (4, 0)
    answer(*compare_words, "--qrels", "qrels.txt", cwd=folder)
    later = answer(*compare_words, cwd=folder)
    assert later["labels"]["by_people"] == later["labels"]["reused"] == 4
    by_name = {r["name"]: r["measures"]["RR"]["mean"] for r in later["rankers"]}
    assert by_name == {"a": 0.5, "b": 1.0}


def test_two_files_of_grades_need_two_names(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    words: list[str] = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "qrels.txt").write_text("q1 0 vpn 3\n")
        words += ["--qrels", f"{name}/qrels.txt"]
    message = complaint(*compare_words, *words, cwd=folder)
    assert message.startswith("error: two/qrels.txt: two files of grades are named qrels\n")
    assert "rename one" in message


def test_two_people_share_a_grade(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    (folder / "ann.txt").write_text("q1 0 vpn 3\n")
    (folder / "bo.txt").write_text("q1 0 vpn 1\n")
    answer(*compare_words, "--qrels", "ann.txt", "--qrels", "bo.txt", cwd=folder)
    (kept,) = results(folder)
    rows = [json.loads(line) for line in (kept / "judgments.jsonl").read_text().splitlines()]
    (shared,) = (r for r in rows if (r["query"], r["document"]) == ("q1", "vpn"))
    assert shared["probabilities"] == [0.0, 0.5, 0.0, 0.5]
    assert shared["labeler"] == "person:2 people"


def test_agreement_leaves_peoples_own_grades_aside(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    answer(*compare_words, "--qrels", "qrels.txt", cwd=folder)
    found = answer("agreement", "qrels.txt", *FILES, cwd=folder)
    assert found["labels"]["by_people"] == 0
    assert found["labels"]["bought"] == 4
    assert (found["pairs"], found["queries"], found["unknown_pairs"]) == (4, 2, 0)


def test_agreement_without_a_single_label_says_why(complaint: Complaint, folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    lines = [json.dumps({"id": row["id"], "content": row["body"]}) for row in rows]
    (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    message = complaint("agreement", "qrels.txt", *FILES, cwd=folder, code=2)
    assert "no label out of 2: the document has no text" in message
    assert "check that [documents] names the fields of your index" in message


def test_agreement_sends_nobody_to_a_sheet(complaint: Complaint, folder: Path) -> None:
    (folder / "relevance-eval.toml").write_text('labeler = "people"\n')
    message = complaint("agreement", "qrels.txt", *FILES, cwd=folder)
    assert message.startswith("error: labeler people: people are no labeler that could be measured")
    assert not (folder / ".relevance-eval").exists()


def test_agreement_compares_the_order_of_runs(answer: Answer, folder: Path) -> None:
    runs = ("--run", "a.run", "--run", "b.run")
    order = answer("agreement", "qrels.txt", *FILES, *runs, cwd=folder)["order"]
    assert order["people"]["b"] > order["people"]["a"]
    assert set(order["labeler"]) == {"a", "b"}


def test_a_slice_without_a_pair_that_both_graded_is_left_out(answer: Answer, folder: Path) -> None:
    """Its queries have labels only of what the runs found."""
    rows = [
        {"id": f"{band}{n}", "text": "vpn setup", "band": band}
        for band in ("head", "tail")
        for n in range(5)
    ]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    graded = {"head": "vpn", "tail": "gone"}
    lines = [f"{row['id']} 0 {graded[row['band']]} 3\n" for row in rows]
    (folder / "qrels.txt").write_text("".join(lines))
    for name in ("a", "b"):
        hits = [f"{row['id']} Q0 menu 1 1.0 {name}\n" for row in rows]
        (folder / f"{name}.run").write_text("".join(hits))
    runs = ("--run", "a.run", "--run", "b.run")
    found = answer("agreement", "qrels.txt", *FILES, *runs, cwd=folder)
    assert list(found["slices"]) == ["band=head"]
    assert found["unknown_pairs"] == 5


def test_a_document_without_a_text_stays_unjudged(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    lines = (folder / "corpus.jsonl").read_text().splitlines()
    (folder / "corpus.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    found = answer(*compare_words, cwd=folder)
    assert found["documents_missing"] == 1
    (notice,) = found["notices"]
    assert notice.startswith("documents of the rankers that were not found, such as menu, ")
    assert notice.endswith(": 1")
    assert found["labels"]["needed"] == 3
    assert found["rankers"][0]["per_query"]["Judged@10"] == {"q1": 1.0, "q2": 0.5}


def test_documents_without_fields_or_with_megabytes_of_text(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    rows = [
        {"id": "vpn", "body": "vpn setup " * 300_000},
        {"id": "vpn-old"},
        {"id": "leave", "title": None, "body": ["parental", {"leave": 20}]},
        {"id": "menu", "body": 7},
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = answer(*compare_words, cwd=folder)
    labels = found["labels"]
    assert (labels["needed"], labels["bought"], labels["refused"]) == (4, 3, 1)
    (notice,) = found["notices"]
    assert notice.startswith("0 labels failed and 1 were refused, mostly: the document has no text")


def test_a_query_that_no_run_file_has_is_no_tie(
    cli: Cli, answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    before = answer(*compare_words, cwd=folder)
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"id": "q3", "text": "soup"}\n')
    found = answer(*compare_words, cwd=folder)
    assert found["queries"] == before["queries"] == 2
    assert found["comparisons"] == before["comparisons"]
    assert found["notices"] == ["queries that are in no run file, such as q3, and are left out: 1"]
    assert found["notices"][0] in " ".join(cli(*compare_words, cwd=folder).stdout.split())


def test_a_query_that_one_run_file_lacks_counts_as_found_nothing(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    lines = (folder / "a.run").read_text().splitlines()
    (folder / "a.run").write_text("\n".join(lines[:2]) + "\n")
    found = answer(*compare_words, cwd=folder)
    assert (found["queries"], found["notices"]) == (2, [])
    assert found["rankers"][0]["per_query"]["EnDCG@10"]["q2"] == 0


def test_queries_of_a_run_file_that_the_set_does_not_have_are_told(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    with (folder / "b.run").open("a") as file:
        file.write("Q2 Q0 leave 1 1.0 b\n")
    (notice,) = answer(*compare_words, cwd=folder)["notices"]
    assert notice.startswith("queries of b that the set does not have, such as Q2, ")
    assert notice.endswith("left out: 1")


def test_a_field_that_no_document_has_is_told_and_only_all_of_them_are_refused(
    answer: Answer, complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    path = folder / "relevance-eval.toml"
    path.write_text("[documents]\ntitle = 'title'\nauthor = 'writer'\nbody = 'body'\n")
    (notice,) = answer(*compare_words, cwd=folder)["notices"]
    assert notice.startswith("fields of [documents] that none of the documents found has, ")
    assert notice.endswith("does without: writer")
    path.write_text("[documents]\ntitle = 'heading'\nauthor = 'writer'\n")
    message = complaint(*compare_words, cwd=folder)
    assert message.startswith("error: [documents]: none of 4 documents has a field heading or writ")


def test_the_wrong_corpus_or_the_wrong_grades_are_refused(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    (folder / "others.txt").write_text("q9 0 vpn 3\n")
    message = complaint(*compare_words, "--qrels", "others.txt", cwd=folder)
    assert message.startswith("error: others: these grades are of no query of the set, but of q9\n")
    (folder / "corpus.jsonl").write_text('{"id": "else", "body": "Other things."}\n')
    message = complaint(*compare_words, cwd=folder)
    assert message.startswith(
        "error: corpus.jsonl: none of the 4 documents of the runs is there, such as leave\n"
    )
    assert not (folder / ".relevance-eval").exists()


def test_label_writes_qrels_that_compare_as_grades(cli: Cli, answer: Answer, folder: Path) -> None:
    cli("label", "a.run", "b.run", *FILES, "--out", "labels.txt", cwd=folder)
    read = list(ir_measures.read_trec_qrels(str(folder / "labels.txt")))
    assert {(q.query_id, q.doc_id) for q in read} == {
        ("q1", "vpn"), ("q1", "vpn-old"), ("q2", "leave"), ("q2", "menu")
    }  # fmt: skip
    assert answer("label", "a.run", *FILES, cwd=folder)["reused"] == 4


def test_label_tells_what_is_left_out(cli: Cli, answer: Answer, folder: Path) -> None:
    assert answer("label", "a.run", *FILES, cwd=folder)["notices"] == []
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"id": "q3", "text": "parking"}\n')
    says = "queries that are in no run file, such as q3, and are left out: 1"
    assert says in cli("label", "a.run", *FILES, cwd=folder).stdout
    assert answer("label", "a.run", *FILES, cwd=folder)["notices"] == [says]


def test_one_query_gives_a_result_without_an_interval(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    (folder / "queries.jsonl").write_text('{"id": "q1", "text": "vpn setup"}\n')
    (contrast,) = answer(*compare_words, cwd=folder)["comparisons"]
    assert contrast["differences"]["EnDCG@10"]["low"] is None
    assert contrast["verdict"] == "inconclusive"


def test_a_query_that_is_asked_twice_is_told(
    cli: Cli, answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    says = "of the queries repeat the text of another"
    assert says not in cli(*compare_words, cwd=folder).stdout
    assert answer(*compare_words, cwd=folder)["repeated_queries"] == 0
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"id": "q3", "text": "VPN setup"}\n')
    for name in ("a.run", "b.run"):
        again = (folder / name).read_text().replace("q1 ", "q3 ").splitlines()[:2]
        (folder / name).write_text((folder / name).read_text() + "\n".join(again) + "\n")
    assert f"1 {says}" in cli(*compare_words, cwd=folder).stdout
    assert answer(*compare_words, cwd=folder)["repeated_queries"] == 1
    cli("report", "--out", "page.html", cwd=folder)
    assert f"1 {says}" in (folder / "page.html").read_text()


def test_a_seed_of_the_command_line_is_told(
    answer: Answer, folder: Path, compare_words: tuple[str, ...]
) -> None:
    assert answer(*compare_words, "--seed", "7", cwd=folder)["plan"]["seed"] == 7


def test_a_store_that_is_damaged(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    store = folder / ".relevance-eval" / "judgments.sqlite"
    store.parent.mkdir()
    store.write_bytes(b"not a database, and long enough to be read as one" * 40)
    message = complaint(*compare_words, cwd=folder, code=5)
    assert f"{store}: file is not a database\n" in message
