"""Documents of an index by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError
from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import Load, failure_of, framed, search_in_turn

__all__ = ["AT_ONCE", "Place", "documents_at", "documents_by_id"]

AT_ONCE = 50
"""Documents asked for by one request: whole they come, each of megabytes perhaps."""

Place = tuple[Target, str]
"""The target that found a document, and the index that it is in."""


def documents_by_id(
    client: Elasticsearch,
    target: Target,
    pit: str,
    ids: Iterable[str],
    fields: Mapping[str, str],
    load: Load,
) -> dict[str, tuple[str, Document]]:
    """Each document and the index that it is in, by id, as the target is at the point in time.

    Ids that it does not hold are left out.

    Args:
        fields: role to index field, as in `document_from`.

    Raises:
        ConfigError: an id is in two indices of the target.
        ServerError: a search fails or misses shards to the last retry.
    """
    found: dict[str, tuple[str, Document]] = {}
    bodies = [body_by_id(part, pit, fields) for part in parts_of(sorted(set(ids)))]
    for hit in hits_of(client, bodies, load, f"index {target.index}"):
        index, document = hit["_index"], document_of(hit, fields)
        known, _ = found.setdefault(document.id, (index, document))
        if known != index:
            raise ConfigError(
                f"the id {document.id!r} is in {known} and in {index}",
                where=f"index {target.index}",
                remedy="name one index, or an alias whose indices share no ids",
            )
    return dict(sorted(found.items()))


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
    bodies = bodies_for(places, pits, fields)
    hits = hits_of(client, bodies, load, "fetching documents")
    found = [document_of(hit, fields) for hit in hits if places[hit["_id"]][1] == hit["_index"]]
    return {document.id: document for document in sorted(found, key=lambda d: d.id)}


def bodies_for(
    places: Mapping[str, Place], pits: Mapping[Target, str], fields: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Searches by id, target after target in turn, so that no point in time waits and expires."""
    bodies: list[tuple[int, dict[str, Any]]] = []
    for target, pit in pits.items():
        ids = [i for i, (found_by, _) in places.items() if found_by == target]
        bodies += [(n, body_by_id(part, pit, fields)) for n, part in enumerate(parts_of(ids))]
    return [body for _, body in sorted(bodies, key=lambda item: item[0])]


def parts_of(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]


def body_by_id(ids: Sequence[str], pit: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """A search for documents with these ids, of which two indices may hold the same."""
    source = {"_source": sorted(set(fields.values()))}
    return framed({"query": {"ids": {"values": list(ids)}}}, pit, 2 * AT_ONCE) | source


def hits_of(
    client: Elasticsearch, bodies: Sequence[Mapping[str, Any]], load: Load, where: str
) -> Iterator[Mapping[str, Any]]:
    for response in search_in_turn(client, bodies, load):
        if "error" in response:
            raise failure_of(response, where)
        yield from response["hits"]["hits"]


def document_of(hit: Mapping[str, Any], fields: Mapping[str, str]) -> Document:
    return document_from(hit["_id"], hit.get("_source", {}), fields)
