"""Buying the labels that are missing, and nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import PERSON, Judgment, Outcome
from relevance_eval.evaluators.judgments import Judgments, PairKey
from relevance_eval.evaluators.pair import Pair

__all__ = ["LEFT_OUT", "Labeler", "Labelling", "PaidLabeler", "check_graded", "label"]

WRITE_AFTER_PAIRS = 256
WRITE_AFTER_SECONDS = 2.0
LEFT_OUT = "the labeler left it out"
"""Reason of pairs that were not asked about."""


class Labeler(Protocol):
    """Anything that turns pairs into judgments.

    Attributes:
        name: for people to read.
        fingerprint: SHA-256 of whatever its answers depend on: weights, tokenizer, document
            template, scale, calibration.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        """Yields (position in `pairs`, judgment) as they are ready, in any order, each once.

        One that has spent its budget leaves out the rest.
        """
        ...


@runtime_checkable
class PaidLabeler(Protocol):
    """A labeler whose answers cost money: each is written before the next is waited for.

    Attributes:
        proven: whether it has graded a pair, now or before. One that has not may give up early,
            where its first answers are no grades; of one that has, they may be the few that
            failed the last time.
    """

    proven: bool

    @property
    def spent(self) -> object:
        """What its answers have cost so far."""
        ...


@dataclass(frozen=True)
class Labelling:
    """What labelling a pool came to; `needed` counts distinct pairs of text.

    Attributes:
        judgments: by pair key; pairs that failed, or that the labeler left out, are in it with
            the reason.
        needed, reused, bought, failed, refused, unasked: counts of distinct pairs. `needed` is the
            sum of the other five. A refusal out of the store counts as refused, not as reused: it
            is as little of a grade as a new one. `unasked` were left out by the labeler, whose
            budget was spent, and are not stored.
        by_people: how many of the reused come from people.
        seconds: spent in the labeler.
        skipped: distinct pairs beyond these that were not bought: no verdict hangs on them, or the
            budget was spent.
    """

    judgments: Mapping[PairKey, Judgment]
    needed: int
    reused: int
    bought: int
    failed: int
    refused: int
    by_people: int
    seconds: float
    unasked: int = 0
    skipped: int = 0

    @classmethod
    def together(cls, parts: Sequence[Labelling], pool: Sequence[Pair]) -> Labelling:
        """Labels that were bought a part at a time, no pair twice, out of a pool."""
        needed = sum(p.needed for p in parts)
        return cls(
            judgments={key: j for part in parts for key, j in part.judgments.items()},
            needed=needed,
            reused=sum(p.reused for p in parts),
            bought=sum(p.bought for p in parts),
            failed=sum(p.failed for p in parts),
            refused=sum(p.refused for p in parts),
            by_people=sum(p.by_people for p in parts),
            seconds=math.fsum(p.seconds for p in parts),
            unasked=sum(p.unasked for p in parts),
            skipped=len({p.key for p in pool}) - needed,
        )

    def by_id(self, pairs: Sequence[Pair]) -> dict[str, dict[str, Judgment]]:
        """Query id to document id to judgment, for the pairs that were graded."""
        judged: dict[str, dict[str, Judgment]] = {}
        for pair in pairs:
            found = self.judgments.get(pair.key)
            if found is not None and found.graded:
                judged.setdefault(pair.query.id, {})[pair.document.id] = found
        return judged


def label(
    pairs: Sequence[Pair],
    labeler: Labeler,
    store: Judgments,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    people: bool = True,
) -> Labelling:
    """Grades what the store does not hold yet; judgments are stored as they come.

    Of two commands that lack labels of one `PaidLabeler`, the second waits for the first.

    Args:
        people: take a person's grade before the labeler's where the store has one.
        progress: called with (labels done, labels to buy) after each write.

    Raises:
        StorageError: the store cannot be written; what was written before is kept.
    """
    distinct = list({p.key: p for p in pairs}.values())
    known = store.get(distinct, labeler.fingerprint, people=people)
    with ExitStack() as turn:
        if isinstance(labeler, PaidLabeler) and len(known) < len(distinct):
            turn.enter_context(store.turn(labeler.fingerprint))
            known = store.get(distinct, labeler.fingerprint, people=people)  # others bought since
        if isinstance(labeler, PaidLabeler):
            of_its_own = (j for j in known.values() if j.labeler == labeler.fingerprint)
            labeler.proven = labeler.proven or any(j.graded for j in of_its_own)
        missing = [p for p in distinct if p.key not in known]
        started = time.perf_counter()
        bought = buy(missing, labeler, store, progress)
    outcomes = [j.outcome for j in bought.values()]
    left_out = Judgment.failed(labeler.fingerprint, LEFT_OUT)
    refused_before = sum(j.outcome is Outcome.REFUSED for j in known.values())
    return Labelling(
        judgments={p.key: left_out for p in missing} | known | bought,
        needed=len(distinct),
        reused=len(known) - refused_before,
        bought=outcomes.count(Outcome.GRADED),
        failed=outcomes.count(Outcome.FAILED),
        refused=outcomes.count(Outcome.REFUSED) + refused_before,
        by_people=sum(j.labeler.startswith(PERSON) for j in known.values()),
        seconds=time.perf_counter() - started,
        unasked=len(missing) - len(bought),
    )


def buy(
    pairs: Sequence[Pair],
    labeler: Labeler,
    store: Judgments,
    progress: Callable[[int, int], None],
) -> dict[PairKey, Judgment]:
    bought: dict[PairKey, Judgment] = {}
    unwritten: list[tuple[PairKey, Judgment]] = []
    written_at = time.monotonic()
    batch = 1 if isinstance(labeler, PaidLabeler) else WRITE_AFTER_PAIRS
    try:
        for position, judgment in labeler.label(pairs) if pairs else ():
            unwritten.append((pairs[position].key, judgment))
            due = time.monotonic() - written_at > WRITE_AFTER_SECONDS
            if due or len(unwritten) >= batch:
                store.put(unwritten)
                bought.update(unwritten)
                unwritten, written_at = [], time.monotonic()
                progress(len(bought), len(pairs))
    finally:
        # An interrupted or broken labeler loses none of what it has already answered.
        store.put(unwritten)
        bought.update(unwritten)
    progress(len(bought), len(pairs))
    return bought


def check_graded(labelling: Labelling, labeler: Labeler) -> None:
    """Raises LabelerError if there is not a single grade to measure with."""
    judgments = labelling.judgments.values()
    if judgments and not any(j.graded for j in judgments):
        raise LabelerError(
            f"no label out of {len(judgments):,}: {next(iter(judgments)).reason}",
            where=labeler.name,
            remedy="check that [documents] names the fields of your index"
            if all(j.outcome is Outcome.REFUSED for j in judgments)
            else "what failed is asked again next time",
        )
