"""Pulling what rankers return, all of them from one state of the index."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import (
    ConfigError,
    RelevanceEvalError,
    RequestError,
    ServerError,
    UnreachableError,
)
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run, order_hits
from relevance_eval.plugin.documents import Place, documents_at
from relevance_eval.plugin.embedders import Embedder
from relevance_eval.plugin.fusion import fuse
from relevance_eval.plugin.rankers import (
    FusedRanker,
    Ranker,
    StoredRanker,
    Target,
    TemplateRanker,
    components,
)
from relevance_eval.plugin.searches import (
    KEEP_ALIVE,
    Load,
    Response,
    framed,
    problem_of,
    search_all,
    tried,
)
from relevance_eval.plugin.server import reason_of, translated

__all__ = ["Pull", "pull"]

Component = TemplateRanker | StoredRanker
Vectors = Mapping[str, Mapping[str, Sequence[float]]]
"""Embedder name to query text to vector."""


@dataclass(frozen=True)
class Pull:
    """Runs in the order of the rankers, and every document in them as it was.

    Attributes:
        seconds: wall-clock time of pulling.
    """

    runs: tuple[Run, ...]
    documents: Mapping[str, Document]
    seconds: float


@dataclass(frozen=True)
class Search:
    """One search: of which component, for which query, how many hits."""

    component: Component
    query: Query
    k: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.component.name, self.query.id, self.k


def pull(
    client: Elasticsearch,
    rankers: Sequence[Ranker],
    queries: Sequence[Query],
    *,
    k: int,
    fields: Mapping[str, str],
    embedders: Mapping[str, Embedder],
    load: Load,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pull:
    """The top k of every ranker for every query, with the documents' fields.

    One point in time is opened for each index (with its routing and preference) and serves all
    rankers. A search that fails, times out or misses shards is noted with its query; a ranker for
    which every query fails raises.

    Args:
        k: hits for each query, 1 to 10,000.
        fields: role to index field, as in `document_from`.
        embedders: by name, for the rankers that use one.
        progress: called with (searches done, searches in all).

    Raises:
        MissingIndexError, AuthenticationError, UnreachableError: as they say.
        RequestError: the server calls a ranker's body wrong for every query.
    """
    started = time.perf_counter()
    searches = plan(rankers, queries, k)
    vectors = embed(searches, embedders)
    # Stored templates are rendered one by one: a point in time could expire meanwhile.
    asked = [body_of(client, s, vectors, load) for s in searches]
    with points_in_time(client, {s.component.target for s in searches}) as pits:
        bodies = [
            framed(body, pits[s.component.target], s.k)
            for s, body in zip(searches, asked, strict=True)
        ]
        responses = search_all(client, bodies, load, progress)
        check_components(searches, responses)
        results = {
            s.key: result_of(response, "sort" in body)
            for s, body, response in zip(searches, bodies, responses, strict=True)
        }
        runs = tuple(run_of(ranker, queries, k, results) for ranker in rankers)
        places = places_of(runs, searches, responses)
        documents = documents_at(client, places, pits, fields, load)
    return Pull(runs, documents, time.perf_counter() - started)


def plan(rankers: Sequence[Ranker], queries: Sequence[Query], k: int) -> list[Search]:
    """Each search once, also where a component serves several rankers to one depth.

    Query by query, so that every point in time is used all along: one that waited for the other
    rankers to end would expire.
    """
    wanted: dict[tuple[str, str, int], Search] = {}
    for query in queries:
        for ranker in rankers:
            for component in components(ranker):
                search = Search(component, query, depth(ranker, k))
                wanted.setdefault(search.key, search)
    return list(wanted.values())


def depth(ranker: Ranker, k: int) -> int:
    return max(k, ranker.window) if isinstance(ranker, FusedRanker) else k


def embed(searches: Sequence[Search], embedders: Mapping[str, Embedder]) -> Vectors:
    texts: dict[str, list[str]] = {}
    for search in searches:
        if isinstance(search.component, TemplateRanker) and search.component.embedder:
            texts.setdefault(search.component.embedder, []).append(search.query.text)
    vectors: dict[str, dict[str, Sequence[float]]] = {}
    for name, wanted in texts.items():
        unique = list(dict.fromkeys(wanted))
        rows = embedders[name].embed(unique, "query").tolist()
        vectors[name] = dict(zip(unique, rows, strict=True))
    return vectors


@contextmanager
def points_in_time(client: Elasticsearch, targets: set[Target]) -> Generator[Mapping[Target, str]]:
    """A point in time for each target, closed at the end even after an error."""
    with ExitStack() as stack:
        pits: dict[Target, str] = {}
        for target in sorted(targets, key=str):
            with translated(f"index {target.index}"):
                pits[target] = client.open_point_in_time(
                    index=target.index,
                    keep_alive=KEEP_ALIVE,
                    routing=target.routing,
                    preference=target.preference,
                )["id"]
            stack.callback(close_quietly, client, pits[target])
        yield pits


def close_quietly(client: Elasticsearch, pit: str) -> None:
    """The server closes it by itself after a while: no reason to lose what was pulled."""
    try:
        with translated():
            client.close_point_in_time(id=pit)
    except RelevanceEvalError:
        pass


def body_of(client: Elasticsearch, search: Search, vectors: Vectors, load: Load) -> dict[str, Any]:
    component, text = search.component, search.query.text
    if isinstance(component, StoredRanker):
        return rendered(client, component, text, search.k, load)
    vector = vectors[component.embedder][text] if component.embedder else None
    return component.body(text, search.k, vector)


def rendered(
    client: Elasticsearch, ranker: StoredRanker, text: str, k: int, load: Load
) -> dict[str, Any]:
    """The body that the server makes of its stored template."""
    params = {**ranker.params, "query": text, "k": k}
    where = f"ranker {ranker.name}"
    try:
        with translated(where):
            answer = tried(
                lambda: client.render_search_template(id=ranker.template_id, params=params), load
            )
    except ServerError as error:
        if "no handler found" not in error.message:
            raise
        raise RequestError(
            "this server cannot render stored templates (its module lang-mustache is absent)",
            where=where,
            remedy="put the body into a file, and name it as 'template'",
        ) from error
    return dict(answer["template_output"]) | ({"timeout": ranker.timeout} if ranker.timeout else {})


def check_components(searches: Sequence[Search], responses: Sequence[Response]) -> None:
    """Raises for the first component that has an error for every query."""
    answered: dict[str, bool] = {}
    failures: dict[str, Response] = {}
    for search, response in zip(searches, responses, strict=True):
        name = search.component.name
        answered[name] = answered.get(name, False) or "error" not in response
        if "error" in response:
            failures.setdefault(name, response)
    for name, any_answer in answered.items():
        if not any_answer:
            raise every_query_failed(name, failures[name])


def every_query_failed(ranker: str, response: Response) -> RelevanceEvalError:
    status, reason = response.get("status"), reason_of(response)
    where = f"ranker {ranker}"
    if status == 400:
        return RequestError(reason, where=where, remedy="mend its template")
    if status == 504:
        return UnreachableError(
            reason, where=where, remedy="raise timeout in [elasticsearch], or lower [pull] batch"
        )
    return ServerError(f"every query fails: {status}: {reason}", where=where)


def result_of(response: Response, own_order: bool) -> Result:
    """Hits with their problem, if any.

    Args:
        own_order: the body sorts by something else than the score; hits keep that order, and
            their place, negated, stands for a score. So it is without scores, too, as where a
            retriever sorts.
    """
    if "error" in response:
        problem = f"{response.get('status')}: {reason_of(response)}"
        return Result((), None, problem, failed=True)
    found = response["hits"]["hits"]
    if own_order or any(h["_score"] is None for h in found):
        hits = tuple(Hit(h["_id"], -float(place)) for place, h in enumerate(found, start=1))
    else:
        hits = order_hits(Hit(h["_id"], float(h["_score"])) for h in found)
    return Result(hits, int(response["took"]), problem_of(response))


def run_of(
    ranker: Ranker,
    queries: Sequence[Query],
    k: int,
    results: Mapping[tuple[str, str, int], Result],
) -> Run:
    found: dict[str, Result] = {}
    for query in queries:
        parts = [results[c.name, query.id, depth(ranker, k)] for c in components(ranker)]
        if isinstance(ranker, FusedRanker):
            found[query.id] = fuse(parts, constant=ranker.constant, k=k)
        else:
            found[query.id] = parts[0]
    return Run(ranker.name, found)


def places_of(
    runs: Sequence[Run], searches: Sequence[Search], responses: Sequence[Response]
) -> dict[str, Place]:
    """Where each document of a run lies. Raises ConfigError if one id is in two indices."""
    wanted = {h.document_id for run in runs for r in run.results.values() for h in r.hits}
    places: dict[str, Place] = {}
    for search, response in zip(searches, responses, strict=True):
        for hit in response.get("hits", {}).get("hits", ()):
            identifier, index = hit["_id"], hit["_index"]
            if identifier not in wanted:
                continue
            _, known = places.setdefault(identifier, (search.component.target, index))
            if known != index:
                raise ConfigError(
                    f"the id {identifier!r} is in {known} and in {index}",
                    remedy="compare on one index, or on an alias whose indices share no ids",
                )
    return dict(sorted(places.items()))
