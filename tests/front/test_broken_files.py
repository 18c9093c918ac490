"""Files that cannot be used as they are: one message with the line and what to do, and exit 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Complaint = Callable[..., str]


def replace_line(path: Path, number: int, line: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "number", "line", "said"),
    [
        ("corpus.jsonl", 2, '{"id": "vpn-old", "body": ', ["not JSON", "mend or remove this"]),
        ("corpus.jsonl", 3, '["leave"]', ["a JSON object is needed, not list"]),
        ("corpus.jsonl", 2, '{"title": "x"}', ["the field 'id' is missing"]),
        ("corpus.jsonl", 3, '{"id": "vpn", "body": "x"}', ["the document id 'vpn' is used twice"]),
        ("queries.jsonl", 2, '{"id": "q2", "text": vpn}', ["not JSON", "mend or remove this"]),
        ("queries.jsonl", 2, '{"id": "q2"}', ["the field 'text' is missing"]),
        ("queries.jsonl", 2, '{"id": "q2", "text": "  "}', ["'q2' is empty", "remove this line"]),
        ("queries.jsonl", 2, '{"id": "q1", "text": "x"}', ["'q1' is used twice", "its own id"]),
        ("queries.jsonl", 2, '{"id": "q 2", "text": "x"}', ["holds white space", "rename it"]),
        (
            "queries.jsonl",
            2,
            json.dumps({"id": "q2", "text": "x" * 100_000}),
            ["has 100,000 characters; 4,096 is the limit", "shorten or remove it"],
        ),
        ("a.run", 2, "q1 Q0 vpn 1 1.0", ["5 columns where 6", "query Q0 document rank score tag"]),
        ("a.run", 3, "q2 Q0 menu 1 high a", ["the score 'high' is not a number"]),
        ("b.run", 2, "q1 Q0 vpn 2 1.0 b", ["'vpn' is ranked twice for query 'q1'"]),
        ("qrels.txt", 3, "q2 0 leave", ["3 columns where 4", "query 0 document grade"]),
        ("qrels.txt", 2, "q1 0 vpn-old 7", ["the grade 7 is outside the scale 0 to 3", "map the"]),
        ("qrels.txt", 2, "q1 0 vpn-old good", ["the grade 'good' is not a whole number"]),
        (
            "qrels.txt",
            2,
            "q1 0 vpn 1",
            ["'vpn' has two grades for query 'q1', 3 and 1", "keep one"],
        ),
    ],
)
def test_a_broken_line(
    complaint: Complaint,
    folder: Path,
    compare_words: tuple[str, ...],
    file: str,
    number: int,
    line: str,
    said: list[str],
) -> None:
    replace_line(folder / file, number, line)
    message = complaint(*compare_words, "--qrels", "qrels.txt", cwd=folder)
    assert message.startswith(f"error: {file}:{number}: ")
    for words in said:
        assert words in message
    assert not (folder / ".relevance-eval" / "results").exists()


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels.txt"])
def test_a_file_that_is_not_there(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...], file: str
) -> None:
    (folder / file).unlink()
    message = complaint(*compare_words, "--qrels", "qrels.txt", cwd=folder)
    assert message == f"error: {file}: there is no such file\n"


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "a.run", "qrels.txt"])
def test_a_file_that_is_not_text(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...], file: str
) -> None:
    (folder / file).write_bytes(b"\xff\xfe\x00\n")
    message = complaint(*compare_words, "--qrels", "qrels.txt", cwd=folder)
    assert message.startswith(f"error: {file}")
    assert "not" in message
    assert "UTF-8" in message


@pytest.mark.parametrize(
    ("file", "said"),
    [("queries.jsonl", "the file holds no queries"), ("a.run", "the run holds no hits")],
)
def test_an_empty_file(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...], file: str, said: str
) -> None:
    (folder / file).write_text("\n")
    assert f"error: {file}: {said}" in complaint(*compare_words, cwd=folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "a.run", "c.run"), ["c.run: there is no such run file"]),
        (
            ("compare", "a.run", "bm25"),
            ["no ranker and no run file 'bm25'", "no ranker is configured"],
        ),
        (("compare", "a.run"), ["two rankers or more are needed, the baseline first"]),
        (("compare", "a.run", "a.run"), ["two rankers have one name: a, a", "name each once"]),
        (("label", "a.run", "--labeler", "nobody"), ["there is no labeler 'nobody'", "'builtin'"]),
    ],
)
def test_rankers_and_labelers_that_are_none(
    complaint: Complaint, folder: Path, words: tuple[str, ...], said: list[str]
) -> None:
    files = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")
    message = complaint(*words, *files, cwd=folder)
    for part in said:
        assert part in message


def test_a_run_of_another_query_set(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    (folder / "b.run").write_text("other Q0 vpn 1 1.0 b\n")
    message = complaint(*compare_words, cwd=folder)
    assert message.startswith("error: b.run: the run knows none of the queries\n")
    assert "--queries FILE" in message


def test_qrels_of_another_collection(complaint: Complaint, folder: Path) -> None:
    (folder / "other.txt").write_text("q9 0 vpn 3\n")
    files = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")
    message = complaint("agreement", "other.txt", *files, cwd=folder)
    assert message.startswith("error: people and the labeler graded no pair in common\n")
    assert "the qrels, the queries and the corpus belong together" in message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("q.xlsx", "x", ["q.xlsx: cannot tell the format from the ending '.xlsx'", "use one of"]),
        ("q.tsv", "q1\tvpn\nno tab\n", ["q.tsv:2: there is no tab between id and text"]),
        ("q.csv", "id,words\n1,vpn\n", ["q.csv:1: no column is named text or query"]),
        ("q.jsonl", '{"text": "vpn"}\n{"text": [3]}\n', ["q.jsonl:2: the field 'text' is list"]),
        ("q.txt", "\n \n", ["q.txt: holds no queries"]),
        ("q.txt", "vpn\n" + "x" * 100_000, ["q.txt:2: query 'q2' has 100,000 characters"]),
    ],
)
def test_queries_that_cannot_be_imported(
    complaint: Complaint, tmp_path: Path, name: str, content: str, said: list[str]
) -> None:
    (tmp_path / name).write_text(content)
    message = complaint("queries", "import", name, cwd=tmp_path)
    for part in said:
        assert part in message
    assert not (tmp_path / "queries.jsonl").exists()


def test_half_a_character_in_a_query_is_refused(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    """JSON can name half of a surrogate pair, which no file in UTF-8 can hold."""
    replace_line(folder / "queries.jsonl", 2, '{"id": "q2", "text": "leave \\ud83d"}')
    assert complaint(*compare_words, cwd=folder).startswith("error: queries.jsonl:2: ")
