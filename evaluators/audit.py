"""A random sample of a query set, drawn for people to grade, and its file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relevance_eval.errors import InputError, UsageError, storage_error
from relevance_eval.evaluators.query import Query

__all__ = [
    "Audit",
    "check_random",
    "draw_audit",
    "hash_queries",
    "not_random",
    "read_audit",
    "write_audit",
]

FORMAT = "relevance-eval/audit/1"
FEWEST = 2
"""Queries of each stratum that are drawn, if it holds so many: one alone shows no spread."""
UNTAGGED = ""
Share = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Audit(BaseModel):
    """Which queries were drawn, and all that it takes to draw them again.

    Attributes:
        query_set: SHA-256 of the ids and texts of all queries, in whatever order.
        queries: how many these are.
        size: queries asked for; with weights, the number expected.
        strata: tag by whose values the queries were grouped before the draw; None for no groups.
        weights: query id to how much more probable it was to be drawn than one of weight 1; None
            where all of a stratum were equally likely.
        seed: of the draw.
        drawn: query id to its chance to be drawn, above 0 and at most 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    format: Literal["relevance-eval/audit/1"] = Field(default=FORMAT, alias="schema")
    query_set: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    queries: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1)]
    strata: str | None = None
    weights: dict[str, Weight] | None = None
    seed: Annotated[int, Field(ge=0)]
    drawn: dict[str, Share]


def draw_audit(
    queries: Sequence[Query],
    size: int,
    strata: str | None = None,
    seed: int = 0,
    *,
    weights: Mapping[str, float] | None = None,
) -> Audit:
    """Draws queries by the hash of seed and id, so that their order in the set has no part in it.

    Without weights, each stratum gives a number in proportion to its queries, two at least, and
    all sets of that number are equally likely. With weights, each query is drawn by itself with a
    probability in proportion to its weight, 1 at most (Poisson sampling), so that the number of
    those drawn varies around `size`.

    Args:
        size: 2 or more, and no more than there are queries.
        strata: tag to group by; queries without it are a group of their own.
        weights: query id to weight above 0, for every query; not together with strata.

    Raises:
        UsageError: the size, the tag or the weights do not fit the queries.
    """
    check_draw(queries, size, strata, weights)
    if weights is None:
        drawn = drawn_from_strata(queries, size, strata, seed)
    else:
        drawn = drawn_by_weight({q.id: float(weights[q.id]) for q in queries}, size, seed)
    return Audit(
        query_set=hash_queries(queries),
        queries=len(queries),
        size=size,
        strata=strata,
        weights=None if weights is None else {i: float(weights[i]) for i in sorted(weights)},
        seed=seed,
        drawn=drawn,
    )


def check_draw(
    queries: Sequence[Query], size: int, strata: str | None, weights: Mapping[str, float] | None
) -> None:
    if not FEWEST <= size <= len(queries):
        raise UsageError(
            f"an audit of {size} cannot be drawn from {len(queries)} queries",
            remedy=f"ask for {FEWEST} to {len(queries)}",
        )
    if strata is not None and not any(strata in q.tags for q in queries):
        tags = sorted({tag for q in queries for tag in q.tags})
        raise UsageError(
            f"no query has the tag {strata!r}",
            remedy=f"the set has {', '.join(tags)}"
            if tags
            else "the set has no tags: draw plainly",
        )
    if weights is None:
        return
    if strata is not None:
        raise UsageError("an audit is drawn by strata or by weights, not by both")
    wrong = [q.id for q in queries if not 0 < weights.get(q.id, 0) < float("inf")]
    if wrong or len(weights) != len(queries):
        place = wrong[0] if wrong else min(weights.keys() - {q.id for q in queries})
        raise UsageError(
            "a weight above 0 is needed for each query of the set, and for no other",
            where=f"query {place}",
            remedy="a query that can never be drawn would be left out of every estimate",
        )


def drawn_from_strata(
    queries: Sequence[Query], size: int, strata: str | None, seed: int
) -> dict[str, float]:
    groups: dict[str, list[str]] = {}
    for query in queries:
        groups.setdefault(stratum_of(query, strata), []).append(query.id)
    drawn: dict[str, float] = {}
    for name, count in allotted({n: len(ids) for n, ids in groups.items()}, size).items():
        first = sorted(groups[name], key=lambda i: lot(i, seed))[:count]
        drawn |= dict.fromkeys(first, count / len(groups[name]))
    return {i: drawn[i] for i in sorted(drawn)}


