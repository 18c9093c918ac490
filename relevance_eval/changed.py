"""What differs between two saved comparisons, and which of their numbers go side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relevance_eval.evaluators.query import Query
from relevance_eval.saved import OriginPart, RankerPart, Saved

__all__ = ["Aspect", "Changes", "Pairing", "State", "changes_between"]

OF_THE_LIST_ALONE = ("P", "RR", "ERR", "Judged")
"""Measures of one ranker's list. The others have an ideal or a count of all that is relevant, over
what all rankers of a comparison found."""

NOT_RECORDED = "not recorded by an earlier version"
RULES = ("queries", "judge", "fields", "measures")
"""Where one of these changed, means do not go side by side."""
ONE_CAUSE = "what differs comes from there, not from a ranker"


class State(StrEnum):
    """`unknown`: one of the two was saved before this was recorded, or nothing was asked of it."""

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Aspect:
    """One thing that comparisons are made of, before and after.

    Attributes:
        name: queries, judge, graded pairs, fields, measures, deciding, corpus, index settings, or
            `ranker NAME`.
        detail: how much of it changed, for people to read.
    """

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Pairing:
    """A measure of a ranker that is in both comparisons.

    Attributes:
        before, after: its means.
        comparable: whether both were measured with the same rule, on the same queries.
        other_queries: whether some queries count in one of the two alone: a search failed, or
            nothing of use was found.
    """

    ranker: str
    measure: str
    before: float
    after: float
    comparable: bool
    other_queries: bool


@dataclass(frozen=True)
class Changes:
    """An old comparison beside a new one.

    Attributes:
        conclusion: what a difference between their numbers can come from, in sentences.
    """

    aspects: Sequence[Aspect]
    pairings: Sequence[Pairing]
    conclusion: Sequence[str]

    def changed(self, prefix: str) -> bool:
        """Whether an aspect whose name begins so has changed."""
        return any(a.name.startswith(prefix) and a.state is State.CHANGED for a in self.aspects)


def changes_between(old: Saved, new: Saved) -> Changes:
    """What changed: the queries, the judge, the corpus, the index, the rankers, the measuring.

    Judge and corpus are looked at on what both comparisons saw, since another ranker finds other
    documents. A ranker that asks the same and finds something else shows a changed index even
    where no document that both saw has changed.
    """
    fields = by_hash("fields", old, new, lambda o: o.fields, "which field plays which role")
    aspects = [
        of_queries(old.queries, new.queries),
        of_judge(old, new),
        of_graded(old, new),
        fields,
        of_measures(old, new),
        by_hash("deciding", old, new, lambda o: o.deciding, "primary measure, level, margin, seed"),
        of_corpus(old, new, fields),
        of_index(old, new),
        *of_rankers(old, new),
    ]
    found = Changes(aspects, (), ())
    few = any(saved.result.labels.skipped for saved in (old, new))
    pairings = list(paired(old, new, found, few=few))
    return Changes(aspects, pairings, list(conclusions(found, pairings, few=few)))


def of_queries(old: Mapping[str, Query], new: Mapping[str, Query]) -> Aspect:
    both = old.keys() & new.keys()
    texts = sum(old[q].text != new[q].text for q in both)
    tags = sum(dict(old[q].tags) != dict(new[q].tags) for q in both)
    gone, added = len(old.keys() - both), len(new.keys() - both)
    retagged = f", {tags:,} with other tags" if tags else ""
    if not (texts or gone or added):
        return Aspect("queries", State.SAME, f"{len(both):,} queries{retagged}")
    detail = f"{len(both):,} in both, {gone:,} gone, {added:,} new, {texts:,} with another text"
    return Aspect("queries", State.CHANGED, detail + retagged)


def of_judge(old: Saved, new: Saved) -> Aspect:
    """The labeler, and the grades of pairs whose query and document are the same in both."""
    same, other = 0, 0
    for query_id, graded in new.judgments.items():
        before = old.judgments.get(query_id, {})
        if query_id not in old.queries or not same_text(old, new, query_id):
            continue
        for document_id in graded.keys() & before.keys():
            if same_document(old, new, document_id):
                equal = graded[document_id].probabilities == before[document_id].probabilities
                same, other = same + equal, other + (not equal)
    detail = f"{other:,} of {same + other:,} pairs that both graded have another grade"
    one, two = old.result.labeler, new.result.labeler
    if one.fingerprint != two.fingerprint:
        now = two.name if one.name != two.name else "of other files, or in another arithmetic"
        return Aspect("judge", State.CHANGED, f"labeler {one.name}, now {now}; {detail}")
    return Aspect("judge", State.CHANGED if other else State.SAME, f"{two.name}; {detail}")


def of_graded(old: Saved, new: Saved) -> Aspect:
    """Which documents have a grade, for queries that are the same in both: an ideal is made of
    them."""
    queries = [q for q in old.queries if same_text(old, new, q)]
    before, after = (
        {(q, d) for q in queries for d in saved.judgments.get(q, {})} for saved in (old, new)
    )
    alone = len(before ^ after)
    detail = f"{len(before & after):,} in both, {alone:,} in one alone"
    return Aspect("graded pairs", State.CHANGED if alone else State.SAME, detail)


def same_text(old: Saved, new: Saved, query_id: str) -> bool:
    return query_id in new.queries and old.queries[query_id].text == new.queries[query_id].text


def same_document(old: Saved, new: Saved, document_id: str) -> bool:
    before, after = old.documents.get(document_id), new.documents.get(document_id)
    if before is None or after is None:
        return before is after
    return before.content_hash == after.content_hash


def of_corpus(old: Saved, new: Saved, fields: Aspect) -> Aspect:
    """Args: `fields`: whether both read the same fields; if not, contents differ by that alone."""
    both = old.documents.keys() & new.documents.keys()
    other = sum(not same_document(old, new, d) for d in both)
    asking = (name for name in shared(old, new) if asked_same(old, new, name))
    moved = [name for name in asking if moves(old, new, name)]
    if moved:
        detail = f"{', '.join(moved)} asked the same and found something else"
        return Aspect("corpus", State.CHANGED, detail)
    if not both:
        return Aspect("corpus", State.UNKNOWN, "no document was seen by both")
    if fields.state is State.CHANGED:
        return Aspect("corpus", State.UNKNOWN, "other fields were read")
    detail = f"{other:,} of {len(both):,} documents that both saw have another content"
    return Aspect("corpus", State.CHANGED if other else State.SAME, detail)


def of_index(old: Saved, new: Saved) -> Aspect:
    before, after = old.result.made_of, new.result.made_of
    name = "index settings"
    if not (before and after and before.indices and after.indices):
        return Aspect(name, State.UNKNOWN, "not recorded: run files, or an earlier version")
    if before.indices == after.indices:
        return Aspect(name, State.SAME, ", ".join(after.indices))
    names = sorted(before.indices.keys() | after.indices.keys())
    other = [n for n in names if before.indices.get(n) != after.indices.get(n)]
    return Aspect(name, State.CHANGED, f"settings or mapping of {', '.join(other)}")


def by_hash(
    name: str, old: Saved, new: Saved, key: Callable[[OriginPart], str], detail: str
) -> Aspect:
    before, after = old.result.made_of, new.result.made_of
    if before is None or after is None:
        return Aspect(name, State.UNKNOWN, NOT_RECORDED)
    return Aspect(name, State.SAME if key(before) == key(after) else State.CHANGED, detail)


def of_measures(old: Saved, new: Saved) -> Aspect:
    """How grades become numbers, of the measures that both have."""
    before, after = old.result.made_of, new.result.made_of
    if before is None or after is None:
        return Aspect("measures", State.UNKNOWN, NOT_RECORDED)
    both = [m for m in after.measures if m in before.measures]
    other = [m for m in both if before.measures[m] != after.measures[m]]
    if other:
        detail = f"depth, gain or relevant grades of {', '.join(other)}"
        return Aspect("measures", State.CHANGED, detail)
    return Aspect("measures", State.SAME, ", ".join(both))


def of_rankers(old: Saved, new: Saved) -> Iterator[Aspect]:
    for name in shared(old, new):
        queries = moves(old, new, name)
        hits = f"other hits for {queries:,} queries" if queries else "the same hits"
        same = asked_same(old, new, name)
        if is_file(new, name) or same is None:
            state = State.CHANGED if queries else State.SAME
            yield Aspect(f"ranker {name}", state, hits)
        elif same:
            yield Aspect(f"ranker {name}", State.SAME, f"asks the same, {hits}")
        else:
            yield Aspect(f"ranker {name}", State.CHANGED, f"asks something else, {hits}")
    for name in sorted(old.runs.keys() ^ new.runs.keys()):
        where = "not any more" if name in old.runs else "new"
        yield Aspect(f"ranker {name}", State.CHANGED, where)


def shared(old: Saved, new: Saved) -> list[str]:
    return [name for name in new.runs if name in old.runs]


def moves(old: Saved, new: Saved, name: str) -> int:
    """Of queries that are the same in both, those for which the ranker found something else."""
    return sum(
        same_text(old, new, q)
        and [h.document_id for h in old.runs[name].hits(q)]
        != [h.document_id for h in new.runs[name].hits(q)]
        for q in old.queries
    )


def is_file(saved: Saved, name: str) -> bool:
    """Whether the ranker was a run file: what is known of it is its hits."""
    origin = saved.result.made_of
    return origin is not None and origin.rankers.get(name) == origin.runs.get(name)


def asked_same(old: Saved, new: Saved, name: str) -> bool | None:
    """None where it is not known: of run files, and of what an earlier version saved."""
    before, after = old.result.made_of, new.result.made_of
    if before is None or after is None or is_file(old, name) or is_file(new, name):
        return None
    return before.rankers.get(name) == after.rankers.get(name)


def paired(old: Saved, new: Saved, found: Changes, *, few: bool) -> Iterator[Pairing]:
    """`few`: one of the two did without a part of its labels, so that its means are estimates."""
    ruled = not few and not any(found.changed(a) for a in RULES)
    before = {r.name: r for r in old.result.rankers}
    found_same = old.runs.keys() == new.runs.keys() and not any(
        moves(old, new, name) for name in new.runs
    )
    pool = found_same and not found.changed("graded pairs")
    for ranker in new.result.rankers:
        if ranker.name in before:
            yield from measures_of(before[ranker.name], ranker, ruled=ruled, pool=pool)


def measures_of(old: RankerPart, new: RankerPart, *, ruled: bool, pool: bool) -> Iterator[Pairing]:
    """`pool`: whether all found and graded the same, so that ideals are the same too."""
    for measure, interval in new.measures.items():
        if measure in old.measures:
            kept = pool or measure.partition("@")[0] in OF_THE_LIST_ALONE
            other = old.per_query[measure].keys() != new.per_query[measure].keys()
            comparable = ruled and kept and not other
            before = old.measures[measure].mean
            yield Pairing(new.name, measure, before, interval.mean, comparable, other)


def conclusions(found: Changes, pairings: Sequence[Pairing], *, few: bool) -> Iterator[str]:
    """What may be said; the reader needs no statistics to follow it."""
    rule = [a for a in RULES if found.changed(a)]
    if rule:
        yield (
            f"{sentence(listed(rule))} changed: no mean of one comparison may be put beside one of "
            "the other. The differences between rankers hold within each."
        )
        return
    if few:
        yield (
            "One of the two, or both, did without a part of the labels: such means are estimates, "
            "and none of one may be put beside one of the other. The differences between rankers "
            "hold within each."
        )
        return
    if any(a.state is State.UNKNOWN and a.name in RULES for a in found.aspects):
        yield "One of the two does not tell how it was measured: take care with their means."
    beside = "; P, RR and ERR may be put side by side"  # unless they are over other queries
    if names := sorted({p.measure for p in pairings if p.other_queries}):
        beside = ""
        yield (
            f"Some queries count in one of the two alone: means of {listed(names)} are over other "
            "queries, and not to be put side by side. The differences between rankers hold within "
            "each comparison."
        )
    if names := sorted({p.measure for p in pairings if not (p.comparable or p.other_queries)}):
        yield (
            f"Other documents were found or graded, and so the ideal of {listed(names)} is "
            "another: even an unchanged ranker's means move. The differences between rankers hold "
            f"within each comparison{beside}."
        )
    if found.changed("deciding"):
        yield "Verdicts are made in another way now: means may stay while a verdict changes."
    causes = [a for a in ("corpus", "index settings", "ranker ") if found.changed(a)]
    if causes == ["ranker "] and not found.changed("deciding"):
        yield "Only rankers changed: what differs comes from them."
    elif causes:
        parts = listed([c.strip().replace("ranker", "rankers") for c in causes])
        together = "a difference comes from all of it together" if len(causes) > 1 else ONE_CAUSE
        if causes == ["ranker "]:
            together = "what differs between means comes from them"
        yield f"{sentence(parts)} changed: {together}."
    elif not (found.changed("deciding") or found.changed("graded pairs")):
        yield "Nothing that is known of has changed."


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
