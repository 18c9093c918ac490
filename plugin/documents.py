"""Documents of an index by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError, RequestError, ServerError
from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.plugin.server import reason_of, translated

__all__ = ["fetch_documents"]

AT_ONCE = 500


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
