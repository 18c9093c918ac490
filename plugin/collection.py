"""Loading documents into an index: JSON Lines, or a collection of `ir_datasets`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from elasticsearch import Elasticsearch
from elasticsearch.helpers import BulkIndexError, streaming_bulk

from relevance_eval.errors import ConfigError, InputError, ServerError, storage_error
from relevance_eval.evaluators.document import DEFAULT_FIELDS, document_from
from relevance_eval.evaluators.jsonl import read_rows, text_of
from relevance_eval.plugin import datasets
from relevance_eval.plugin.embedders import Embedder, passage_text
from relevance_eval.plugin.server import translated

__all__ = ["Source", "exists", "is_loaded", "load_documents", "open_source", "read_mapping"]

AT_ONCE = 100
LARGEST = 1_000_000
"""Bytes of a request, if no document is larger alone: some proxies take no more than a megabyte."""
MERGING = 600.0
"""Seconds for the index to become one segment."""
STAMP = "relevance-eval"
PARTS = {"aliases", "mappings", "settings"}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """Documents to load, whose every row was looked at before the first is sent.

    Attributes:
        name: the file, or `irds:NAME`.
        count: documents.
        rows: gives (id, fields) anew each time it is called.
        fingerprint: of the contents, to tell whether an index still holds them.
    """

    name: str
    count: int
    rows: Callable[[], Iterator[tuple[str, Row]]]
    fingerprint: str


def open_source(name: str) -> Source:
    """Raises InputError for a broken line or an id used twice, before anything is loaded."""
    if name.startswith(datasets.PREFIX):
        return check(name, lambda: datasets.documents(name))
    if Path(name).is_fifo():
        raise InputError(
            "documents are read twice, to check and to load them, and a pipe gives them once",
            where=name,
            remedy="write them to a file first",
        )
    return check(name, lambda: file_rows(Path(name)))


def check(name: str, rows: Callable[[], Iterator[tuple[str, Row]]]) -> Source:
    digest = hashlib.sha256()
    seen: set[str] = set()
    for identifier, row in rows():
        if identifier in seen:
            raise InputError(f"the document id {identifier!r} is used twice", where=name)
        seen.add(identifier)
        digest.update(json.dumps([identifier, row], sort_keys=True, default=str).encode())
    if not seen:
        raise InputError("holds no documents", where=name)
    return Source(name, len(seen), rows, digest.hexdigest())


def file_rows(path: Path) -> Iterator[tuple[str, Row]]:
    for place, row in read_rows(path):
        yield text_of(row, "id", place), {k: v for k, v in row.items() if k != "id"}


def read_mapping(path: Path) -> dict[str, Any]:
    """Settings and mappings for the index. Raises ConfigError if the file holds others."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("there is no such file", where=str(path)) from None
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
    parts = cast(dict[str, Any], body)
    if not isinstance(body, dict) or not parts.keys() <= PARTS:
        raise ConfigError(
            f"a JSON object of {', '.join(sorted(PARTS))} is needed, and nothing else",
            where=str(path),
        )
    return parts


def is_loaded(
    client: Elasticsearch,
    index: str,
    source: Source,
    *,
    body: Mapping[str, Any] | None = None,
    embedder: Embedder | None = None,
    fields: Mapping[str, str] = DEFAULT_FIELDS,
) -> bool:
    """Whether `load_documents` loaded exactly this to the end, with this body and embedder."""
    if not exists(client, index):
        return False
    with translated(f"index {index}"):
        mapping = next(iter(client.indices.get_mapping(index=index).values()))
    return mapping["mappings"].get("_meta", {}).get(STAMP) == stamp(source, body, embedder, fields)


def exists(client: Elasticsearch, index: str) -> bool:
    with translated(f"index {index}"):
        return bool(client.indices.exists(index=index))