def stratum_of(query: Query, strata: str | None) -> str:
    return query.tags.get(strata, UNTAGGED) if strata else UNTAGGED


def allotted(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How many each stratum gives: two, or all it has, and the rest in proportion.

    Raises UsageError if two of each are more than the total.
    """
    counts = {name: min(FEWEST, size) for name, size in sorted(sizes.items())}
    if sum(counts.values()) > total:
        raise UsageError(
            f"{len(sizes)} strata need an audit of {sum(counts.values())} or more, not {total}",
            remedy="draw more queries, or group by a tag with fewer values",
        )
    everything = sum(sizes.values())
    for _ in range(total - sum(counts.values())):
        open_ones = [n for n in counts if counts[n] < sizes[n]]
        furthest = max(open_ones, key=lambda n: total * sizes[n] / everything - counts[n])
        counts[furthest] += 1
    return counts


def drawn_by_weight(weights: Mapping[str, float], size: int, seed: int) -> dict[str, float]:
    chances = proportional(weights, size)
    return {i: chances[i] for i in sorted(chances) if lot(i, seed) < chances[i]}


def proportional(weights: Mapping[str, float], size: int) -> dict[str, float]:
    """Probabilities in proportion to the weights, 1 at most, that sum to `size`."""
    certain: set[str] = set()
    while True:
        rest = {i: w for i, w in weights.items() if i not in certain}
        scale = (size - len(certain)) / math.fsum(rest.values()) if rest else 0.0
        above = {i for i, w in rest.items() if w * scale >= 1}
        if not above:
            return {i: 1.0 if i in certain else weights[i] * scale for i in weights}
        certain |= above


def lot(identifier: str, seed: int) -> float:
    """A number from 0 to below 1 that is as good as random, the same for the same seed and id."""
    digest = hashlib.sha256(f"audit {seed} {identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def hash_queries(queries: Iterable[Query]) -> str:
    """SHA-256 (hexadecimal) of the ids and texts, in the ids' order."""
    rows = sorted((q.id, q.text) for q in queries)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def not_random(audit: Audit | None, queries: Sequence[Query]) -> str | None:
    """Why these queries are no random sample of the set, in a sentence; None if they are one.

    The draw is done again: queries that were added, left out or exchanged by hand, and chances
    that were changed, show. That the seed was chosen before the grades were seen does not.
    """
    if audit is None:
        return "the queries that people graded were not drawn at random: there is no audit file"
    if audit.query_set != hash_queries(queries):
        strangers = len(audit.drawn.keys() - {q.id for q in queries})
        unknown = f", and {strangers} of those drawn are not in this one" if strangers else ""
        return (
            f"the audit was drawn from another set of {audit.queries} queries, "
            f"and this one has {len(queries)}{unknown}"
        )
    try:
        again = draw_audit(queries, audit.size, audit.strata, audit.seed, weights=audit.weights)
    except UsageError as error:
        return f"the audit cannot have been drawn as its file says: {error.message}"
    if again.drawn != audit.drawn:
        tags = f", or a tag {audit.strata!r} is another since" if audit.strata else ""
        return (
            "the audit's queries are not those that its seed draws: they were chosen by hand" + tags
        )
    return None


def check_random(audit: Audit, queries: Sequence[Query], where: str) -> None:
    """Raises UsageError, with the audit's file, for one that is no random sample of these."""
    wrong = not_random(audit, queries)
    if wrong:
        raise UsageError(
            wrong, where=where, remedy="draw again: relevance-eval audit draw, or name its set"
        )


def write_audit(path: Path, audit: Audit) -> None:
    """Raises StorageError if the file cannot be written."""
    text = json.dumps(audit.model_dump(by_alias=True), indent=2, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise storage_error(error, path) from error


def read_audit(path: Path) -> Audit:
    """Raises InputError, with the field, for a file that is no audit or of a newer format."""
    try:
        row = cast(object, json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", where=str(path)) from None
    try:
        return Audit.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{field}: {first['msg']}",
            where=str(path),
            remedy="an audit file is written by the draw and not by hand",
        ) from None
