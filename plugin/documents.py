"""Documents of an index by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError, RequestError, ServerError
from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load, failure_of, framed, search_all
from relevance_eval.plugin.server import reason_of, translated

__all__ = ["Place", "documents_at", "fetch_documents"]

AT_ONCE = 500
"""Documents asked for by one request by id."""
IN_A_SEARCH = 100
"""Documents asked for by one search."""

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
    for target, pit in pits.items():
        ids = [i for i, (found_by, _) in places.items() if found_by == target]
        chunks = [ids[start : start + IN_A_SEARCH] for start in range(0, len(ids), IN_A_SEARCH)]
        source = {"_source": sorted(set(fields.values()))}
        bodies = [
            framed({"query": {"ids": {"values": chunk}}}, pit, 2 * IN_A_SEARCH) | source
            for chunk in chunks
        ]
        for response in search_all(client, bodies, load, whole=True):
            if "error" in response:
                raise failure_of(response, "fetching documents")
            for hit in response["hits"]["hits"]:
                if places[hit["_id"]][1] == hit["_index"]:
                    text = document_from(hit["_id"], hit.get("_source", {}), fields)
                    documents[text.id] = text
    return dict(sorted(documents.items()))
