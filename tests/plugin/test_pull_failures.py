"""Searches that fail: noted with their query where others succeed, an error where none does."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import RequestError, ServerError, UnreachableError
from relevance_eval.evaluators.run import Hit, Result
from relevance_eval.plugin.pull import Pull
from relevance_eval.plugin.rankers import FusedRanker, StoredRanker, Target, TemplateRanker
from relevance_eval.plugin.searches import Load

Complains = Callable[..., Any]
Indices = Callable[..., str]
Rankers = Callable[..., TemplateRanker]
Pulled = Callable[..., Pull]
Reply = tuple[int, Mapping[str, str], bytes]

TITLE = {"query": {"match": {"title": "{{query}}"}}}
SYNTAX = {"query": {"query_string": {"query": "{{query}}", "fields": ["title"]}}}
FROM_SIZE = {"query": {"range": {"size": {"gte": "{{query}}"}}}}
FUZZY = {"query": {"match": {"title": {"query": "vpn", "fuzziness": "{{query}}"}}}}
PRODUCT = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}


@pytest.fixture
def titles(make_index: Indices) -> str:
    return make_index({"a": {"title": "vpn setup"}, "b": {"title": "leave"}})


@pytest.mark.parametrize(
    ("body", "fine", "wrong", "reason"),
    [
        (SYNTAX, "vpn", "vpn AND (", "Failed to parse query [vpn AND (]"),
        (FUZZY, "AUTO", "none", "none"),  # refused before any shard is asked
    ],
)
def test_a_query_that_fails_alone_is_noted_and_the_others_kept(
    titles: str,
    make_ranker: Rankers,
    pulled: Pulled,
    body: object,
    fine: str,
    wrong: str,
    reason: str,
) -> None:
    rankers = [make_ranker("odd", titles, body), make_ranker("title", titles, TITLE)]
    odd, title = pulled(rankers, {"q1": fine, "q2": wrong, "q3": fine}).runs
    assert [odd.hits(q) != () for q in ("q1", "q2", "q3")] == [True, False, True]
    assert list(odd.problems()) == ["q2"]
    assert odd.problems()["q2"].startswith("400: ")
    assert reason in odd.problems()["q2"]
    assert title.problems() == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"query": {"nonsense": {}}}, "unknown query [nonsense]"),
        ({"query": {"query_string": {"query": "AND ("}}}, "Failed to parse query [AND (]"),
        ({"knn": {"field": "title", "query_vector": [1], "k": 1, "num_candidates": 1}}, "knn"),
        (
            {
                "knn": {
                    "field": "vector",
                    "query_vector": [1, 0, 0],
                    "k": "{{k}}",
                    "num_candidates": 3,
                }
            },
            "[num_candidates] cannot be less than [k]",
        ),
    ],
)
def test_a_body_that_the_server_calls_wrong_names_the_ranker(
    titles: str,
    make_ranker: Rankers,
    pulled: Pulled,
    complains: Complains,
    body: object,
    reason: str,
) -> None:
    rankers = [make_ranker("title", titles, TITLE), make_ranker("broken", titles, body)]
    where, remedy = "ranker broken", "mend its template"
    with complains(RequestError, reason, code=2, where=where, remedy=remedy):
        pulled(rankers, {"q1": "vpn", "q2": "leave"})


def test_shards_that_fail_are_noted_and_the_hits_of_the_others_kept(
    make_index: Indices, make_ranker: Rankers, pulled: Pulled
) -> None:
    """Behind one alias, `size` is a number in two shards and a word in a third."""
    alias = f"test-{uuid.uuid4().hex[:12]}"
    make_index({f"n{n}": {"size": n} for n in range(3)}, shards=2, alias=alias)
    make_index({"word": {"size": "medium"}}, alias=alias, size={"type": "keyword"})
    size = make_ranker("size", alias, FROM_SIZE)
    rankers = [size, FusedRanker("both", (size, make_ranker("title", alias, TITLE)))]
    alone, both = pulled(rankers, {"q1": "2", "q2": "large"}).runs
    assert [h.document_id for h in alone.hits("q1")] == ["word", "n2"]
    assert [h.document_id for h in alone.hits("q2")] == ["word"]
    assert list(alone.problems()) == list(both.problems()) == ["q2"]
    assert alone.problems()["q2"].startswith("2 of 3 shards failed: failed to create query")
    assert both.problems() == alone.problems()
    assert [h.document_id for h in both.hits("q2")] == ["word"]


def canned(*responses: Mapping[str, Any], closing: int = 200) -> Callable[..., Reply]:
    """A server that gives these responses to the searches of one msearch, and no documents."""

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        if request.command == "DELETE":
            return closing, PRODUCT, b'{"succeeded": true}'
        found = [response()] if b'"ids"' in body else responses
        content = {"responses": found} if "_msearch" in request.path else {"id": "pit"}
        return 200, PRODUCT, json.dumps(content).encode()

    return answer


def response(*hits: tuple[str, float], **more: Any) -> dict[str, Any]:
    return {
        "took": 5,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "hits": {"hits": [{"_index": "i", "_id": i, "_score": s, "_source": {}} for i, s in hits]},
        "status": 200,
        **more,
    }


Serve = Callable[..., str]
Clients = Callable[..., Elasticsearch]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"timed_out": True}, "timed out on the server; hits may be missing"),
        ({"_shards": {"total": 3, "failed": 2}}, "2 of 3 shards failed: no reason given"),
        (
            {"_shards": {"total": 3, "failed": 1, "failures": [{"reason": {"reason": "disk"}}]}},
            "1 of 3 shards failed: disk",
        ),
    ],
)
def test_what_may_be_missing_is_noted(
    serve: Serve,
    client_of: Clients,
    make_ranker: Rankers,
    pulled: Pulled,
    more: Mapping[str, Any],
    problem: str,
) -> None:
    client = client_of(serve(canned(response(("a", 2.0), **more), response(("b", 1.0)))))
    ranker = make_ranker("title", "i", TITLE)
    (run,) = pulled([ranker], {"q1": "x", "q2": "y"}, client=client).runs
    assert run.results == {
        "q1": Result((Hit("a", 2.0),), 5, problem),
        "q2": Result((Hit("b", 1.0),), 5, None),
    }


def test_equal_scores_are_ordered_as_trec_eval_orders_them(
    serve: Serve, client_of: Clients, make_ranker: Rankers, pulled: Pulled
) -> None:
    found = response(("d1", 1.0), ("d10", 1.0), ("d2", 1.0), ("d9", 2.0), ("D3", 1.0))
    client = client_of(serve(canned(found)))
    (run,) = pulled([make_ranker("title", "i", TITLE)], {"q1": "x"}, client=client).runs
    assert [h.document_id for h in run.hits("q1")] == ["d9", "d2", "d10", "d1", "D3"]


@pytest.mark.parametrize(
    ("status", "kind", "code", "says", "remedy"),
    [
        (400, RequestError, 2, "because", "mend its template"),
        (500, ServerError, 5, "every query fails: 500: because", None),
        (429, ServerError, 5, "every query fails: 429: because", None),
        (504, UnreachableError, 5, "because", "lower [pull] batch"),
    ],
)
def test_a_ranker_whose_every_query_fails_is_named(
    serve: Serve,
    client_of: Clients,
    make_ranker: Rankers,
    pulled: Pulled,
    complains: Complains,
    status: int,
    kind: type[ServerError],
    code: int,
    says: str,
    remedy: str | None,
) -> None:
    failed = {"status": status, "error": {"type": "x", "reason": "because"}}
    client = client_of(serve(canned(failed)))
    ranker = make_ranker("title", "i", TITLE)
    with complains(kind, says, code=code, where="ranker title", remedy=remedy):
        pulled([ranker], {"q1": "x"}, client=client)


def test_a_point_in_time_that_cannot_be_closed_costs_nothing(
    serve: Serve, client_of: Clients, make_ranker: Rankers, pulled: Pulled
) -> None:
    client = client_of(serve(canned(response(("a", 1.0)), closing=500)))
    (run,) = pulled([make_ranker("title", "i", TITLE)], {"q1": "x"}, client=client).runs
    assert len(run.hits("q1")) == 1


def test_a_stored_template_is_rendered_by_the_server(
    serve: Serve, client_of: Clients, pulled: Pulled
) -> None:
    asked: list[Any] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        if "/_render/template" in request.path:
            asked.append((request.path, json.loads(body)))
            rendered = {"template_output": {"query": {"match_all": {}}, "size": 1}}
            return 200, PRODUCT, json.dumps(rendered).encode()
        if "_msearch" in request.path:
            asked.append(json.loads(body.splitlines()[1]))
        return canned(response(("a", 1.0)))(request, body)

    ranker = StoredRanker("stored", Target("i"), "mine", "2s", {"boost": 3})
    pulled([ranker], {"q1": 'say "x"'}, k=7, client=client_of(serve(answer)))
    params = {"boost": 3, "query": 'say "x"', "k": 7}
    assert asked[0] == ("/_render/template/mine", {"params": params})
    assert (asked[1]["query"], asked[1]["timeout"], asked[1]["size"]) == (
        {"match_all": {}},
        "2s",
        7,
    )


def rendering(paths: list[str], *busy: int) -> Callable[..., Reply]:
    """A server that renders templates only after it was busy with these statuses."""
    waiting = list(busy)

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        paths.append(request.path.partition("?")[0])
        if "/_render/template" not in request.path:
            return canned(response(("a", 1.0)))(request, body)
        if waiting:
            return waiting.pop(0), PRODUCT, b'{"error": {"type": "busy", "reason": "later"}}'
        return 200, PRODUCT, b'{"template_output": {"query": {"match_all": {}}}}'

    return answer


STORED = StoredRanker("stored", Target("i"), "mine")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_template_that_a_busy_server_did_not_render_is_asked_for_again(
    serve: Serve, client_of: Clients, pulled: Pulled, status: int
) -> None:
    paths: list[str] = []
    client = client_of(serve(rendering(paths, status)))
    (run,) = pulled([STORED], {"q1": "x"}, client=client).runs
    assert [h.document_id for h in run.hits("q1")] == ["a"]
    assert paths[:2] == ["/_render/template/mine"] * 2


def test_a_template_that_is_rendered_too_late_is_asked_for_again(
    serve: Serve, client_of: Clients, pulled: Pulled
) -> None:
    paths: list[str] = []
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        reply = rendering(paths)(request, body)
        if len(paths) == 1:
            over.wait(60)
        return reply

    try:
        client = client_of(serve(answer), timeout=1)
        (run,) = pulled([STORED], {"q1": "x"}, client=client).runs
    finally:
        over.set()
    assert [h.document_id for h in run.hits("q1")] == ["a"]


@pytest.mark.parametrize(("statuses", "says"), [((503, 503), "503: later"), ((500,), "500: later")])
def test_a_template_that_is_never_rendered_names_its_ranker(
    serve: Serve,
    client_of: Clients,
    pulled: Pulled,
    complains: Complains,
    statuses: tuple[int, ...],
    says: str,
) -> None:
    paths: list[str] = []
    client = client_of(serve(rendering(paths, *statuses)))
    with complains(ServerError, says, code=5, where="ranker stored"):
        pulled([STORED], {"q1": "x"}, client=client)
    assert paths == ["/_render/template/mine"] * len(statuses)


def test_templates_are_rendered_before_a_point_in_time_could_expire(
    serve: Serve, client_of: Clients, pulled: Pulled
) -> None:
    paths: list[str] = []
    client = client_of(serve(rendering(paths)))
    pulled([STORED], {"q1": "x", "q2": "y"}, client=client, load=Load(batch=1))
    assert paths[:3] == ["/_render/template/mine"] * 2 + ["/i/_pit"]