def stamp(
    source: Source,
    body: Mapping[str, Any] | None,
    embedder: Embedder | None,
    fields: Mapping[str, str],
) -> str:
    settings: dict[str, Any] | None = None
    if embedder:
        read = {role: fields.get(role) for role in embedder.settings.fields}
        model = embedder.fingerprint
        settings = {**asdict(embedder.settings), "documents": read, "fingerprint": model}
    text = json.dumps([source.fingerprint, body or {}, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load_documents(
    client: Elasticsearch,
    index: str,
    source: Source,
    *,
    body: Mapping[str, Any] | None = None,
    embedder: Embedder | None = None,
    fields: Mapping[str, str] = DEFAULT_FIELDS,
    replace: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Creates the index and fills it; returns how many documents it then holds.

    The stamp that `is_loaded` looks for is written last, so a killed load is begun anew.

    Args:
        body: settings and mappings of the index; the server's defaults if None.
        embedder: adds a vector to each document, in its target field.
        fields: role to index field, as in `document_from`, of what the embedder reads.
        replace: delete an index of this name first. Without it, an index that exists raises.

    Raises:
        ConfigError: the index exists and `replace` is not set, or it is an alias, or several.
        ServerError: the server refuses a document, with its id.
    """
    with translated(f"index {index}"):
        if client.indices.exists(index=index):
            if not replace:
                raise ConfigError(
                    f"the index {index} exists",
                    remedy="load into another index, or say --replace to delete it first",
                )
            check_one(client, index)
            client.indices.delete(index=index)
        client.indices.create(index=index, **dict(body or {}))
        done = 0
        try:
            for _ in streaming_bulk(
                client,
                actions(index, source, embedder, fields),
                chunk_size=AT_ONCE,
                max_chunk_bytes=LARGEST,
                max_retries=4,
            ):
                done += 1
                if done % AT_ONCE == 0 or done == source.count:
                    progress(done, source.count)
        except BulkIndexError as error:
            raise refused(error, source) from error
        # One segment: a merge later on would change the order of hits with equal scores.
        client.options(request_timeout=MERGING).indices.forcemerge(index=index, max_num_segments=1)
        client.indices.put_mapping(index=index, meta={STAMP: stamp(source, body, embedder, fields)})
        client.indices.refresh(index=index)
        return int(client.count(index=index)["count"])


def check_one(client: Elasticsearch, index: str) -> None:
    """Raises ConfigError unless an index of this very name would be deleted, and no other."""
    found = sorted(client.indices.get(index=index))
    if found != [index]:
        raise ConfigError(
            f"{index} is no index but stands for {', '.join(found) or 'none'}; nothing was deleted",
            remedy="load into one index, by its own name",
        )


def actions(
    index: str, source: Source, embedder: Embedder | None, fields: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    rows = source.rows()
    while chunk := list(islice(rows, AT_ONCE)):
        for (identifier, row), vector in zip(chunk, vectors(chunk, embedder, fields), strict=True):
            yield {"_index": index, "_id": identifier, "_source": {**row, **vector}}


def vectors(
    chunk: Sequence[tuple[str, Row]], embedder: Embedder | None, fields: Mapping[str, str]
) -> list[dict[str, list[float]]]:
    """The vector field of each document; nothing for one without text, or without an embedder."""
    if embedder is None:
        return [{} for _ in chunk]
    settings = embedder.settings
    texts = [
        passage_text(document_from(identifier, row, fields), settings.fields)
        for identifier, row in chunk
    ]
    filled = [text for text in texts if text]
    rows = iter(embedder.embed(filled, "passage").tolist() if filled else [])
    return [{settings.target: next(rows)} if text else {} for text in texts]


def refused(error: BulkIndexError, source: Source) -> ServerError:
    item: Mapping[str, Any] = next(iter(cast(Iterable[Any], error.errors[0].values())))
    reason = item.get("error", {}).get("reason", "no reason given")
    return ServerError(
        f"the server refuses document {item.get('_id')!r}: {reason}",
        where=source.name,
        remedy="mend the document or the mapping, then load with --replace",
    )
