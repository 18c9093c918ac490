"""Rankers: named ways to turn a query into a search request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relevance_eval.errors import TemplateError
from relevance_eval.plugin.templates import QueryTemplate, Value

__all__ = [
    "OURS",
    "SAMPLES",
    "FusedRanker",
    "Ranker",
    "StoredRanker",
    "Target",
    "TemplateRanker",
    "check_vector",
    "components",
]

SAMPLES: Mapping[str, Value] = {"query": "a sample query", "k": 10, "query_vector": [0.0, 1.0]}
"""What fills a template when it is checked; these names are known to every template."""
OURS = ("pit", "size", "from", "search_after", "track_total_hits", "_source", "stored_fields")
"""Keys of a body that pulling sets itself."""


@dataclass(frozen=True)
class Target:
    """Where a request goes: one point in time is opened for each distinct target.

    Attributes:
        index: name, alias or pattern.
        routing, preference: as in Elasticsearch's search API, or None.
    """

    index: str
    routing: str | None = None
    preference: str | None = None


@dataclass(frozen=True)
class TemplateRanker:
    """A query body from a file, filled on the client's side.

    Attributes:
        timeout: that the server stops searching after, such as `2s`, or None. What it has found
            by then is marked as incomplete.
        embedder: name of the embedder that makes `query_vector`, or None.
        params: values for further placeholders.
    """

    name: str
    target: Target
    template: QueryTemplate
    timeout: str | None = None
    embedder: str | None = None
    params: Mapping[str, Value] = field(default_factory=dict[str, Value])

    def body(self, query: str, k: int, vector: Sequence[float] | None) -> dict[str, Any]:
        """The request body for one query, without the keys that pulling sets."""
        values: dict[str, Value] = {**self.params, "query": query, "k": k}
        if vector is not None:
            values["query_vector"] = vector
        body = self.template.fill(values)
        for key in OURS:
            body.pop(key, None)
        return body | ({"timeout": self.timeout} if self.timeout else {})


@dataclass(frozen=True)
class StoredRanker:
    """A search template that is stored on the server, rendered by it.

    Its parameters are `query`, `k` and `params`.
    """

    name: str
    target: Target
    template_id: str
    timeout: str | None = None
    params: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True)
class FusedRanker:
    """Reciprocal rank fusion of other rankers, computed here, so that every version can do it.

    Score of a document = Σ over its lists of 1 / (constant + rank) (Cormack et al., SIGIR 2009).

    Attributes:
        parts: the rankers fused, each pulled to `window` hits.
        constant: how fast a rank loses weight, 1 or more; 60 in the paper.
        window: hits taken of each part, k or more.
    """

    name: str
    parts: tuple[TemplateRanker | StoredRanker, ...]
    constant: int = 60
    window: int = 50


Ranker = TemplateRanker | StoredRanker | FusedRanker


def components(ranker: Ranker) -> tuple[TemplateRanker | StoredRanker, ...]:
    """The rankers that send requests: the parts of a fused one, else the ranker itself."""
    return ranker.parts if isinstance(ranker, FusedRanker) else (ranker,)


def check_vector(ranker: TemplateRanker) -> None:
    """Raises TemplateError if `query_vector` is used and nothing makes it."""
    if "query_vector" in ranker.template.placeholders and not ranker.embedder:
        raise TemplateError(
            "uses {{query_vector}}, and no embedder makes it",
            where=ranker.template.source,
            remedy=f"set embedder in [rankers.{ranker.name}]",
        )
