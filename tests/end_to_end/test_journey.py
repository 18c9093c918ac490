"""The way of a user through the verbs, on a real Elasticsearch."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import pytest
from elasticsearch import Elasticsearch

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
OFFLINE = ("--corpus", "pulled/documents.jsonl", "--queries", "pulled/queries.jsonl")


@pytest.fixture(scope="module")
def labelled(project: Path, cli: Cli) -> Path:
    """The project, with the labels of three rankers in its store."""
    cli("label", "bm25", "fields", "recent", cwd=project)
    return project


@pytest.fixture(scope="module")
def pulled(labelled: Path, cli: Cli) -> Path:
    """The project, with runs of three rankers in the folder `pulled`."""
    cli("pull", "bm25", "fields", "recent", "--out", "pulled", cwd=labelled)
    return labelled


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def numbers(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What a comparison says of quality, without what the server took."""
    return [
        {key: ranker[key] for key in ("name", "measures", "per_query", "empty")}
        for ranker in result["rankers"]
    ]


def test_attach_tries_what_there_is(answer: Answer, project: Path) -> None:
    found = answer("attach", cwd=project)
    assert found["version"] == "9.2.2"
    assert found["abilities"]["read small"]["works"]
    assert found["abilities"]["point in time"]["works"]
    assert {name for name, r in found["rankers"].items() if r["works"]} == {
        "bm25", "fields", "recent"
    }  # fmt: skip
    assert found["created"] == []


def test_attach_says_what_is_wrong_with_a_ranker(answer: Answer, project: Path) -> None:
    text = (project / "relevance-eval.toml").read_text()
    (project / "rankers" / "wrong.json").write_text('{"query": {"mach_all": {}}}')
    (project / "wrong.toml").write_text(text + "[rankers.wrong]\ntemplate = 'rankers/wrong.json'\n")
    found = answer("attach", "-c", "wrong.toml", cwd=project)["rankers"]
    assert not found["wrong"]["works"]
    assert "mach_all" in found["wrong"]["detail"]
    assert found["bm25"]["works"]


def test_setup_asks_and_publish_fills_our_own_index(
    cli: Cli, answer: Answer, complaint: Complaint, labelled: Path, node_url: str
) -> None:
    ours = "relevance-eval-comparisons"
    said = complaint("compare", "bm25", "fields", "--publish", cwd=labelled)
    assert f"there is no index {ours}" in said
    assert "relevance-eval attach --setup" in said
    with Elasticsearch(node_url) as es:
        assert not es.indices.exists(index=ours)
        asked = cli("attach", "--setup", cwd=labelled, code=2).stderr
        assert f"Create the index {ours}?" in asked
        assert "error: nobody has answered\n  say --yes with --setup" in asked
        assert not es.indices.exists(index=ours)
        try:
            assert answer("attach", "--setup", "--yes", cwd=labelled)["created"] == [ours]
            assert answer("attach", "--setup", "--yes", cwd=labelled)["created"] == []
            answer("compare", "bm25", "fields", "recent", "--publish", cwd=labelled)
            es.indices.refresh(index=ours)
            rows = [h["_source"] for h in es.search(index=ours)["hits"]["hits"]]
        finally:
            es.indices.delete(index=ours, ignore_unavailable=True)
    assert sorted(row["ranker"] for row in rows) == ["fields", "recent"]


def test_load_makes_an_index_once(
    answer: Answer, complaint: Complaint, project: Path, node_url: str
) -> None:
    words = ("load", "corpus.jsonl", "--index", "loaded", "--mapping", "index.json")
    with Elasticsearch(node_url) as es:
        try:
            assert answer(*words, cwd=project)["documents"] == 60
            said = complaint(*words, cwd=project)
            assert "the index loaded exists" in said
            assert "--replace" in said
            assert answer(*words, "--replace", cwd=project)["documents"] == 60
            assert es.count(index="loaded")["count"] == 60
        finally:
            es.indices.delete(index="loaded", ignore_unavailable=True)


def test_load_asks_before_it_deletes_an_index_of_another_deployment(
    console_script: Path, cli: Cli, answer: Answer, tmp_path: Path, node_url: str
) -> None:
    (tmp_path / "far.toml").write_text(f"[elasticsearch]\nurl = '{node_url}'\nindex = 'far'\n")
    (tmp_path / "one.jsonl").write_text('{"id": "a", "title": "vpn"}\n')
    words = ("load", "one.jsonl", "-c", "far.toml", "--replace")
    with Elasticsearch(node_url) as es:
        try:
            es.index(index="far", id="precious", document={}, refresh=True)
            asked = cli(*words, cwd=tmp_path, code=2).stderr
            assert "Delete the index far and all that it holds?" in asked
            assert "error: nobody has answered\n  say --yes with --replace" in asked
            declined = subprocess.run(
                [console_script, *words], cwd=tmp_path, input=b"n\n", capture_output=True
            )
            assert declined.returncode == 2
            assert b"error: the index far is kept, and nothing was loaded" in declined.stderr
            assert es.exists(index="far", id="precious")
            assert answer(*words, "--yes", cwd=tmp_path)["documents"] == 1
            assert not es.exists(index="far", id="precious")
            es.indices.delete(index="far")
            assert answer(*words, cwd=tmp_path)["documents"] == 1  # nothing to lose
        finally:
            es.indices.delete(index="far", ignore_unavailable=True)


