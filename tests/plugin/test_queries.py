"""Query sets out of other people's files, whole or with a message that names the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import InputError, StorageError
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.queries import import_queries

Complains = Callable[..., Any]
File = Callable[[str, str | bytes], Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.jsonl", '{"id": "a", "text": "vpn setup"}\n{"id": "b", "query": "leave"}\n'),
        ("q.JSONL", '\ufeff{"id": "a", "text": "vpn  setup "}\n\n{"id": "b", "text": "leave"}'),
        ("q.tsv", "a\tvpn setup\nb\tleave\n"),
        ("q.tsv", "a\tvpn setup\t\r\n\r\nb\tleave\r\n"),
        ("q.tsv", "id\ttext\na\tvpn setup\nb\tleave\n"),
        ("q.tsv", "\ufeffID\tQuery\r\na\tvpn setup\r\nb\tleave\r\n"),
        ("q.tsv", "query_id\ttext\na\tvpn setup\nb\tleave\n"),
        ("q.tsv", "qid\tquery\na\tvpn setup\nb\tleave\n"),
        ("q.csv", "id,text\na,vpn setup\nb,leave\n"),
        ("q.csv", "ID ,Text\na,vpn setup\nb,leave\n"),
        ("q.csv", '\ufeffQuery,id\r\n"vpn\nsetup",a\r\nleave,b\r\n'),
        ("q.csv", "query_id,text,\na,vpn setup,\nb,leave,,\n"),
        ("q.jsonl", '{"_id": "a", "text": "vpn setup"}\n{"qid": "b", "text": "leave", "id": null}'),
    ],
)
def test_every_format_with_ids(file: File, name: str, content: str) -> None:
    found = import_queries(str(file(name, content)))
    assert found.queries == [Query("a", "vpn setup"), Query("b", "leave")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.txt", "vpn setup\n\nleave"),
        ("q.jsonl", '{"text": "vpn setup"}\n{"text": " "}\n{"text": "leave", "id": null}'),
        ("q.csv", 'text\nvpn setup\n""\nleave'),
        ("q.tsv", "\tvpn setup\nx\t\n\tleave"),
    ],
)
def test_ids_are_made_of_the_row_where_a_file_has_none(file: File, name: str, content: str) -> None:
    found = import_queries(str(file(name, content)))
    assert [(q.id, q.text) for q in found.queries] == [("q1", "vpn setup"), ("q3", "leave")]
    assert (found.empty, found.repeated) == (1, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.jsonl", '{"id": 1, "text": "vpn", "band": "head", "n": 3, "x": null, "y": [1]}'),
        ("q.csv", "id,band,text,n,x,y\n1,head,vpn,3,,\n"),
        ("q.csv", "ID,band,text,n,id\n1,head,vpn,3,2\n"),
        ("q.csv", "id,band,query,n,text,Text\n1,head,vpn,3,other,another\n"),
        ("q.jsonl", '{"id": 1, "text": "vpn", "query": "x", "Text": "y", "band": "head", "n": 3}'),
    ],
)
def test_further_columns_become_tags(file: File, name: str, content: str) -> None:
    (query,) = import_queries(str(file(name, content))).queries
    assert query == Query("1", "vpn", {"band": "head", "n": "3"})


def test_a_query_that_is_named_like_a_column_stands_below_the_first_row(file: File) -> None:
    found = import_queries(str(file("q.tsv", "a\tvpn\nid\ttext\n")))
    assert found.queries == [Query("a", "vpn"), Query("id", "text")]


def test_texts_that_differ_in_case_and_spaces_are_one(file: File) -> None:
    found = import_queries(str(file("q.txt", "VPN setup\nvpn  Setup\nStraße\nSTRASSE\nvpn\n")))
    assert [q.text for q in found.queries] == ["VPN setup", "Straße", "vpn"]
    assert (found.repeated, found.empty) == (2, 0)


def test_quotes_and_commas_in_csv(file: File) -> None:
    path = file("q.csv", 'text\n"say ""hi"", then \\go"\n')
    assert import_queries(str(path)).queries[0].text == 'say "hi", then \\go'


@pytest.mark.parametrize(
    ("name", "content", "line", "says"),
    [
        ("q.jsonl", '{"text": "a"}\n{"txt": "b"}', 2, "the field 'text' is missing"),
        ("q.jsonl", '{"text": true}', 1, "the field 'text' is bool, not text"),
        ("q.jsonl", '{"query": ["a"]}', 1, "the field 'query' is list, not text"),
        ("q.tsv", "a\tb\nno tab here\n", 2, "no tab between id and text"),
        ("q.csv", "id,txt\n1,a\n", 1, "no column is named text or query"),
        ("q.csv", "", 1, "no column is named text or query"),
    ],
)
def test_what_is_missing_is_named_with_its_line(
    file: File, complains: Complains, name: str, content: str, line: int, says: str
) -> None:
    path = file(name, content)
    with complains(InputError, says, code=2, where=f"{path}:{line}"):
        import_queries(str(path))


@pytest.mark.parametrize(
    ("name", "content", "line", "says", "remedy"),
    [
        ("q.jsonl", '{"text": "\\ud83d"}', 1, "'text' holds half a character", "write it whole"),
        ("q.jsonl", '{"text": "a"}\n{"text": "b\n', 2, "not JSON", "mend or remove"),
        ("q.txt", "a\n" + "x" * 100_000, 2, "'q2' has 100,000 characters; 4,096", "shorten"),
        ("q.tsv", "a\tvpn\na\tleave", 2, "the query id 'a' is used twice", "its own id"),
        ("q.tsv", "id\ttext\tcount\na\tvpn\t3", 1, "there are 3 columns", "keep two columns"),
        ("q.tsv", "a\tvpn\nb\tleave\t3\t4", 2, "there are 4 columns", "keep two columns"),
        ("q.csv", 'text\nfine\n"' + "x" * 200_000 + '"\n', 3, "not CSV: field larger", "double"),
        ("q.csv", 'text,n\n"vpn,1\nleave,2\n', 3, "not CSV: unexpected end of data", "in quotes"),
        ("q.csv", 'text\n"vpn" setup\n', 2, "not CSV: ',' expected after '\"'", "in quotes"),
        ("q.csv", "text\nfine\nvpn, then mail\n", 3, "more cells than the first row has", "comma"),
        ("q.tsv", "my id\tvpn", 1, "the query id 'my id' is empty or holds white", "rename"),
    ],
)
def test_what_cannot_be_evaluated_is_named_with_its_line(
    file: File, complains: Complains, name: str, content: str, line: int, says: str, remedy: str
) -> None:
    path = file(name, content)
    with complains(InputError, says, code=2, where=f"{path}:{line}", remedy=remedy):
        import_queries(str(path))


@pytest.mark.parametrize("name", ["q.txt", "q.tsv", "q.jsonl"])
@pytest.mark.parametrize("content", ["", "\n \n\t\n"])
def test_nothing_but_empty_rows(file: File, complains: Complains, name: str, content: str) -> None:
    path = file(name, content)
    with complains(InputError, "holds no queries", code=2, where=str(path)):
        import_queries(str(path))


@pytest.mark.parametrize("name", ["q.parquet", "q", "q.json"])
def test_an_ending_that_is_not_known(complains: Complains, name: str) -> None:
    remedy = "use one of .jsonl, .tsv, .csv, .txt, or irds:NAME"
    with complains(InputError, "cannot tell the format", code=2, where=name, remedy=remedy):
        import_queries(name)


@pytest.mark.parametrize("ending", ["jsonl", "tsv", "csv", "txt"])
def test_a_file_that_is_missing(tmp_path: Path, complains: Complains, ending: str) -> None:
    path = tmp_path / f"none.{ending}"
    with complains(InputError, "there is no such file", code=2, where=str(path)):
        import_queries(str(path))


@pytest.mark.parametrize("ending", ["tsv", "csv", "txt"])
def test_a_file_that_is_not_utf_8(file: File, complains: Complains, ending: str) -> None:
    path = file(f"q.{ending}", "text\nü\tä".encode("latin-1"))
    with complains(InputError, "not a text file in UTF-8", code=2, where=str(path)):
        import_queries(str(path))


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_file_that_cannot_be_read(tmp_path: Path, complains: Complains, ending: str) -> None:
    path = tmp_path / f"folder.{ending}"
    path.mkdir()
    with complains(
        StorageError, "Is a directory", code=5, where=str(path), remedy="choose another folder"
    ):
        import_queries(str(path))
