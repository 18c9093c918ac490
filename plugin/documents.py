"""Documents of an index by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from elasticsearch import Elasticsearch

from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.plugin.server import translated

__all__ = ["fetch_documents"]

AT_ONCE = 500


def fetch_documents(
    client: Elasticsearch, index: str, ids: Sequence[str], fields: Mapping[str, str]
) -> dict[str, Document]:
    """Documents by id, as they are now; ids that the index does not hold are left out.

    Args:
        fields: role to index field, as in `document_from`.
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
            if item.get("found"):
                found[item["_id"]] = document_from(item["_id"], item["_source"], fields)
    return found
