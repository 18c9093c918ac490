"""A query and a document to be graded together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run

__all__ = ["Pair", "pool"]


@dataclass(frozen=True)
class Pair:
    """A query and a document as it was when it was pulled."""

    query: Query
    document: Document

    @property
    def key(self) -> tuple[str, str]:
        """What a judgment depends on: the query's text and the document's content hash."""
        return self.query.text, self.document.content_hash


def pool(
    runs: Iterable[Run],
    queries: Iterable[Query],
    documents: Mapping[str, Document],
    depth: int,
) -> list[Pair]:
    """The union of the runs to `depth` hits a query, ordered by query, then by document id.

    Documents that no longer have a text (deleted in between, or missing from a corpus file) are
    left out: they stay unjudged, and the coverage shows it.
    """
    held = list(runs)
    pairs: list[Pair] = []
    for query in queries:
        found = {h.document_id for run in held for h in run.hits(query.id)[:depth]}
        pairs += [Pair(query, documents[i]) for i in sorted(found) if i in documents]
    return pairs
