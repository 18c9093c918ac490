"""The page of a saved comparison: complete, by itself, and safe whatever a text holds."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.changed import changes_between
from relevance_eval.cli.compare import compare
from relevance_eval.errors import InputError, StorageError
from relevance_eval.figures import Estimate, bars, forest
from relevance_eval.report import report_html
from relevance_eval.saved import newest, read_saved

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
EVIL = "</td><script>alert(1)</script> <img src=http://x.example/y> \u202eabc\x07"
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """What stands in a page; tags that are closed by another one are noted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.broken: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def compared(
    folder: Path, compare_words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Compares by people's grades, in this process; returns the result folder."""

    def run(*runs: str) -> Path:
        monkeypatch.chdir(folder)
        words = [*(runs or compare_words[1:3]), *compare_words[3:], "--qrels", "qrels.txt"]
        done = CliRunner().invoke(compare, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return newest(folder / ".relevance-eval" / "results")

    return run


@pytest.fixture
def saved(compared: Callable[..., Path]) -> Path:
    """The result folder of a.run and b.run."""
    return compared()


def page_of(folder: Path) -> Page:
    return Page(report_html(read_saved(folder)))


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


# what is on it


def test_the_newest_comparison_becomes_a_page_in_its_folder(
    cli: Cli, folder: Path, saved: Path
) -> None:
    done = cli("report", cwd=folder)
    assert done.stdout == f"the page is {saved / 'report.html'}\n"
    assert (saved / "report.html").read_text() == report_html(read_saved(saved))


def test_a_page_can_be_written_elsewhere(answer: Answer, folder: Path, saved: Path) -> None:
    found = answer("report", saved, "--out", "page.html", cwd=folder)
    assert found == {"folder": str(saved), "page": "page.html", "changes": None}
    assert (folder / "page.html").read_text() == report_html(read_saved(saved))
    assert not (saved / "report.html").exists()


def test_the_page_asks_for_nothing_and_runs_nothing(saved: Path) -> None:
    page = page_of(saved)
    assert (page.addresses, page.broken, page.open) == ([], [], [])
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    text = report_html(read_saved(saved))
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|https?:", text)


def test_the_page_says_verdict_numbers_lists_and_limits(saved: Path) -> None:
    text = page_of(saved).text
    assert "Not enough evidence that b differs from a" in text
    contrast = json.loads((saved / "comparison.json").read_text())["result"]["comparisons"][0]
    primary = contrast["differences"]["EnDCG@10"]
    assert f"EnDCG@10 {primary['mean']:+.4f}" in text
    assert f"p = {primary['p_corrected']:.4f} (" in text
    assert " s, labelling 0." in text
    assert "2 queries: 2 better, 0 the same, 0 worse." in text
    assert "1 3 VPN setup vpn up 1 2 1 VPN setup, 2019 vpn-old down 1" in text
    assert "4 labels to depth 10 by builtin-minilm-1: 0 bought, 4 reused (4 of people)" in text
    assert "The interval covers the choice of queries, not labels that are wrong" in text
    assert "ranker a" in text


def test_a_verdict_that_the_labelers_doubt_could_undo_is_told(saved: Path) -> None:
    assert "could undo it" not in page_of(saved).text
    rewrite(
        saved / "comparison.json", lambda a: a["result"]["comparisons"][0].update(in_doubt=True)
    )
    assert "The labeler's own doubt could undo it: with that" in page_of(saved).text


def test_a_document_that_left_or_came_is_said_to(
    compared: Callable[..., Path], folder: Path
) -> None:
    (folder / "few.run").write_text("q1 Q0 vpn 1 2 few\nq2 Q0 leave 1 2 few\n")
    left = page_of(compared("a.run", "few.run")).text
    assert "1 1 VPN setup, 2019 vpn-old gone 2 3 VPN setup vpn up 1" in left
    came = page_of(compared("few.run", "a.run")).text
    assert "1 1 VPN setup, 2019 vpn-old new 2 3 VPN setup vpn down 1" in came


def test_the_gates_checks_are_on_the_page(
    cli: Cli, folder: Path, compare_words: tuple[str, ...]
) -> None:
    words = ("gate", *compare_words[1:], "--qrels", "qrels.txt", "--zero-results", "0.5")
    cli(*words, cwd=folder, code=3)
    text = page_of(newest(folder / ".relevance-eval" / "results")).text
    assert "Gate: inconclusive" in text
    assert "queries without hits 50 % at most b passed 0 of 2 queries have none" in text


def test_against_an_older_comparison_the_page_says_what_changed(
    cli: Cli, answer: Answer, folder: Path, saved: Path, compared: Callable[..., Path]
) -> None:
    (folder / "b.run").write_text((folder / "a.run").read_text())
    page = compared() / "report.html"
    done = cli("report", "--against", saved, cwd=folder)
    assert "ranker b: changed (other hits for 2 queries)\n" in done.stdout
    assert "Only rankers changed: what differs comes from them.\n" in done.stdout
    text = Page(page.read_text()).text
    assert f"Against {saved.name}" in text
    assert "ranker b changed other hits for 2 queries" in text
    found = answer("report", "--against", saved, cwd=folder)["changes"]
    states = {aspect["name"]: aspect["state"] for aspect in found["aspects"]}
    assert (states["ranker b"], states["queries"]) == ("changed", "same")


def test_what_may_be_put_side_by_side_is_said_in_full(
    cli: Cli, folder: Path, saved: Path, compared: Callable[..., Path]
) -> None:
    (folder / "none.run").write_text("q1 Q0 menu 1 2 none\nq2 Q0 menu 1 2 none\n")
    page = compared("a.run", "none.run") / "report.html"
    cli("report", "--against", saved, cwd=folder)
    changes = changes_between(read_saved(saved), read_saved(page.parent))
    line = next(x for x in changes.conclusion if x.startswith("Other documents were found"))
    assert len(line) > 160
    assert line in Page(page.read_text()).text


def test_means_over_other_queries_are_not_comparable(
    folder: Path, saved: Path, compared: Callable[..., Path]
) -> None:
    (folder / "none.run").write_text("q1 Q0 menu 1 2 none\nq2 Q0 menu 1 2 none\n")
    new = compared("a.run", "none.run")
    rewrite(
        new / "comparison.json",
        lambda found: [r["per_query"]["RR"].pop("q2") for r in found["result"]["rankers"]],
    )
    changes = changes_between(read_saved(saved), read_saved(new))
    comparable = {p.measure: p.comparable for p in changes.pairings}
    assert (comparable["RR"], comparable["P@5"], comparable["EnDCG@10"]) == (False, True, False)
    text = " ".join(changes.conclusion)
    assert "means of RR are over other queries" in text
    assert "the ideal of EnDCG@10 and nDCG@10 is another" in text
    assert "may be put side by side" not in text


def test_the_same_folder_gives_the_same_bytes(cli: Cli, folder: Path, saved: Path) -> None:
    pages: list[bytes] = []
    for _ in range(2):
        cli("report", cwd=folder)
        pages.append((saved / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_one_query_without_an_interval_has_a_page(
    compared: Callable[..., Path], folder: Path
) -> None:
    (folder / "queries.jsonl").write_text('{"id": "q1", "text": "vpn setup"}\n')
    text = page_of(compared()).text
    assert "1 queries: 1 better, 0 the same, 0 worse." in text
    assert "None" not in text


def test_several_rankers_have_a_part_each(compared: Callable[..., Path], folder: Path) -> None:
    (folder / "c.run").write_text((folder / "b.run").read_text())
    page = page_of(compared("a.run", "b.run", "c.run"))
    assert "b against a" in page.text
    assert "c against a" in page.text
    assert "(permutation, MaxT)" in page.text


def test_texts_of_others_are_only_text(saved: Path) -> None:
    queries, documents = saved / "queries.jsonl", saved / "documents.jsonl"
    for path, key in ((queries, "text"), (documents, "title")):
        rows = [json.loads(line) | {key: EVIL * 5} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def change(found: dict[str, Any]) -> None:
        result = found["result"]
        result["labeler"]["name"] = EVIL
        result["rankers"][0]["problems"] = {"q1": EVIL}
        for query in result["comparisons"][0]["changed_most"]:
            query["text"] = EVIL * 1000

    rewrite(saved / "comparison.json", change)
    page = page_of(saved)
    assert (page.addresses, page.broken, page.open) == ([], [], [])
    assert "script" not in page.tags
    assert "</td><script>alert(1)</script>" in page.text
    assert not set("\u202e\x07") & set(page.text)


def test_a_page_of_150_queries_stays_below_a_megabyte(saved: Path) -> None:
    def change(found: dict[str, Any]) -> None:
        result = found["result"]
        for ranker in result["rankers"]:
            ranker["per_query"]["EnDCG@10"] = {f"q{i}": i / 150 for i in range(150)}

    rows = ({"id": f"q{i}", "text": "x" * 4096} for i in range(150))
    (saved / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rewrite(saved / "comparison.json", change)
    text = report_html(read_saved(saved))
    assert text.count('<th scope="row">q149</th>') == 1
    assert len(text.encode()) < 1_000_000


# bad input


def test_without_documents_the_lists_show_ids(saved: Path) -> None:
    (saved / "documents.jsonl").unlink()
    text = page_of(saved).text
    assert "The folder holds no documents: the lists show ids." in text
    assert "1 3 vpn up 1" in text


def test_a_folder_without_a_comparison(complaint: Complaint, folder: Path) -> None:
    message = complaint("report", ".", cwd=folder)
    assert message.startswith("error: .: not the folder of a comparison: there is no comparison.")
    assert "name a folder below .relevance-eval/results" in message


def test_no_comparison_yet(complaint: Complaint, folder: Path) -> None:
    message = complaint("report", cwd=folder)
    assert ": there is no saved comparison yet\n" in message
    assert "run relevance-eval compare first" in message


@pytest.mark.parametrize("word", ["a.run", "nowhere"])
def test_what_is_not_a_folder(cli: Cli, folder: Path, word: str) -> None:
    done = cli("report", word, cwd=folder, code=2)
    assert word in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "the file is damaged: not JSON: "),
        ("", "the file is damaged: not JSON: "),
        ("[1]", "the file is damaged: not a JSON object"),
        ("[" * 100_000, "the file is damaged: not JSON"),
        ("{}", "not a comparison: its schema is None"),
        ('{"schema": "x"}', "not a comparison: its schema is None"),
        ('{"schema": {"name": "relevance-eval/pull", "version": 1}}', "'relevance-eval/pull'"),
        (
            '{"schema": {"name": "relevance-eval/compare", "version": 2}}',
            "written in version 2 of the schema, and this version reads 1",
        ),
        (
            '{"schema": {"name": "relevance-eval/compare", "version": 1}}',
            "the file is damaged: command: Field required",
        ),
    ],
)
def test_a_comparison_that_cannot_be_read(saved: Path, text: str, says: str) -> None:
    (saved / "comparison.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_saved(saved)
    assert says in caught.value.message
    assert caught.value.where == str(saved / "comparison.json")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.pop("plan"), "result.plan: Field required"),
        (lambda r: r.update(rankers=[]), "result.rankers: List should have at least 2 items"),
        (lambda r: r["plan"].update(primary="RR@9"), "a has no RR@9"),
        (lambda r: r["comparisons"][0].update(ranker="z"), "z or a is no ranker of it"),
        (lambda r: r["comparisons"][0].update(verdict="great"), "result.comparisons.0.verdict"),
        (lambda r: r["comparisons"][0]["differences"].pop("EnDCG@10"), "no difference of EnDCG@10"),
    ],
)
def test_a_comparison_that_lacks_a_part(
    saved: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    rewrite(saved / "comparison.json", lambda found: change(found["result"]))
    with pytest.raises(InputError) as caught:
        read_saved(saved)
    assert says in caught.value.message


@pytest.mark.parametrize("name", ["queries.jsonl", "judgments.jsonl", "a.run"])
def test_a_folder_that_lacks_a_file(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(InputError, match="there is no such file") as caught:
        read_saved(saved)
    assert caught.value.where == str(saved / name)


def test_a_judgment_that_is_none(saved: Path) -> None:
    (saved / "judgments.jsonl").write_text('{"query": "q1", "document": "vpn"}\n')
    with pytest.raises(InputError, match="probabilities: Field required") as caught:
        read_saved(saved)
    assert caught.value.where == f"{saved / 'judgments.jsonl'}:1"


def test_a_ranker_that_found_nothing_has_an_empty_list(saved: Path) -> None:
    (saved / "b.run").write_text("")
    assert "no hits" in page_of(saved).text


def test_a_page_that_cannot_be_written(complaint: Complaint, folder: Path, saved: Path) -> None:
    code = StorageError.exit_code
    assert "no/page.html" in complaint("report", "--out", "no/page.html", cwd=folder, code=code)


# drawings


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=40),
    st.floats(0, 0.5),
)
def test_everything_drawn_lies_inside_the_drawing(means: list[float], margin: float) -> None:
    found = forest([Estimate("x", m, m - 0.1, m + 0.1, "better") for m in means], margin)
    places = [x for row in found.rows for x in (row.low, row.mean, row.high)]
    places += [found.zero, *(found.margin or ()), *(tick.at for tick in found.ticks)]
    assert all(0 <= x <= found.width for x in places)
    assert all(row.low <= row.mean <= row.high for row in found.rows)
    assert all(0 < row.y < found.height for row in found.rows)
    assert 2 <= len(found.ticks) <= 14


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=400))
def test_every_difference_has_a_bar_on_its_side(differences: list[float]) -> None:
    found = bars(differences)
    assert found.gains.count("M") == sum(d > 0 for d in differences)
    assert found.losses.count("M") == sum(d < 0 for d in differences)
    heights = [float(y) for y in re.findall(r"V([\d.e+-]+)h", found.gains + found.losses)]
    assert all(0 <= y <= found.height for y in heights)
    starts = [float(x) for x in re.findall(r"M([\d.e+-]+) ", found.gains + found.losses)]
    assert all(found.left <= x <= found.width for x in starts)


def test_no_difference_at_all_can_be_drawn() -> None:
    assert bars([0.0, 0.0]).gains == ""
    assert forest([Estimate("x", 0.0, None, None, "inconclusive")], 0.0).margin is None
