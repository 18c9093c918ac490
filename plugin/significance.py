"""Words that tell a document's subject from the rest of the index, by `significant_text`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.plugin.pull import points_in_time
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load, framed, search_all

__all__ = ["significant_terms"]

ALIKE = 10
"""Documents of a shard that stand for the subject: this one and those most like it."""
TERMS = 80
IN_TWO = 2
"""A term of one document alone is as often a misspelling as a subject."""


def significant_terms(
    client: Elasticsearch,
    index: str,
    ids: Sequence[str],
    field: str,
    *,
    load: Load | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, dict[str, float]]:
    """Document id to terms as the index analyses them, with their scores, best first.

    The foreground are the documents most like this one (`more_like_this`), the background is the
    whole index, the score is the server's default (JLH). A document has no terms where the search
    fails: a field that is not text, or one that the mapping does not know.

    Args:
        field: of type text, in the index.
        progress: called with (documents done, documents in all).

    Raises:
        MissingIndexError, AuthenticationError, UnreachableError: as they say.
    """
    target = Target(index)
    with points_in_time(client, {target}) as pits:
        bodies = [framed(search_for(index, i, field), pits[target], 0) for i in ids]
        responses = search_all(client, bodies, load or Load(), progress)
    return {i: terms_of(response) for i, response in zip(ids, responses, strict=True)}


def search_for(index: str, identifier: str, field: str) -> dict[str, Any]:
    like = {
        "fields": [field],
        "like": [{"_index": index, "_id": identifier}],
        "include": True,
        "min_term_freq": 1,
        "min_doc_freq": IN_TWO,
    }
    # no filter_duplicate_text: it takes three times as long, and a family of copies has a subject
    terms = {"field": field, "size": TERMS, "min_doc_count": IN_TWO}
    return {
        "query": {"more_like_this": like},
        "aggs": {
            "alike": {
                "sampler": {"shard_size": ALIKE},
                "aggs": {"terms": {"significant_text": terms}},
            }
        },
    }


def terms_of(response: Mapping[str, Any]) -> dict[str, float]:
    if "aggregations" not in response:
        return {}
    buckets = response["aggregations"]["alike"]["terms"]["buckets"]
    return {str(bucket["key"]): float(bucket["score"]) for bucket in buckets}
