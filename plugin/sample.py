"""Documents drawn from an index: many folders, kinds and ages, in an order that a seed fixes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, InputError
from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.plugin.documents import Place, documents_at
from relevance_eval.plugin.pull import points_in_time
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.searches import KEEP_ALIVE, Load, failure_of, search_all
from relevance_eval.plugin.server import translated

__all__ = ["Sample", "Stratum", "sample_documents"]

CANDIDATES = 10_000
"""Documents that are looked at, at most; of a larger index a random part."""
PAGE = 1000
FETCHED = 100
"""Documents whose text is fetched at a time."""
MOST = 0.9
"""Share of the paths from which a folder counts as one that all of them are in."""
AGES = ("oldest third", "middle third", "newest third")
UNKNOWN = "none"
CHANGED = re.compile(r"modif|updat|chang|edit", re.IGNORECASE)
EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,5})$")
DATES = ("date", "date_nanos")


@dataclass(frozen=True, order=True)
class Stratum:
    """What a document is, as far as a sample should be even.

    Attributes:
        folder: first folder on the path in which paths of the index differ, or `none`.
        kind: extension of the file's name in lower case, or `none`.
        age: third of the index by date: oldest, middle, newest; or `none`.
    """

    folder: str
    kind: str
    age: str


@dataclass(frozen=True)
class Sample:
    """Documents in the order drawn: the sample of a smaller size is the beginning of it.

    Attributes:
        documents: distinct ids.
        strata: document id to stratum, for the documents drawn.
        held: documents in the index.
        short: documents that were drawn and left out, since they hold too little text.
    """

    documents: tuple[Document, ...]
    strata: Mapping[str, Stratum]
    held: int
    short: int

    def count(self, dimension: str) -> dict[str, int]:
        """How many were drawn by `folder`, `kind` or `age`, most first."""
        found = Counter(str(getattr(self.strata[d.id], dimension)) for d in self.documents)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Candidate:
    """A document of the index before its text is fetched; `date` in milliseconds."""

    id: str
    index: str
    folders: tuple[str, ...]
    kind: str
    date: int | None


def sample_documents(
    client: Elasticsearch,
    index: str,
    count: int,
    *,
    fields: Mapping[str, str],
    seed: int,
    shortest: int = 1,
    date: str | None = None,
    load: Load | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sample:
    """At most `count` documents, drawn stratum by stratum in turn, under one point in time.

    Ids and the fields of the strata are read of at most 10,000 documents; the order within a
    stratum, and of the strata, is that of a hash of the seed. So the same seed and index give the
    same documents. Folders come first: each is drawn from as often as another, as long as it has
    documents left.

    Args:
        fields: role to index field, as in `document_from`.
        shortest: characters of the body (of all fields, where no body is configured) below which a
            document is left out and counted, 1 or more.
        date: index field of a document's age; if None, the mapping's own, one that speaks of
            changes before others.
        progress: called with (documents drawn, documents wanted).

    Raises:
        MissingIndexError, AuthenticationError, UnreachableError: as they say.
        InputError: the index holds no documents, or none that is long enough.
        ConfigError: no document has any of the fields, or an id is in two indices.
    """
    target = Target(index)
    load = load or Load()
    with points_in_time(client, {target}) as pits:
        dated = date or date_field(client, index)
        held, candidates = read_candidates(client, pits[target], fields, seed, dated, load)
        if not candidates:
            raise InputError(
                "holds no documents", where=f"index {index}", remedy="load the documents first"
            )
        strata = strata_of(candidates)
        drawn = in_turn(candidates, strata, seed)
        documents: list[Document] = []
        short = empty = 0
        for document in texts(client, drawn, target, pits, fields, load):
            if length(document, fields) < shortest:
                short += 1
                empty += not document.fields
                continue
            documents.append(document)
            progress(len(documents), min(count, len(candidates)))
            if len(documents) == count:
                break
    if not documents:
        raise nothing_to_read(index, fields, short, empty, shortest)
    return Sample(tuple(documents), {d.id: strata[d.id] for d in documents}, held, short)


def date_field(client: Elasticsearch, index: str) -> str | None:
    """The mapping's date that most likely tells a document's age, or None."""
    with translated(f"index {index}"):
        found = client.field_caps(index=index, fields="*", types=list(DATES))["fields"]
    dates = sorted(name for name in found if not name.startswith("_"))
    return next((name for name in dates if CHANGED.search(name)), dates[0] if dates else None)


def read_candidates(
    client: Elasticsearch,
    pit: str,
    fields: Mapping[str, str],
    seed: int,
    date: str | None,
    load: Load,
) -> tuple[int, list[Candidate]]:
    """How many documents there are, and a random 10,000 of them at most, without their texts.

    Raises ServerError if a search fails or misses shards to the last retry.
    """
    light = {role: fields[role] for role in ("folder_path", "file_name") if role in fields}
    body: dict[str, Any] = {
        "pit": {"id": pit, "keep_alive": KEEP_ALIVE},
        "query": {
            "function_score": {
                "query": {"match_all": {}},
                "random_score": {"seed": seed, "field": "_seq_no"},
                "boost_mode": "replace",
            }
        },
        "size": PAGE,
        "_source": sorted(light.values()) or False,
        "sort": [{"_score": "desc"}, {"_shard_doc": "asc"}],
        "track_total_hits": True,
        **({"fields": [{"field": date, "format": "epoch_millis"}]} if date else {}),
    }
    held, found = 0, list[Candidate]()
    while len(found) < CANDIDATES:
        (response,) = search_all(client, [body], load, whole=True)
        if "error" in response:
            raise failure_of(response, "sampling documents")
        answer = response["hits"]
        held = held or int(answer["total"]["value"])
        found += [candidate_of(hit, light, date) for hit in answer["hits"]]
        if len(answer["hits"]) < PAGE:
            break
        body |= {"search_after": answer["hits"][-1]["sort"], "track_total_hits": False}
    check_distinct(found)
    return held, found


def candidate_of(hit: Mapping[str, Any], light: Mapping[str, str], date: str | None) -> Candidate:
    known = document_from(hit["_id"], hit.get("_source") or {}, light).fields
    folder = known.get("folder_path", "").partition("\n")[0]
    extension = EXTENSION.search(known.get("file_name", "").partition("\n")[0].strip())
    dates: list[Any] = hit.get("fields", {}).get(date, [])
    return Candidate(
        hit["_id"],
        hit["_index"],
        tuple(part for part in re.split(r"[/\\]+", folder) if part.strip()),
        extension[1].lower() if extension else UNKNOWN,
        int(float(dates[0])) if dates else None,
    )


def check_distinct(candidates: Sequence[Candidate]) -> None:
    seen: dict[str, str] = {}
    for candidate in candidates:
        first = seen.setdefault(candidate.id, candidate.index)
        if first != candidate.index:
            raise ConfigError(
                f"the id {candidate.id!r} is in {first} and in {candidate.index}",
                remedy="name one index, or an alias whose indices share no ids",
            )


def strata_of(candidates: Sequence[Candidate]) -> dict[str, Stratum]:
    shared = shared_depth([c.folders for c in candidates if c.folders])
    dates = sorted(c.date for c in candidates if c.date is not None)
    bounds = (
        [dates[len(dates) * part // len(AGES)] for part in range(1, len(AGES))] if dates else []
    )
    return {
        c.id: Stratum(
            c.folders[min(shared, len(c.folders) - 1)] if c.folders else UNKNOWN,
            c.kind,
            UNKNOWN if c.date is None else AGES[sum(c.date >= bound for bound in bounds)],
        )
        for c in candidates
    }


def shared_depth(paths: Sequence[tuple[str, ...]]) -> int:
    """How many folders from the root nearly all paths have in common, and so tell nothing."""
    for depth in range(max(map(len, paths), default=0)):
        there = Counter(path[depth] for path in paths if len(path) > depth)
        if max(there.values()) < MOST * len(paths):
            return depth
    return 0


def in_turn(
    candidates: Sequence[Candidate], strata: Mapping[str, Stratum], seed: int
) -> Iterator[Candidate]:
    """A document of each folder in turn, and within a folder of each kind and age in turn."""
    groups: dict[str, dict[Stratum, list[Candidate]]] = {}
    for candidate in sorted(candidates, key=lambda c: hashed(seed, c.id)):
        stratum = strata[candidate.id]
        groups.setdefault(stratum.folder, {}).setdefault(stratum, []).append(candidate)
    folders = sorted(groups, key=lambda folder: hashed(seed, folder))
    return turns(
        [
            turns([iter(inner[s]) for s in sorted(inner, key=lambda s: hashed(seed, repr(s)))])
            for inner in (groups[folder] for folder in folders)
        ]
    )


def turns(queues: Sequence[Iterator[Candidate]]) -> Iterator[Candidate]:
    waiting = list(queues)
    while waiting:
        for queue in list(waiting):
            try:
                yield next(queue)
            except StopIteration:
                waiting.remove(queue)


def hashed(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "surrogatepass")).digest()


def texts(
    client: Elasticsearch,
    drawn: Iterator[Candidate],
    target: Target,
    pits: Mapping[Target, str],
    fields: Mapping[str, str],
    load: Load,
) -> Iterator[Document]:
    """The documents in the order drawn, fetched only as far as somebody asks."""
    while chunk := list(islice(drawn, FETCHED)):
        places: dict[str, Place] = {c.id: (target, c.index) for c in chunk}
        found = documents_at(client, places, pits, fields, load)
        yield from (found[c.id] for c in chunk if c.id in found)


def length(document: Document, fields: Mapping[str, str]) -> int:
    if "body" in fields:
        return len(document.fields.get("body", ""))
    return sum(len(text) for text in document.fields.values())


def nothing_to_read(
    index: str, fields: Mapping[str, str], short: int, empty: int, shortest: int
) -> ConfigError | InputError:
    where = f"index {index}"
    if empty == short:
        named = ", ".join(f"{role} = {name!r}" for role, name in sorted(fields.items()))
        return ConfigError(
            f"no document has any of the fields of [documents]: {named or 'none is named'}",
            where=where,
            remedy="say in [documents] which field of the index plays which role",
        )
    return InputError(
        f"none of {short:,} documents has {shortest:,} characters of body",
        where=where,
        remedy="check [documents] body, or lower shortest in [training.synthesize]",
    )
