"""Mining hard negatives: documents that rankers place high, and that do not answer the query."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, UsageError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import SEED, Example
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Run
from relevance_eval.plugin.bm25 import bm25_ranker
from relevance_eval.plugin.documents import Place
from relevance_eval.plugin.embedders import Embedder
from relevance_eval.plugin.guard import Guard
from relevance_eval.plugin.mining_report import (
    RANDOM,
    Drop,
    GuardReport,
    MiningReport,
    WindowReport,
)
from relevance_eval.plugin.positives import SEED_TAG, Positives
from relevance_eval.plugin.rankers import Ranker, Target
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.selection import Candidate, Selection, Slot, in_seeded_order, seeded
from relevance_eval.plugin.settings import MineSettings, Window
from relevance_eval.plugin.snapshot import Located, Snapshot, snapshot

__all__ = ["QRELS", "Mining", "mine"]

QRELS = "qrels"
"""Origin of a positive that people judged relevant."""
QUERIES_AT_ONCE = 40
"""Hits of this many queries are held at a time."""
GUARDED_AT_ONCE = 10
"""Queries, where a guard needs seconds for each."""
RANDOM_POOL = 5000
"""Random documents that are drawn once for all queries: a random order of the whole index for each
query would make the server score every document for each."""
RANDOM_TRIES = 50
"""Random documents looked at for a query, beyond those wanted."""

Drawn = tuple[Selection, Slot, Candidate]


@dataclass(frozen=True)
class Mining:
    """Examples, query by query: its positives, then the negatives by window and rank."""

    examples: tuple[Example, ...]
    report: MiningReport


def mine(
    client: Elasticsearch,
    queries: Sequence[Query],
    positives: Positives,
    settings: MineSettings,
    *,
    target: Target,
    rankers: Sequence[Ranker] = (),
    fields: Mapping[str, str],
    load: Load,
    embedders: Mapping[str, Embedder] | None = None,
    guard: Guard | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Mining:
    """Draws negatives for each query out of rank windows and out of the whole index.

    All is read from one state of the index. What is drawn for a query depends on the index, the
    settings, the seed and the query, and on no other query. Where a candidate is dropped, the next
    of the same window takes its place.

    Args:
        positives: as `known_positives` finds them; queries without are left out and counted.
        target: where positives and random documents are.
        rankers: none for BM25 over the fields.
        fields: role to index field, as in `document_from`.
        embedders: by name, for the rankers that use one.
        guard: judges the candidates; None takes them as they are, which is right where a teacher
            grades them all.
        progress: called with (queries done, queries in all).

    Raises:
        ConfigError: the index has none of the fields, or returns fewer hits than the last window
            needs.
        UsageError: no positive is in the index, or nothing can be mined.
        ServerError: as `pull` raises it.
    """
    chosen = rankers or (bm25_ranker(target, fields),)
    names = [r.name for r in chosen]
    if len(set(names)) < len(names):
        raise UsageError(f"a ranker is named twice: {', '.join(sorted(names))}")
    with snapshot(client, target, chosen, fields, load) as state:
        if not rankers and not state.holds(fields.values()):
            raise no_text(target, fields)
        miner = Miner(state, chosen, positives, settings, embedders or {}, guard, seed)
        return miner.run(queries, progress)


@dataclass
class Miner:
    """Mining under way: what does not change from query to query, and the counts so far."""

    state: Snapshot
    rankers: Sequence[Ranker]
    positives: Positives
    settings: MineSettings
    embedders: Mapping[str, Embedder]
    guard: Guard | None
    seed: int
    pool: list[Located] = field(default_factory=list[Located])

    def __post_init__(self) -> None:
        origins = [origin_of(r.name, w) for r in self.rankers for w in self.settings.windows]
        self.windows = {origin: WindowReport(origin) for origin in (*origins, RANDOM)}
        self.unranked = {r.name: 0 for r in self.rankers}
        self.problems: dict[str, dict[str, str]] = {r.name: {} for r in self.rankers}
        self.guarded = GuardReport(self.guard.labeler.name) if self.guard else None
        self.lost: list[str] = []
        self.found = self.missing = 0
        self.searched = False

    @property
    def depth(self) -> int:
        return max((w.last for w in self.settings.windows), default=0)

    def run(self, queries: Sequence[Query], progress: Callable[[int, int], None]) -> Mining:
        started = time.perf_counter()
        known = [q for q in queries if self.positives.get(q.id)]
        if self.settings.random:
            self.pool = self.sample()
        examples: list[Example] = []
        size = GUARDED_AT_ONCE if self.guard else QUERIES_AT_ONCE
        for start in range(0, len(known), size):
            chunk = known[start : start + size]
            examples += self.mine_some(chunk)
            progress(start + len(chunk), len(known))
        report = MiningReport(
            queries=len(known) - len(self.lost),
            unknown=len(queries) - len(known),
            lost=tuple(self.lost),
            positives=self.found,
            missing=self.missing,
            windows=tuple(self.windows.values()),
            unranked=self.unranked,
            problems={name: found for name, found in self.problems.items() if found},
            guard=self.guarded,
            seconds=time.perf_counter() - started,
        )
        self.check(report)
        return Mining(tuple(examples), report)

    def sample(self) -> list[Located]:
        """A smaller one from an index that allows no more."""
        seed = seeded(self.seed, RANDOM) % 2**31  # the server takes no greater number
        try:
            return self.state.sample(RANDOM_POOL, seed)
        except ConfigError:
            needed = self.settings.random + RANDOM_TRIES
            return self.state.sample(max(self.depth, needed), seed)

    def mine_some(self, queries: Sequence[Query]) -> list[Example]:
        answers = self.answers(queries)
        self.lost += [q.id for q in queries if not answers[q.id]]
        asked = [q for q in queries if answers[q.id]]
        if not asked:
            return []
        selections = self.selections(asked, answers)
        self.fill(selections)
        return [example for selection in selections for example in self.examples(selection)]

    def answers(self, queries: Sequence[Query]) -> dict[str, list[Document]]:
        """The positives of each query that the index holds, and that have text."""
        there = self.state.by_id(i for q in queries for i in self.positives[q.id])
        held = {i: document for i, document in there.items() if document.fields}
        found = {q.id: [held[i] for i in self.positives[q.id] if i in held] for q in queries}
        self.found += sum(map(len, found.values()))
        self.missing += sum(len(self.positives[q.id]) - len(found[q.id]) for q in queries)
        return found

    def selections(
        self, queries: Sequence[Query], answers: Mapping[str, Sequence[Document]]
    ) -> list[Selection]:
        rankers = self.rankers if self.settings.windows else ()
        check, self.searched = not self.searched, True
        runs, places = self.state.runs(rankers, queries, self.depth, self.embedders, check=check)
        for run in runs:
            self.problems[run.ranker] |= run.problems()
        return [
            Selection(
                query,
                answers[query.id],
                [*self.ranked_slots(query, runs, places), *self.random_slot(query)],
                self.settings.near_duplicate,
            )
            for query in queries
        ]

    def ranked_slots(
        self, query: Query, runs: Sequence[Run], places: Mapping[str, Place]
    ) -> Iterator[Slot]:
        known = set(self.positives[query.id])
        for run in runs:
            hits = run.hits(query.id)
            limit = self.limit(hits, known)
            self.unranked[run.ranker] += limit is None
            for window in self.settings.windows:
                origin = origin_of(run.ranker, window)
                within = [
                    Candidate((hit.document_id, places[hit.document_id]), rank, hit.score)
                    for rank, hit in enumerate(hits[: window.last], start=1)
                    if rank >= window.first
                ]
                fit = self.fit(within, origin, known, limit)
                ordered = in_seeded_order(fit, self.seed, query.id, origin)
                yield self.slot(origin, window.take, ordered)

    def limit(self, hits: Sequence[Hit], known: set[str]) -> float | None:
        """The highest score that a negative may have; None where no positive was found, or where
        hits have an order but no scores."""
        scores = [hit.score for hit in hits if hit.document_id in known]
        if not scores or max(scores) <= 0:
            return None
        return (1 - self.settings.margin) * max(scores)

    def fit(
        self, within: Sequence[Candidate], origin: str, known: set[str], limit: float | None
    ) -> list[Candidate]:
        """What is neither a known positive nor above the margin; the others are counted."""
        report = self.windows[origin]
        report.found += len(within)
        others = [c for c in within if c.id not in known]
        report.dropped[Drop.POSITIVE] += len(within) - len(others)
        if limit is None or not self.settings.margin:
            return others
        fit = [c for c in others if c.score is None or c.score <= limit]
        report.dropped[Drop.MARGIN] += len(others) - len(fit)
        return fit

    def random_slot(self, query: Query) -> Iterator[Slot]:
        """Begins at a place of the pool that the query's id and the seed decide."""
        if not self.pool:
            return
        known = set(self.positives[query.id])
        start = seeded(self.seed, query.id, RANDOM) % len(self.pool)
        turned = self.pool[start:] + self.pool[:start]
        near = turned[: self.settings.random + RANDOM_TRIES]
        others = [Candidate(located) for located in near if located[0] not in known]
        yield self.slot(RANDOM, self.settings.random, others)

    def slot(self, origin: str, wanted: int, ordered: Sequence[Candidate]) -> Slot:
        self.windows[origin].wanted += wanted
        return Slot(origin, wanted, iter(ordered))

    def fill(self, selections: Sequence[Selection]) -> None:
        """Draws from every window until each is full or has nothing left."""
        while drawn := [(s, t, c) for s in selections for t in s.slots for c in t.draw()]:
            self.windows[RANDOM].found += sum(t.origin == RANDOM for _, t, _ in drawn)
            fresh = self.passed(drawn, [s.repetition(c) for s, _, c in drawn])
            self.state.texts(c.located for _, _, c in fresh)
            objections = [s.objection(self.state.text(c.located)) for s, _, c in fresh]
            sound = self.passed(fresh, objections)
            for _, slot, candidate in self.passed(sound, self.guard_objections(sound)):
                slot.kept.append(candidate)
                self.windows[slot.origin].kept += 1

    def passed(self, drawn: Sequence[Drawn], drops: Sequence[Drop | None]) -> list[Drawn]:
        """Those without a reason against them; the others are counted."""
        for (_, slot, _), drop in zip(drawn, drops, strict=True):
            if drop is not None:
                self.windows[slot.origin].dropped[drop] += 1
        return [d for d, drop in zip(drawn, drops, strict=True) if drop is None]

    def guard_objections(self, sound: Sequence[Drawn]) -> list[Drop | None]:
        if self.guard is None or self.guarded is None or not sound:
            return [None] * len(sound)
        pairs = [Pair(s.query, self.state.text(c.located)) for s, _, c in sound]
        return self.guard.objections(pairs, self.settings.guard_grade, self.guarded)

    def examples(self, selection: Selection) -> Iterator[Example]:
        query, seed = selection.query, selection.query.tags.get(SEED_TAG)
        for document in selection.positives:
            yield Example(Pair(query, document), SEED if document.id == seed else QRELS, seed)
        for slot in selection.slots:
            for candidate in sorted(slot.kept, key=lambda c: c.rank or 0):
                pair = Pair(query, self.state.text(candidate.located))
                yield Example(pair, slot.origin, seed, candidate.rank, candidate.score)

    def check(self, report: MiningReport) -> None:
        """Raises UsageError if there is nothing to learn from."""
        where = f"index {self.state.target.index}"
        if not report.queries:
            raise UsageError(
                f"it holds none of the {report.missing:,} documents that are known to answer the "
                "queries, or no text of them",
                where=where,
                remedy="check [elasticsearch] index, [documents], and that the queries are of it",
            )
        if report.kept:
            return
        if not self.state.holds_several():
            raise UsageError(
                "it holds a single document: there is nothing to mine",
                where=where,
                remedy="mine an index of more documents",
            )
        raise UsageError(
            f"nothing can be mined: {told(report)}",
            where=where,
            remedy="ask for more random documents or deeper windows, or loosen what drops them",
        )


def origin_of(ranker: str, window: Window) -> str:
    return f"{ranker} {window}"


def told(report: MiningReport) -> str:
    """Why every document was dropped, the most frequent reason first."""
    reasons = [
        f"{count:,} {drop.replace('_', ' ')}" for drop, count in report.dropped.most_common()
    ]
    return f"dropped were {', '.join(reasons)}" if reasons else "no ranker finds anything"


def no_text(target: Target, fields: Mapping[str, str]) -> ConfigError:
    roles = ", ".join(role if role == name else f"{role} ({name})" for role, name in fields.items())
    return ConfigError(
        f"no document has a field that can be searched for any of the roles {roles}",
        where=f"index {target.index}",
        remedy="name the index's fields under [documents], or a ranker of your own with --ranker",
    )
