"""Loading documents: looked at before anything is created, whole or begun anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, InputError, ServerError
from relevance_eval.plugin.collection import (
    Source,
    is_loaded,
    load_documents,
    open_source,
    read_mapping,
)
from relevance_eval.plugin.embedders import Embedder

Complains = Callable[..., Any]
Corpus = Callable[..., Path]

MAPPING = {"mappings": {"properties": {"title": {"type": "text"}, "size": {"type": "integer"}}}}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """A JSON Lines file of these rows; text is written as it is."""

    def write(*rows: object, name: str = "corpus.jsonl") -> Path:
        path = tmp_path / name
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def source(corpus: Corpus) -> Source:
    rows = [{"id": f"d{n}", "title": f"vpn {n}", "size": n} for n in range(3)]
    return open_source(str(corpus(*rows)))


def test_what_is_loaded_is_one_segment_so_that_equal_scores_keep_their_order(
    es: Elasticsearch, new_name: Callable[[], str], corpus: Corpus
) -> None:
    rows = [{"id": f"d{n}", "title": "vpn"} for n in range(1500)]
    often = {"settings": {"refresh_interval": "1ms"}}
    index = new_name()
    load_documents(es, index, open_source(str(corpus(*rows))), body=often)
    segments = es.indices.segments(index=index)["indices"][index]["shards"]["0"][0]["segments"]
    assert [part["num_docs"] for part in segments.values()] == [1500]


def test_what_is_loaded_can_be_searched_at_once(
    es: Elasticsearch, new_name: Callable[[], str], source: Source
) -> None:
    index, seen = new_name(), list[tuple[int, int]]()
    count = load_documents(
        es, index, source, body=MAPPING, progress=lambda done, total: seen.append((done, total))
    )
    found = es.search(index=index, query={"match": {"title": "vpn"}}, sort=["size"])
    assert count == source.count == 3
    assert [(h["_id"], h["_source"]) for h in found["hits"]["hits"]] == [
        (f"d{n}", {"title": f"vpn {n}", "size": n}) for n in range(3)
    ]
    assert seen == [(3, 3)]


def test_an_id_that_is_a_number_and_fields_of_any_shape(
    es: Elasticsearch, new_name: Callable[[], str], corpus: Corpus
) -> None:
    odd = {"title": 'q" \\ \n\x00 🦙', "tags": ["a", "b"], "deep": {"er": None}}
    index = new_name()
    load_documents(es, index, open_source(str(corpus("", {"id": 7, **odd}))))
    assert es.get(index=index, id="7")["_source"] == odd


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"id": "b", "title": "cut', "not JSON"),
        ('["b"]', "a JSON object is needed"),
        ('{"title": "no id"}', "the field 'id' is missing"),
        ('{"id": null}', "the field 'id' is missing"),
    ],
)
def test_a_broken_line_in_the_middle_is_named(
    corpus: Corpus, complains: Complains, line: str, says: str
) -> None:
    path = corpus({"id": "a"}, line, {"id": "c"})
    remedy = "mend or remove this line" if says == "not JSON" else None
    with complains(InputError, says, code=2, where=f"{path}:2", remedy=remedy):
        open_source(str(path))


def test_an_id_used_twice_is_named(corpus: Corpus, complains: Complains) -> None:
    path = corpus({"id": "a"}, {"id": "b"}, {"id": "a"})
    with complains(InputError, "the document id 'a' is used twice", code=2, where=str(path)):
        open_source(str(path))


@pytest.mark.parametrize(("rows", "says"), [([], "holds no documents"), (None, "no such file")])
def test_nothing_to_load(
    corpus: Corpus, tmp_path: Path, complains: Complains, rows: list[str] | None, says: str
) -> None:
    path = tmp_path / "none.jsonl" if rows is None else corpus(*rows)
    with complains(InputError, says, code=2, where=str(path)):
        open_source(str(path))


def test_a_pipe_is_refused_as_it_could_be_checked_but_not_loaded(complains: Complains) -> None:
    end, start = os.pipe()
    os.write(start, b'{"id": "a"}\n')
    os.close(start)
    path = f"/dev/fd/{end}"
    with complains(InputError, "a pipe gives them once", code=2, where=path, remedy="to a file"):
        open_source(path)
    os.close(end)


def test_long_documents_come_in_requests_that_a_proxy_takes(
    serve: Callable[..., str], client_of: Callable[..., Elasticsearch], corpus: Corpus
) -> None:
    sizes: list[int] = []

    def answer(
        request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
        content: Mapping[str, Any] = {"count": 90}
        if "_bulk" in request.path:
            sizes.append(len(body))
            content = {"items": [{"index": {"status": 201}}] * (body.count(b"\n") // 2)}
        return 404 if request.command == "HEAD" else 200, headers, json.dumps(content).encode()

    path = corpus(*({"id": f"d{n}", "body": "long " * 6000} for n in range(90)))
    load_documents(client_of(serve(answer)), "i", open_source(str(path)))
    assert (len(sizes), max(sizes) <= 1_000_000) == (3, True)


def test_a_document_that_the_mapping_refuses_is_named(
    es: Elasticsearch, new_name: Callable[[], str], corpus: Corpus, complains: Complains
) -> None:
    path = corpus({"id": "good", "size": 1}, {"id": "bad", "size": "very large"})
    source, index = open_source(str(path)), new_name()
    says, remedy = "the server refuses document 'bad': ", "then load with --replace"
    with complains(ServerError, says, code=5, where=str(path), remedy=remedy):
        load_documents(es, index, source, body=MAPPING)
    assert not is_loaded(es, index, source, body=MAPPING)


def test_an_index_that_exists_is_replaced_only_when_told(
    es: Elasticsearch, make_index: Callable[..., str], source: Source, complains: Complains
) -> None:
    index = make_index({"old": {"title": "old"}})
    with complains(ConfigError, f"the index {index} exists", code=2, remedy="say --replace"):
        load_documents(es, index, source)
    assert es.count(index=index)["count"] == 1
    assert load_documents(es, index, source, replace=True) == 3
    assert not es.exists(index=index, id="old")


@pytest.mark.parametrize("form", ["{0},{1}", "{alias}"])
def test_no_other_index_is_deleted_than_the_one_that_is_filled(
    es: Elasticsearch,
    make_index: Callable[..., str],
    new_name: Callable[[], str],
    source: Source,
    complains: Complains,
    form: str,
) -> None:
    alias = new_name()
    held = sorted(make_index({"old": {"title": "old"}}, alias=alias) for _ in range(2))
    name = form.format(*held, alias=alias)
    says, remedy = f"{name} is no index but stands for {held[0]}, {held[1]}", "by its own name"
    with complains(ConfigError, says, code=2, remedy=remedy):
        load_documents(es, name, source, replace=True)
    assert [es.count(index=each)["count"] for each in held] == [1, 1]


def test_an_index_knows_what_it_holds(
    es: Elasticsearch, new_name: Callable[[], str], source: Source, corpus: Corpus
) -> None:
    index = new_name()
    assert not is_loaded(es, index, source)
    load_documents(es, index, source, body=MAPPING)
    other = open_source(str(corpus({"id": "d0", "title": "vpn 1"}, name="other.jsonl")))
    assert is_loaded(es, index, source, body=MAPPING)
    assert not is_loaded(es, index, other, body=MAPPING)
    assert not is_loaded(es, index, source, body={"settings": {"number_of_shards": 1}})


def test_an_index_that_someone_else_filled_is_not_taken_for_ours(
    es: Elasticsearch, make_index: Callable[..., str], source: Source
) -> None:
    assert not is_loaded(es, make_index({"a": {}}), source)


def test_a_vector_is_added_to_each_document_that_has_a_text(
    es: Elasticsearch,
    new_name: Callable[[], str],
    corpus: Corpus,
    lookup_embedder: Callable[..., Embedder],
) -> None:
    embedder = lookup_embedder({"vpn": [0, 3, 0], "leave": [1, 0, 0]}, target="v")
    rows = [{"id": "a", "title": "vpn"}, {"id": "b", "body": "leave"}, {"id": "c", "size": 1}]
    source, index = open_source(str(corpus(*rows))), new_name()
    load_documents(es, index, source, embedder=embedder)
    vectors = {i: es.get(index=index, id=i)["_source"].get("v") for i in "abc"}
    assert vectors == {"a": [0, 1, 0], "b": [1, 0, 0], "c": None}
    assert is_loaded(es, index, source, embedder=embedder)
    assert not is_loaded(es, index, source)
    other = lookup_embedder({"vpn": [0, 3, 0]}, pooling="cls", target="v")
    assert not is_loaded(es, index, source, embedder=other)


def test_vectors_of_another_model_in_the_same_folder_are_not_taken_for_its_own(
    es: Elasticsearch,
    new_name: Callable[[], str],
    source: Source,
    lookup_embedder: Callable[..., Embedder],
) -> None:
    index = new_name()
    load_documents(es, index, source, embedder=lookup_embedder({"vpn": [0, 3, 0]}))
    assert is_loaded(es, index, source, embedder=lookup_embedder({"vpn": [0, 3, 0]}))
    assert not is_loaded(es, index, source, embedder=lookup_embedder({"vpn": [0, 3, 1]}))
    assert not is_loaded(es, index, source, embedder=lookup_embedder({"leave": [0, 3, 0]}))


def test_a_vector_is_made_of_the_fields_that_play_the_roles(
    es: Elasticsearch,
    new_name: Callable[[], str],
    corpus: Corpus,
    lookup_embedder: Callable[..., Embedder],
) -> None:
    embedder = lookup_embedder({"vpn": [0, 3, 0], "leave": [1, 0, 0]}, target="v")
    source = open_source(str(corpus({"id": "a", "headline": "vpn", "body": "leave"})))
    index, fields = new_name(), {"title": "headline"}
    load_documents(es, index, source, embedder=embedder, fields=fields)
    assert es.get(index=index, id="a")["_source"]["v"] == [0, 1, 0]
    assert is_loaded(es, index, source, embedder=embedder, fields=fields)
    assert not is_loaded(es, index, source, embedder=embedder)


@pytest.mark.parametrize(
    "text", ["{", "[]", '"mappings"', '{"mapping": {}}', '{"mappings": {}, "x": 1}', "null"]
)
def test_a_mapping_file_that_is_none(tmp_path: Path, complains: Complains, text: str) -> None:
    path = tmp_path / "index.json"
    path.write_text(text)
    says = "not JSON" if text == "{" else "a JSON object of aliases, mappings, settings is needed"
    with complains(ConfigError, says, code=2, where=str(path)):
        read_mapping(path)


def test_a_mapping_file_that_is_missing(tmp_path: Path, complains: Complains) -> None:
    path = tmp_path / "index.json"
    with complains(ConfigError, "there is no such file", code=2, where=str(path)):
        read_mapping(path)


def test_a_mapping_that_the_server_refuses(
    es: Elasticsearch, new_name: Callable[[], str], source: Source
) -> None:
    index = new_name()
    body = {"mappings": {"properties": {"title": {"type": "novel"}}}}
    with pytest.raises(ServerError, match="novel") as caught:
        load_documents(es, index, source, body=body)
    assert (caught.value.where, caught.value.exit_code) == (f"index {index}", 2)
