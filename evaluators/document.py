"""A document as a labeler sees it: a few fields of clean text, and a hash of exactly those."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import InputError
from relevance_eval.evaluators.jsonl import read_rows, text_of, write_rows

__all__ = [
    "DEFAULT_FIELDS",
    "MAX_FIELD_CHARACTERS",
    "Document",
    "document_from",
    "read_corpus",
    "write_documents",
]

MAX_FIELD_CHARACTERS = 20_000
DEFAULT_FIELDS = {name: name for name in ("title", "author", "file_name", "folder_path", "body")}
# C0 and C1 controls but for tab and line feed, and halves of characters (lone surrogates), which
# no file can hold; Unicode's own line separators are kept.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """What a ranker returned, as it was then.

    Attributes:
        id: as in the index.
        fields: role (title, author, file_name, folder_path, body) to text; an absent field is
            absent, never an empty string. Each at most 20,000 characters, without control
            characters.
    """

    id: str
    fields: Mapping[str, str]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal, 64 characters) of the fields; the id has no part in it."""
        text = json.dumps(dict(self.fields), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def document_from(
    identifier: str, source: Mapping[str, Any], fields: Mapping[str, str] = DEFAULT_FIELDS
) -> Document:
    """A document out of an index's `_source`; `fields` says which index field plays which role.

    A name with dots reaches into objects, and into each of a list of them. Lists become
    lines, other values their JSON.
    """
    texts = {role: clean(value_at(source, name)) for role, name in fields.items()}
    return Document(identifier, {role: text for role, text in texts.items() if text})


def value_at(source: Mapping[str, Any], name: str) -> Any:
    if name in source:
        return source[name]
    head, _, rest = name.partition(".")
    return value_within(source.get(head), rest) if rest else None


def value_within(inner: Any, name: str) -> Any:
    """As Elasticsearch has it, a list of objects is a list of values under each of their names."""
    if isinstance(inner, dict):
        return value_at(cast(dict[str, Any], inner), name)
    if isinstance(inner, list):
        values = (value_within(item, name) for item in cast(list[Any], inner))
        return [value for value in values if value is not None]
    return None


def clean(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        value = "\n".join(clean(item) for item in cast(list[Any], value))
    elif not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return CONTROL.sub(" ", value[:MAX_FIELD_CHARACTERS]).strip()


def read_corpus(
    path: Path, fields: Mapping[str, str] = DEFAULT_FIELDS, wanted: frozenset[str] | None = None
) -> dict[str, Document]:
    """Documents by id from a JSON Lines file of `id` and fields, in the file's order.

    Args:
        wanted: keep only these ids (all, if None), so that a large corpus fits in memory.

    Raises:
        InputError: a broken line, or an id used twice.
    """
    documents: dict[str, Document] = {}
    for place, row in read_rows(path):
        identifier = text_of(row, "id", place)
        if wanted is not None and identifier not in wanted:
            continue
        if identifier in documents:
            raise InputError(f"the document id {identifier!r} is used twice", where=place)
        documents[identifier] = document_from(identifier, row, fields)
    return documents


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    write_rows(path, ({"id": d.id, **d.fields} for d in documents))
