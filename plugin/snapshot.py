"""One state of the index, asked bit by bit: rankings, documents by id, a random sample."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, RequestError, ServerError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.plugin.documents import Place, documents_at, documents_by_id
from relevance_eval.plugin.embedders import Embedder
from relevance_eval.plugin.pull import (
    body_of,
    check_components,
    embed,
    places_of,
    plan,
    points_in_time,
    result_of,
    run_of,
)
from relevance_eval.plugin.rankers import Ranker, Target, components
from relevance_eval.plugin.searches import Load, failure_of, framed, search_all, search_in_turn

__all__ = ["Located", "Snapshot", "snapshot"]

KEEP_ALIVE = "15m"
"""Longer than for pulling: a guard may grade for minutes between two searches."""
LIMIT = "esult window is too large"
"""What a server says where more hits are asked for than `index.max_result_window`."""

Located = tuple[str, Place]
"""A document's id, and where it is."""


@dataclass(frozen=True)
class Snapshot:
    """Points in time and what is asked under them; every text is fetched once.

    Attributes:
        target: where documents are looked up by id and drawn at random.
        pits: a point in time for it, and for each target of the rankers.
        fields: role to index field, as in `document_from`.
    """

    client: Elasticsearch
    target: Target
    pits: Mapping[Target, str]
    fields: Mapping[str, str]
    load: Load
    held: dict[tuple[str, str], Document] = field(default_factory=dict[tuple[str, str], Document])

    def runs(
        self,
        rankers: Sequence[Ranker],
        queries: Sequence[Query],
        k: int,
        embedders: Mapping[str, Embedder],
        *,
        check: bool,
    ) -> tuple[list[Run], dict[str, Place]]:
        """The top k of each ranker, and where each document of them is; no texts.

        Args:
            check: raise for a ranker whose every search fails; such failures are in the runs'
                problems otherwise.

        Raises:
            ConfigError: k is beyond `index.max_result_window`, or one id is in two indices.
        """
        searches = plan(rankers, queries, k)
        vectors = embed(searches, embedders)
        bodies = [
            self.framed(body_of(self.client, s, vectors, self.load), s.component.target, s.k)
            for s in searches
        ]
        responses = search_all(self.client, bodies, self.load)
        if check:
            try:
                check_components(searches, responses)
            except RequestError as error:
                raise beyond_limit(error, k) from error
        results = {
            s.key: result_of(response, "sort" in body)
            for s, body, response in zip(searches, bodies, responses, strict=True)
        }
        runs = [run_of(ranker, queries, k, results) for ranker in rankers]
        return runs, places_of(runs, searches, responses)

    def by_id(self, ids: Iterable[str]) -> dict[str, Document]:
        """Documents of the target; those that it does not hold are left out.

        Raises ConfigError if an id is in two indices of the target.
        """
        pit = self.pits[self.target]
        found = documents_by_id(self.client, self.target, pit, ids, self.fields, self.load)
        return {i: self.keep(index, document) for i, (index, document) in found.items()}

    def keep(self, index: str, document: Document) -> Document:
        return self.held.setdefault((index, document.id), document)

    def texts(self, located: Iterable[Located]) -> None:
        """Fetches what is not held yet, for `text`. Raises ServerError if it cannot be had."""
        missing = {
            identifier: place
            for identifier, place in located
            if (place[1], identifier) not in self.held
        }
        places = dict(sorted(missing.items()))
        found = documents_at(self.client, places, self.pits, self.fields, self.load)
        for identifier, (_, index) in places.items():
            self.keep(index, found.get(identifier, Document(identifier, {})))

    def text(self, located: Located) -> Document:
        """A document that `texts` was asked for; without fields if it has no text."""
        identifier, (_, index) = located
        return self.held[index, identifier]

    def sample(self, size: int, seed: int) -> list[Located]:
        """Random documents of the target, all of them if there are fewer; ids alone are read.

        The same for a seed as long as the index does not change: the server orders documents by a
        hash of the seed and of each one's sequence number.
        """
        query: dict[str, Any] = {
            "function_score": {
                "query": {"match_all": {}},
                "random_score": {"seed": seed, "field": "_seq_no"},
                "boost_mode": "replace",
            }
        }
        body = self.framed({"query": query}, self.target, size)
        return [(hit["_id"], (self.target, hit["_index"])) for hit in self.hits([body])]

    def holds(self, names: Iterable[str]) -> bool:
        """Whether any document of the target has something in one of these fields that can be
        searched."""
        exist = [{"exists": {"field": name}} for name in sorted(names)]
        body = self.framed({"query": {"bool": {"should": exist}}}, self.target, 1)
        return any(True for _ in self.hits([body]))

    def holds_several(self) -> bool:
        """Whether the target has more documents than one."""
        body = self.framed({"query": {"match_all": {}}}, self.target, 2)
        return len(list(self.hits([body]))) > 1

    def framed(self, body: Mapping[str, Any], target: Target, k: int) -> dict[str, Any]:
        pit = self.pits[target]
        return framed(body, pit, k) | {"pit": {"id": pit, "keep_alive": KEEP_ALIVE}}

    def hits(self, bodies: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Hits of all the bodies, as they come.

        Raises ServerError if one of them fails or misses shards.
        """
        responses = search_in_turn(self.client, bodies, self.load)
        for body, response in zip(bodies, responses, strict=True):
            if "error" in response:
                failure = failure_of(response, f"index {self.target.index}")
                raise beyond_limit(failure, body["size"])
            yield from response["hits"]["hits"]


@contextmanager
def snapshot(
    client: Elasticsearch,
    target: Target,
    rankers: Sequence[Ranker],
    fields: Mapping[str, str],
    load: Load,
) -> Generator[Snapshot]:
    """A state of the index that stays as it is until the context is left.

    Raises MissingIndexError if there is no such index.
    """
    targets = {target} | {c.target for ranker in rankers for c in components(ranker)}
    with points_in_time(client, targets) as pits:
        yield Snapshot(client, target, pits, fields, load)


def beyond_limit(error: ServerError, k: int) -> ConfigError | ServerError:
    """The error itself, unless it is about the number of hits: then one that says what to do."""
    if LIMIT not in error.message:
        return error
    return ConfigError(
        f"this index returns fewer than the {k:,} hits that are asked for "
        "(its setting index.max_result_window)",
        where=error.where,
        remedy="end the last window earlier, or raise the setting",
    )
