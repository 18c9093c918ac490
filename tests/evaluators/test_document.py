"""Documents as a labeler sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import (
    MAX_FIELD_CHARACTERS,
    Document,
    document_from,
    read_corpus,
    write_documents,
)
from relevance_eval.evaluators.jsonl import write_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "corpus.jsonl"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  plain ", "plain"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\x00b\rc\x9fd", "a b c d"),
        ("half \ud83d a character", "half   a character"),
        ("☃\u2028é", "☃\u2028é"),
        (["one", "two", 3], "one\ntwo\n3"),
        (12.5, "12.5"),
        (True, "true"),
        ({"x": "ü"}, '{"x": "ü"}'),
        ("x" * (MAX_FIELD_CHARACTERS + 5_000_000), "x" * MAX_FIELD_CHARACTERS),
    ],
    ids=[
        "space",
        "tab",
        "control",
        "surrogate",
        "unicode",
        "list",
        "number",
        "bool",
        "dict",
        "5 MB",
    ],
)
def test_a_field_is_clean_text_of_bounded_length(value: object, text: str) -> None:
    assert document_from("1", {"body": value}).fields == {"body": text}


@pytest.mark.parametrize("value", [None, "", " \n", "\x00", []])
def test_a_field_without_text_is_absent(value: object) -> None:
    assert document_from("1", {"body": value, "title": "t"}).fields == {"title": "t"}


def test_roles_take_the_fields_that_the_configuration_names() -> None:
    source = {"meta": {"who": {"name": "Ann"}}, "file.name": "a.txt", "body": "b", "title": "t"}
    fields = {"author": "meta.who.name", "file_name": "file.name", "body": "text", "title": "title"}
    assert document_from("1", source, fields).fields == {
        "author": "Ann",
        "file_name": "a.txt",
        "title": "t",
    }


def test_a_path_reaches_through_lists_of_objects() -> None:
    source = {"authors": [{"name": "Ann"}, {"nick": "B"}, {"name": ["Cy", "Di"]}, "Eve"]}
    found = document_from("1", source, {"author": "authors.name", "title": "authors.none"})
    assert found.fields == {"author": "Ann\nCy\nDi"}


@pytest.mark.parametrize("name", ["body.x", "meta.who.name", "meta.none"])
def test_a_path_that_leads_nowhere_gives_no_field(name: str) -> None:
    assert document_from("1", {"body": "b", "meta": {"who": "Ann"}}, {"author": name}).fields == {}


def test_the_content_hash_depends_on_the_fields_alone() -> None:
    document = Document("1", {"title": "t", "body": "b"})
    assert document.content_hash == Document("2", {"body": "b", "title": "t"}).content_hash
    assert len(document.content_hash) == 64


@pytest.mark.parametrize(
    "fields",
    [{"title": "t", "body": "b "}, {"title": "t"}, {"title": "b", "body": "t"}, {"body": "b"}],
)
def test_another_text_has_another_content_hash(fields: dict[str, str]) -> None:
    assert Document("1", {"title": "t", "body": "b"}).content_hash != (
        Document("1", fields).content_hash
    )


def test_a_corpus_comes_back_in_order_and_with_the_same_hashes(path: Path) -> None:
    documents = [
        Document("b", {"title": "Ä", "body": "x\ny"}),
        Document("a", {}),
        Document("7", {}),
    ]
    write_documents(path, documents)
    found = read_corpus(path)
    assert list(found) == ["b", "a", "7"]
    assert [d.content_hash for d in found.values()] == [d.content_hash for d in documents]


def test_only_wanted_documents_are_kept(path: Path) -> None:
    write_documents(path, [Document(i, {"body": i}) for i in "abcb"])
    assert list(read_corpus(path, wanted=frozenset("ac"))) == ["a", "c"]


def test_a_document_id_used_twice_is_named(path: Path, explained: Callable[..., None]) -> None:
    write_rows(path, [{"id": "a"}, {"id": "b"}, {"id": "a", "body": "other"}])
    with pytest.raises(InputError) as caught:
        read_corpus(path)
    explained(caught.value, code=2, where=f"{path}:3", says="the document id 'a' is used twice")
