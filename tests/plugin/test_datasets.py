"""A collection of ir_datasets from local files."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import InputError, StorageError
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin import datasets
from relevance_eval.plugin.collection import open_source
from relevance_eval.plugin.queries import import_queries

irds: Any = pytest.importorskip("ir_datasets", reason="needs relevance-eval[irds]")
formats: Any = pytest.importorskip("ir_datasets.formats")
downloads: Any = pytest.importorskip("ir_datasets.util")

Complains = Callable[..., Any]
Register = Callable[..., str]

DOCUMENTS = "d1\tvpn setup\nd2\tparental leave\n"
QUERIES = "1\tHow  to set up vpn\n2\tleave\n"
QRELS = "1 0 d1 3\n1 0 d2 0\n2 0 d2 -2\n"


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Registers a collection of these files under a name of its own."""

    def new(**contents: str) -> str:
        kinds = {
            "docs": formats.TsvDocs,
            "queries": formats.TsvQueries,
            "qrels": lambda file: formats.TrecQrels(file, {}),
        }
        parts = []
        for kind, content in contents.items():
            path = tmp_path / kind
            path.write_text(content)
            parts.append(kinds[kind](downloads.LocalDownload(path)))
        return registered(*parts)

    return new


def registered(*parts: Any) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    irds.registry.register(name, irds.Dataset(*parts))
    return f"irds:{name}"


def test_documents_have_a_body(register: Register) -> None:
    name = register(docs=DOCUMENTS)
    assert list(datasets.documents(name)) == [
        ("d1", {"text": "vpn setup", "body": "vpn setup"}),
        ("d2", {"text": "parental leave", "body": "parental leave"}),
    ]


def test_documents_are_a_source_to_load(register: Register, complains: Complains) -> None:
    name = register(docs=DOCUMENTS)
    source = open_source(name)
    assert (source.name, source.count) == (name, 2)
    assert [identifier for identifier, _ in source.rows()] == ["d1", "d2"]
    twice = register(docs=DOCUMENTS + "d1\tagain\n")
    with complains(InputError, "the document id 'd1' is used twice", code=2, where=twice):
        open_source(twice)


def test_queries_are_read_and_imported(register: Register) -> None:
    name = register(queries=QUERIES)
    wanted = [Query("1", "How to set up vpn"), Query("2", "leave")]
    assert datasets.queries(name) == import_queries(name).queries == wanted


def test_a_query_that_cannot_be_evaluated_is_named(
    register: Register, complains: Complains
) -> None:
    name = register(queries="1\tvpn\n7\t" + "x" * 5000 + "\n")
    where, remedy = f"{name} query 7", "shorten"
    with complains(InputError, "5,000 characters", code=2, where=where, remedy=remedy):
        datasets.queries(name)


def test_negative_grades_count_as_nothing(register: Register) -> None:
    name = register(qrels=QRELS)
    assert datasets.qrels(name) == {"1": {"d1": 3, "d2": 0}, "2": {"d2": 0}}


def test_a_grade_above_the_scale_is_refused(register: Register, complains: Complains) -> None:
    name = register(qrels=QRELS + "2 0 d1 4\n")
    says, remedy = "the grade 4 is outside the scale 0 to 3", "map the collection's grades"
    with complains(InputError, says, code=2, where=name, remedy=remedy):
        datasets.qrels(name)


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda name: list(datasets.documents(name)), "documents"),
        (datasets.queries, "queries"),
        (datasets.qrels, "judgments"),
    ],
)
def test_a_collection_may_lack_a_part(
    register: Register, complains: Complains, read: Callable[[str], Any], what: str
) -> None:
    name = register(qrels=QRELS) if what != "judgments" else register(queries=QUERIES)
    with complains(InputError, f"this collection has no {what}", code=2, where=name):
        read(name)


@pytest.mark.parametrize("name", ["irds:no-such-collection", "irds:"])
def test_a_name_that_is_not_known(complains: Complains, name: str) -> None:
    says, remedy = "ir_datasets has no collection of this name", "ir-datasets.com"
    with complains(InputError, says, code=2, where=name, remedy=remedy):
        datasets.queries(name)


def test_a_collection_without_a_query(register: Register, complains: Complains) -> None:
    name = register(queries="")
    with complains(InputError, "holds no queries", code=2, where=name):
        datasets.queries(name)


def test_a_download_that_fails(complains: Complains, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IR_DATASETS_DL_TRIES", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    name = registered(formats.TsvQueries(downloads.RequestsDownload(f"{url}/queries.tsv")))
    says, remedy = "ir_datasets cannot get this collection: ", "check the network"
    with complains(StorageError, says, code=5, where=name, remedy=remedy):
        datasets.queries(name)


@pytest.mark.parametrize("error", [TimeoutError(), EOFError("a file ends too early\nhere")])
def test_a_download_that_breaks_off_is_told_in_one_line(
    complains: Complains, error: Exception
) -> None:
    says = str(error).partition("\n")[0] or "TimeoutError"
    remedy = "check the network"
    with (
        complains(StorageError, f"collection: {says}", code=5, where="irds:x", remedy=remedy),
        datasets.reading("irds:x"),
    ):
        raise error
