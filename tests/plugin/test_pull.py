"""Pulling from the real node: one state of the index, a stable order, documents as they were."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, MissingIndexError, RequestError
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.plugin.embedders import Embedder
from relevance_eval.plugin.pull import Pull, plan, pull
from relevance_eval.plugin.rankers import FusedRanker, StoredRanker, Target, TemplateRanker
from relevance_eval.plugin.searches import Load

Complains = Callable[..., Any]
Indices = Callable[..., str]
Rankers = Callable[..., TemplateRanker]
Pulled = Callable[..., Pull]

TITLE = {"query": {"match": {"title": "{{query}}"}}}
SORTED_WITHIN = {"retriever": {"standard": {"query": TITLE["query"], "sort": [{"size": "desc"}]}}}
EVERYTHING = {"query": {"match_all": {}}}
BY_SIZE = {**EVERYTHING, "sort": [{"size": "desc"}]}
BY_VECTOR = {
    "knn": {
        "field": "vector",
        "query_vector": "{{query_vector}}",
        "k": "{{k}}",
        "num_candidates": 100,
    }
}


def ids(run: Run, query: str = "q1") -> list[str]:
    return [hit.document_id for hit in run.hits(query)]


@pytest.fixture
def titles(make_index: Indices) -> str:
    """b and d are alike, c is longer, e is about something else."""
    texts = {"b": "vpn setup", "d": "vpn setup", "c": "how the old vpn was set up", "e": "leave"}
    return make_index({i: {"title": t, "size": n} for n, (i, t) in enumerate(texts.items())})


def test_what_is_found_is_scored_timed_and_kept(
    titles: str, make_ranker: Rankers, pulled: Pulled
) -> None:
    texts = {"q1": "vpn", "q2": "leave", "q3": "pension"}
    found = pulled([make_ranker("title", titles, TITLE)], texts)
    (run,) = found.runs
    assert run.ranker == "title"
    assert [ids(run, q) for q in texts] == [["d", "b", "c"], ["e"], []]
    assert run.hits("q1")[0].score == run.hits("q1")[1].score > run.hits("q1")[2].score > 0
    assert all(isinstance(r.took, int) and r.took >= 0 for r in run.results.values())
    assert run.problems() == {}
    assert {i: dict(d.fields) for i, d in found.documents.items()} == {
        "b": {"title": "vpn setup"},
        "c": {"title": "how the old vpn was set up"},
        "d": {"title": "vpn setup"},
        "e": {"title": "leave"},
    }
    assert found.seconds > 0


@pytest.mark.parametrize("k", [1, 2, 25, 30])
def test_k_is_respected(make_index: Indices, make_ranker: Rankers, pulled: Pulled, k: int) -> None:
    index = make_index({f"d{n:02}": {"title": "vpn"} for n in range(25)})
    ranker = make_ranker("title", index, {**TITLE, "size": 3})
    (run,) = pulled([ranker], {"q1": "vpn"}, k=k).runs
    assert len(ids(run)) == min(k, 25)


def test_an_order_of_its_own_is_kept(titles: str, make_ranker: Rankers, pulled: Pulled) -> None:
    (run,) = pulled([make_ranker("size", titles, BY_SIZE)], {"q1": "vpn"}).runs
    assert ids(run) == ["e", "c", "d", "b"]
    scores = [hit.score for hit in run.hits("q1")]
    assert scores == sorted(set(scores), reverse=True)


def test_an_order_within_a_retriever_is_kept_too(
    titles: str, make_ranker: Rankers, pulled: Pulled
) -> None:
    (run,) = pulled([make_ranker("within", titles, SORTED_WITHIN)], {"q1": "vpn"}).runs
    assert ids(run) == ["c", "d", "b"]
    assert [hit.score for hit in run.hits("q1")] == [-1, -2, -3]


def test_every_point_in_time_is_used_all_along(make_ranker: Rankers) -> None:
    rankers = [make_ranker(name, f"index-{name}", TITLE) for name in "ab"]
    searches = plan(rankers, [Query("q1", "vpn"), Query("q2", "leave")], 10)
    assert [(s.query.id, s.component.target.index) for s in searches] == [
        ("q1", "index-a"),
        ("q1", "index-b"),
        ("q2", "index-a"),
        ("q2", "index-b"),
    ]


@pytest.mark.parametrize("query", ['a "b" \\ c', "x\ny\tz\x00", "{{k}} }} {", "🦙", "AND (", "\\"])
def test_odd_queries_are_searched_like_any_other(
    make_index: Indices, make_ranker: Rankers, pulled: Pulled, query: str
) -> None:
    index = make_index({"same": {"name": query}, "other": {"name": "other"}})
    ranker = make_ranker("name", index, {"query": {"term": {"name": "{{query}}"}}})
    (run,) = pulled([ranker], {"q1": query}).runs
    assert (ids(run), run.problems()) == (["same"], {})


def test_all_rankers_see_one_state_while_the_index_changes(
    es: Elasticsearch, titles: str, make_ranker: Rankers, pulled: Pulled
) -> None:
    """A document is added and one deleted once the first batch is back."""
    changed: list[int] = []

    def change(done: int, total: int) -> None:
        if not changed:
            es.index(index=titles, id="new", document={"title": "vpn"}, refresh=True)
            es.delete(index=titles, id="b", refresh=True)
        changed.append(done)

    rankers = [make_ranker("title", titles, TITLE), make_ranker("all", titles, EVERYTHING)]
    queries = [Query(f"q{n}", "vpn") for n in range(8)]
    load = Load(batch=1, in_flight=1)
    first = pull(
        es,
        rankers,
        queries,
        k=10,
        fields={"title": "title"},
        embedders={},
        load=load,
        progress=change,
    )
    assert len(changed) == 16
    assert {tuple(ids(first.runs[0], q.id)) for q in queries} == {("d", "b", "c")}
    assert {frozenset(ids(first.runs[1], q.id)) for q in queries} == {frozenset("bcde")}
    assert first.documents["b"].fields == {"title": "vpn setup"}
    (second,) = pulled([rankers[1]], {"q1": "vpn"}).runs
    assert set(ids(second)) == {"new", "c", "d", "e"}


def test_no_point_in_time_stays_open(
    es: Elasticsearch, titles: str, make_ranker: Rankers, pulled: Pulled
) -> None:
    def contexts() -> int:
        stats = es.indices.stats(index=titles, metric="search")
        return int(stats["indices"][titles]["total"]["search"]["open_contexts"])

    pulled([make_ranker("title", titles, TITLE)], {"q1": "vpn"})
    assert contexts() == 0
    with pytest.raises(RequestError):
        pulled([make_ranker("bad", titles, {"query": {"nonsense": {}}})], {"q1": "vpn"})
    assert contexts() == 0


def test_a_vector_ranker_searches_by_its_embedder(
    make_index: Indices,
    make_ranker: Rankers,
    pulled: Pulled,
    lookup_embedder: Callable[..., Embedder],
) -> None:
    vectors = {"x": [1, 0, 0], "xy": [1, 1, 0], "z": [0, 0, 1]}
    index = make_index({i: {"vector": v, "title": i} for i, v in vectors.items()})
    embedders = {"mine": lookup_embedder({"east": [1, 0, 0], "up": [0, 0.1, 1]})}
    ranker = make_ranker("vector", index, BY_VECTOR, embedder="mine")
    (run,) = pulled([ranker], {"q1": "east", "q2": "up"}, k=2, embedders=embedders).runs
    assert (ids(run, "q1"), ids(run, "q2")) == (["x", "xy"], ["z", "xy"])


@pytest.mark.parametrize(("k", "window"), [(3, 10), (3, 1), (2, 3)])
def test_a_fused_ranker_is_the_fusion_of_its_parts(
    titles: str, make_ranker: Rankers, pulled: Pulled, k: int, window: int
) -> None:
    parts = (make_ranker("title", titles, TITLE), make_ranker("size", titles, BY_SIZE))
    fused = FusedRanker("both", parts, constant=10, window=window)
    both, title, size = pulled([fused, *parts], {"q1": "vpn"}, k=k).runs
    depth = max(k, window)
    expected: dict[str, float] = {}
    for full in (["d", "b", "c"], ["e", "c", "d", "b"]):
        for rank, identifier in enumerate(full[:depth], start=1):
            expected[identifier] = expected.get(identifier, 0) + 1 / (10 + rank)
    best = sorted(expected, key=lambda i: (-expected[i], -ord(i)))[:k]
    assert ids(both) == best
    assert [h.score for h in both.hits("q1")] == pytest.approx([expected[i] for i in best])
    assert (ids(title), ids(size)) == (["d", "b", "c"][:k], ["e", "c", "d", "b"][:k])


def test_the_documents_of_a_fused_ranker_are_those_it_returns(
    titles: str, make_ranker: Rankers, pulled: Pulled
) -> None:
    fused = FusedRanker("both", (make_ranker("size", titles, BY_SIZE),), window=4)
    found = pulled([fused], {"q1": "vpn"}, k=1)
    assert list(found.documents) == ["e"]


def test_routing_searches_the_documents_of_that_route_alone(
    make_index: Indices, make_ranker: Rankers, pulled: Pulled, es: Elasticsearch
) -> None:
    routes = [f"user{n}" for n in range(8)]
    documents = {f"d{r}": {"title": "vpn", "_routing": r} for r in routes}
    index = make_index(documents, shards=4)
    shards = {r: es.search_shards(index=index, routing=r)["shards"][0][0]["shard"] for r in routes}
    assert len(set(shards.values())) > 1
    ranker = make_ranker("routed", index, TITLE, routing="user0")
    (run,) = pulled([ranker], {"q1": "vpn"}).runs
    assert set(ids(run)) == {f"d{r}" for r in routes if shards[r] == shards["user0"]}


def test_preference_chooses_the_shard(
    make_index: Indices, make_ranker: Rankers, pulled: Pulled
) -> None:
    index = make_index({f"d{n}": {"title": "vpn"} for n in range(20)}, shards=2)
    rankers = [make_ranker(f"shard{n}", index, TITLE, preference=f"_shards:{n}") for n in range(2)]
    first, second = pulled(rankers, {"q1": "vpn"}, k=20).runs
    assert set(ids(first)).isdisjoint(ids(second))
    assert len(ids(first)) + len(ids(second)) == 20
    assert ids(first) != []


def test_an_alias_of_several_indices_is_one_index(
    make_index: Indices, make_ranker: Rankers, pulled: Pulled
) -> None:
    alias = f"test-{uuid.uuid4().hex[:12]}"
    make_index({"a": {"title": "vpn"}}, alias=alias)
    make_index({"b": {"title": "vpn"}}, alias=alias)
    (run,) = pulled([make_ranker("title", alias, TITLE)], {"q1": "vpn"}).runs
    assert sorted(ids(run)) == ["a", "b"]


def test_an_id_in_two_indices_is_refused(
    make_index: Indices, make_ranker: Rankers, pulled: Pulled, complains: Complains
) -> None:
    alias = f"test-{uuid.uuid4().hex[:12]}"
    names = [make_index({"twice": {"title": "vpn"}}, alias=alias) for _ in "ab"]
    with complains(
        ConfigError, "the id 'twice' is in ", code=2, remedy="an alias whose indices share no ids"
    ) as caught:
        pulled([make_ranker("title", alias, TITLE)], {"q1": "vpn"})
    assert all(name in caught.value.message for name in names)


def test_an_index_that_is_missing(
    make_ranker: Rankers, pulled: Pulled, complains: Complains
) -> None:
    says, where = "no such index [test-none]", "index test-none"
    with complains(MissingIndexError, says, code=2, where=where, remedy="load the documents first"):
        pulled([make_ranker("title", "test-none", TITLE)], {"q1": "vpn"})


def test_stored_templates_need_a_module_that_the_embedded_node_lacks(
    titles: str, pulled: Pulled, complains: Complains
) -> None:
    ranker = StoredRanker("stored", Target(titles), "my-template")
    says, where = "cannot render stored templates", "ranker stored"
    with complains(RequestError, says, code=2, where=where, remedy="put the body into a file"):
        pulled([ranker], {"q1": "vpn"})
