"""A client of the real node, indices that are removed again, and rankers from files."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from elasticsearch import Elasticsearch

from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.embedders import Embedder, EmbedderSettings, load_embedder
from relevance_eval.plugin.pull import Pull, pull
from relevance_eval.plugin.rankers import SAMPLES, Ranker, Target, TemplateRanker
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.server import Connection, connect
from relevance_eval.plugin.templates import read_template

PROPERTIES = {
    "title": {"type": "text"},
    "size": {"type": "integer"},
    "name": {"type": "keyword"},
    "vector": {"type": "dense_vector", "dims": 3, "similarity": "cosine"},
}


@pytest.fixture(scope="session")
def es(node_url: str) -> Iterator[Elasticsearch]:
    with connect(Connection(node_url, timeout=120)) as client:
        yield client


@pytest.fixture
def client_of() -> Iterator[Callable[..., Elasticsearch]]:
    """Clients of other servers, closed at the end."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> Elasticsearch:
            client = connect(Connection(url, **options))
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def msearches(
    serve: Callable[..., str], client_of: Callable[..., Elasticsearch]
) -> Callable[..., Elasticsearch]:
    """A client of a server that answers each body of an msearch by what a function makes of it."""
    headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}

    def make(answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Elasticsearch:
        def reply(
            request: BaseHTTPRequestHandler, body: bytes
        ) -> tuple[int, Mapping[str, str], bytes]:
            content: Mapping[str, Any] = {"id": "pit", "fields": {}}
            if "_msearch" in request.path:
                bodies = [json.loads(line) for line in body.splitlines()][1::2]
                content = {"responses": [answer(b) for b in bodies]}
            return 200, headers, json.dumps(content).encode()

        return client_of(serve(reply))

    return make


@pytest.fixture
def response() -> Callable[..., dict[str, Any]]:
    """A search response with these ids of index `i`, titled by their id."""

    def make(*ids: str, **more: Any) -> dict[str, Any]:
        hits = [
            {"_index": "i", "_id": i, "_score": 1.0, "_source": {"title": i}, "sort": [i]}
            for i in ids
        ]
        return {
            "took": 5,
            "timed_out": False,
            "_shards": {"total": 2, "successful": 2, "failed": 0},
            "hits": {"total": {"value": len(ids)}, "hits": hits},
            "status": 200,
            **more,
        }

    return make


@pytest.fixture(params=["a shard fails", "timed out"])
def incomplete(
    request: pytest.FixtureRequest, response: Callable[..., dict[str, Any]]
) -> tuple[dict[str, Any], str]:
    """A response with status 200 that misses hits, and what an error says of it."""
    if request.param == "timed out":
        return response(timed_out=True), "503: timed out on the server; hits may be missing"
    shards = {"total": 2, "failed": 1, "failures": [{"reason": {"reason": "disk"}}]}
    return response(_shards=shards), "503: 1 of 2 shards failed: disk"


@pytest.fixture
def new_name(es: Elasticsearch) -> Iterator[Callable[[], str]]:
    """Names of indices that are removed at the end, if there are any."""
    names: list[str] = []

    def name() -> str:
        names.append(f"test-{uuid.uuid4().hex[:12]}")
        return names[-1]

    yield name
    es.indices.delete(index=names, ignore_unavailable=True)


@pytest.fixture
def make_index(es: Elasticsearch, new_name: Callable[[], str]) -> Callable[..., str]:
    """Creates an index of these documents, each shown by its id."""

    def make(
        documents: Mapping[str, Mapping[str, Any]],
        *,
        shards: int = 1,
        alias: str | None = None,
        **properties: Mapping[str, Any],
    ) -> str:
        index = new_name()
        es.indices.create(
            index=index,
            settings={"number_of_shards": shards, "number_of_replicas": 0},
            mappings={"dynamic": False, "properties": {**PROPERTIES, **properties}},
            aliases={alias: {}} if alias else {},
        )
        for identifier, source in documents.items():
            fields = {k: v for k, v in source.items() if k != "_routing"}
            es.index(index=index, id=identifier, document=fields, routing=source.get("_routing"))
        es.indices.refresh(index=index)
        return index

    return make


@pytest.fixture
def make_ranker(tmp_path: Path) -> Callable[..., TemplateRanker]:
    """A ranker whose body is written to `NAME.json` first."""

    def make(
        name: str,
        index: str,
        body: object,
        *,
        routing: str | None = None,
        preference: str | None = None,
        **options: Any,
    ) -> TemplateRanker:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(body))
        template = read_template(path, {**SAMPLES, **options.get("params", {})})
        return TemplateRanker(name, Target(index, routing, preference), template, **options)

    return make


@pytest.fixture
def pulled(es: Elasticsearch) -> Callable[..., Pull]:
    """Pulls with a load of one retry that does not wait."""

    def run(
        rankers: Sequence[Ranker],
        texts: Mapping[str, str],
        *,
        k: int = 10,
        client: Elasticsearch = es,
        embedders: Mapping[str, Embedder] | None = None,
        load: Load | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Pull:
        return pull(
            client,
            rankers,
            [Query(i, text) for i, text in texts.items()],
            k=k,
            fields=fields or {"title": "title"},
            embedders=embedders or {},
            load=load or Load(retries=1, pause=0),
        )

    return run


@pytest.fixture
def lookup_embedder(
    tmp_path: Path,
    write_tokenizer: Callable[[Path, Sequence[str]], dict[str, int]],
    write_model: Callable[..., None],
) -> Callable[..., Embedder]:
    """An embedder in ONNX that gives each word the vector named here, and other tokens zeros."""

    def make(words: Mapping[str, Sequence[float]], **settings: Any) -> Embedder:
        folder = tmp_path / "embedder"
        folder.mkdir(exist_ok=True)
        ids = write_tokenizer(folder / "tokenizer.json", list(words))
        table: npt.NDArray[np.float32] = np.zeros((2000 + len(words), 3), np.float32)
        for word, vector in words.items():
            table[ids[word]] = vector
        write_model(folder / "model.onnx", table, output="last_hidden_state")
        return load_embedder(EmbedderSettings("embedder", **settings), tmp_path)

    return make