def test_load_looks_at_every_line_before_it_sends_one(
    complaint: Complaint, project: Path, node_url: str
) -> None:
    lines = (project / "corpus.jsonl").read_text().splitlines()
    lines[30] = lines[30][:-20]
    (project / "broken.jsonl").write_text("\n".join(lines))
    said = complaint("load", "broken.jsonl", "--index", "never-made", cwd=project)
    assert said.startswith("error: broken.jsonl:31: not JSON")
    with Elasticsearch(node_url) as es:
        assert not es.indices.exists(index="never-made")


def test_pull_writes_runs_and_documents_that_others_read(answer: Answer, pulled: Path) -> None:
    folder = pulled / "pulled"
    documents = rows_of(folder / "documents.jsonl")
    known = {document["id"] for document in documents}
    runs = {
        name: list(ir_measures.read_trec_run(str(folder / f"{name}.run")))
        for name in ("bm25", "fields", "recent")
    }
    assert {row.doc_id for run in runs.values() for row in run} == known
    for run in runs.values():
        assert len({row.query_id for row in run}) == 12
        assert 60 < len(run) <= 120
    assert all(document["body"] and document["title"] for document in documents)
    summary = answer("pull", "bm25", "--out", "again", cwd=pulled)
    assert summary["notices"] == []
    assert summary["queries"] == 12
    assert summary["rankers"] == [
        {"name": "bm25", "hits": len(runs["bm25"]), "empty": [], "problems": {}}
    ]
    assert (pulled / "again" / "bm25.run").read_bytes() == (folder / "bm25.run").read_bytes()


def test_a_pull_without_a_folder_gets_a_new_one(answer: Answer, pulled: Path) -> None:
    """It holds what a run file has no place for, too."""
    folders = [Path(answer("pull", "bm25", cwd=pulled)["folder"]) for _ in range(2)]
    assert folders[0] != folders[1]
    for folder in folders:
        assert folder.parent == pulled / ".relevance-eval" / "runs"
        rows = rows_of(folder / "results.jsonl")
        assert len(rows) == 12
        assert all(list(row) == ["query", "ranker", "took", "problem"] for row in rows)
        assert {(row["ranker"], row["problem"]) for row in rows} == {("bm25", None)}
        assert all(row["took"] >= 0 for row in rows)


def test_a_comparison_of_three_rankers(answer: Answer, labelled: Path) -> None:
    found = answer("compare", "bm25", "fields", "recent", cwd=labelled)
    assert (found["baseline"], found["queries"], found["depth"]) == ("bm25", 12, 10)
    assert [c["ranker"] for c in found["comparisons"]] == ["fields", "recent"]
    assert {c["verdict"] for c in found["comparisons"]} <= {
        "better", "worse", "equivalent", "inconclusive"
    }  # fmt: skip
    for contrast in found["comparisons"]:
        primary = contrast["differences"]["EnDCG@10"]
        assert primary["wins"] + primary["ties"] + primary["losses"] == 12
        assert primary["p_corrected"] >= primary["p_sign_flip"]
        assert primary["low"] <= primary["mean"] <= primary["high"]
    assert all(r["took_ms"]["p95"] >= r["took_ms"]["p50"] > 0 for r in found["rankers"])
    assert found["labels"]["bought"] == 0


def test_the_table_says_which_is_better_and_what_it_cost(cli: Cli, labelled: Path) -> None:
    out = cli("compare", "bm25", "fields", cwd=labelled).stdout
    assert "fields" in out.splitlines()[0]
    assert "bm25" in out.splitlines()[0]
    for words in ("95 % interval", "p = ", "12 queries:", " reused, 0 bought", "everything is in"):
        assert words in out


def test_run_files_give_the_numbers_of_the_live_comparison(answer: Answer, pulled: Path) -> None:
    live = answer("compare", "bm25", "fields", "recent", cwd=pulled)
    runs = [f"pulled/{name}.run" for name in ("bm25", "fields", "recent")]
    absent = "[elasticsearch]\nurl = 'http://127.0.0.1:9'\n"
    (pulled / "offline.toml").write_text(absent)
    offline = answer("compare", *runs, *OFFLINE, "-c", "offline.toml", cwd=pulled)
    assert numbers(offline) == numbers(live)
    assert offline["comparisons"] == live["comparisons"]
    assert offline["labels"]["bought"] == 0


