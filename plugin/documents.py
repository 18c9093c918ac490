"""Documents of an index by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError, RequestError, ServerError
from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load, failure_of, framed, search_in_turn
from relevance_eval.plugin.server import reason_of, translated

__all__ = ["AT_ONCE", "Place", "documents_at", "fetch_documents"]

AT_ONCE = 50
"""Documents asked for by one request: whole they come, each of megabytes perhaps."""

Place = tuple[Target, str]
"""The target that found a document, and the index that it is in."""


def fetch_documents(
    client: Elasticsearch, index: str, ids: Sequence[str], fields: Mapping[str, str]
) -> dict[str, Document]:
    """Documents by id, as they are now; ids that the index does not hold are left out.

    Args:
        fields: role to index field, as in `document_from`.

    Raises:
        MissingIndexError: there is no such index.
        RequestError: the name is an alias of several indices, from which no id can be fetched.
    """
    found: dict[str, Document] = {}
    for start in range(0, len(ids), AT_ONCE):
        with translated(f"index {index}"):
            answer = client.mget(
                index=index,
                ids=list(ids[start : start + AT_ONCE]),
                source_includes=sorted(set(fields.values())),
            )
        for item in answer["docs"]:
            if "error" in item:
                raise of_reason(reason_of(item), index)
            if item.get("found"):
                found[item["_id"]] = document_from(item["_id"], item["_source"], fields)
    return found


def of_reason(reason: str, index: str) -> ServerError:
    """An error of one id: an index that is missing or is several fails each of them alike."""
    if "no such index" in reason:
        return MissingIndexError(
            reason, where=f"index {index}", remedy="check [elasticsearch] index"
        )
    return RequestError(
        reason, where=f"index {index}", remedy="name one index, or say --corpus FILE"
    )


def documents_at(
    client: Elasticsearch,
    places: Mapping[str, Place],
    pits: Mapping[Target, str],
    fields: Mapping[str, str],
    load: Load,
) -> dict[str, Document]:
    """The documents by id, as they are at the point in time that found them.

    Raises ServerError if a search fails or misses shards to the last retry: what is not there would
    count as irrelevant.
    """
    documents: dict[str, Document] = {}
    for response in search_in_turn(client, bodies_for(places, pits, fields), load):
        if "error" in response:
            raise failure_of(response, "fetching documents")
        for hit in response["hits"]["hits"]:
            if places[hit["_id"]][1] == hit["_index"]:
                text = document_from(hit["_id"], hit.get("_source", {}), fields)
                documents[text.id] = text
    return dict(sorted(documents.items()))


def bodies_for(
    places: Mapping[str, Place], pits: Mapping[Target, str], fields: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Searches by id, target after target in turn, so that no point in time waits and expires."""
    bodies: list[tuple[int, dict[str, Any]]] = []
    for target, pit in pits.items():
        ids = [i for i, (found_by, _) in places.items() if found_by == target]
        for start in range(0, len(ids), AT_ONCE):
            query = {"ids": {"values": ids[start : start + AT_ONCE]}}
            source = {"_source": sorted(set(fields.values()))}
            bodies.append((start, framed({"query": query}, pit, 2 * AT_ONCE) | source))
    return [body for _, body in sorted(bodies, key=lambda item: item[0])]