def test_run_files_take_their_documents_from_the_index_without_a_corpus(
    answer: Answer, pulled: Path
) -> None:
    mixed = answer("compare", "bm25", "pulled/fields.run", cwd=pulled)
    live = answer("compare", "bm25", "fields", cwd=pulled)
    assert numbers(mixed) == numbers(live)
    assert mixed["labels"]["bought"] == 0


def test_peoples_grades_win(answer: Answer, labelled: Path, tmp_path: Path) -> None:
    project = tmp_path / "graded"
    shutil.copytree(labelled, project, symlinks=True)
    before = answer("compare", "bm25", "fields", cwd=project)
    after = answer("compare", "bm25", "fields", "--qrels", "qrels.txt", cwd=project)
    assert after["labels"]["by_people"] > 40
    assert after["labels"]["bought"] == before["labels"]["bought"] == 0
    assert after["rankers"][0]["measures"]["RR"]["mean"] > 0.3
    assert numbers(after) != numbers(before)


def test_agreement_with_the_authors_of_the_collection(answer: Answer, project: Path) -> None:
    found = answer("agreement", "qrels.txt", cwd=project)
    assert found["queries"] == 12
    assert found["unknown_pairs"] == 0
    assert sum(sum(row) for row in found["confusion"]) == found["pairs"]
    assert 0.5 < found["pairwise_accuracy"]["mean"] <= 1


def test_vectors_and_their_fusion(answer: Answer, project: Path) -> None:
    found = answer("compare", "bm25", "vector", "hybrid", "-c", "vectors.toml", cwd=project)
    assert [r["name"] for r in found["rankers"]] == ["bm25", "vector", "hybrid"]
    assert all(not r["empty"] and not r["problems"] for r in found["rankers"])
    for ranker in found["rankers"]:
        assert ranker["measures"]["EnDCG@10"]["mean"] > 0.5
    again = answer("compare", "vector", "hybrid", "-c", "vectors.toml", cwd=project)["labels"]
    assert again["bought"] == 0


def test_a_changed_document_buys_only_its_own_pairs(
    answer: Answer, pulled: Path, tmp_path: Path
) -> None:
    project = tmp_path / "changed"
    shutil.copytree(pulled, project, symlinks=True)
    text = (project / "relevance-eval.toml").read_text()
    (project / "relevance-eval.toml").write_text(text.replace('"small"', '"changed"'))
    before = answer("compare", "bm25", "fields", cwd=project)["labels"]
    assert before["bought"] == 0
    run = [line.split() for line in (pulled / "pulled" / "bm25.run").read_text().splitlines()]
    changed = run[0][2]
    rows = rows_of(project / "corpus.jsonl")
    for row in rows:
        if row["id"] == changed:
            row["author"] = "Somebody Else"  # bm25 does not look at it: its run stays the same
    (project / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    after = answer("label", "bm25", cwd=project)
    assert after["bought"] == sum(columns[2] == changed for columns in run)
    assert after["needed"] == len(run)


def test_init_then_attach(cli: Cli, answer: Answer, project: Path, node_url: str) -> None:
    folder = project / "begun"
    cli("init", "begun", cwd=project)
    path = folder / "relevance-eval.toml"
    text = path.read_text().replace('url = "embedded"', f'url = "{node_url}"')
    path.write_text(text.replace('index = "documents"', 'index = "small"'))
    rankers = answer("attach", cwd=folder)["rankers"]
    assert {name: r["works"] for name, r in rankers.items()} == {"body": True, "title": True}
    (folder / "asked.txt").write_text("vpn setup\npassword policy\n")
    assert answer("queries", "import", "asked.txt", cwd=folder)["queries"] == 2
    assert answer("compare", "title", "body", cwd=folder)["queries"] == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('index = "small"', 'index = "no-such-index"'), ["no such index [no-such-index]", "load"]),
        (("rankers/bm25.json", "rankers/unknown.json"), ["unknown.json: there is no such templat"]),
        (("rankers/bm25.json", "rankers/wrong.json"), ["ranker bm25", "mach_all", "mend its"]),
    ],
)
def test_what_the_server_does_not_know(
    complaint: Complaint, project: Path, change: tuple[str, str], said: list[str]
) -> None:
    text = (project / "relevance-eval.toml").read_text()
    text = text.replace('[load]\ndocuments = "corpus.jsonl"\nmapping = "index.json"\n', "")
    (project / "rankers" / "wrong.json").write_text('{"query": {"mach_all": {}}}')
    (project / "changed.toml").write_text(text.replace(*change))
    message = complaint("pull", "bm25", "fields", "-c", "changed.toml", cwd=project)
    for words in said:
        assert words in message
