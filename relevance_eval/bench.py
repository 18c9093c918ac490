"""How fast a labeler is on this machine, and what a comparison would take with it."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.session import cores
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair

__all__ = [
    "Bench",
    "Estimate",
    "Lengths",
    "Machine",
    "Spread",
    "estimate",
    "estimate_pool",
    "sample_pairs",
    "this_machine",
    "timed",
]

LocalLabeler = BiEncoder | CrossEncoder
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Spread:
    """One figure over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Lengths:
    """Tokens of the texts that the model reads, special ones counted: a pair for a model that reads
    both together, a document for one that encodes it once.

    Attributes:
        shortest, lower, middle, upper, longest: the quartiles, 0 to 100 %.
        read: in all, queries that are encoded apart included; what one round takes.
    """

    shortest: int
    lower: float
    middle: float
    upper: float
    longest: int
    read: int


@dataclass(frozen=True)
class Machine:
    """What the figures hold for.

    Attributes:
        cores: that this process may run on.
        threads: batches that the labeler computes at a time.
        provider: the execution provider of ONNX Runtime that the model runs on.
        memory_mb: most memory that this process has had so far, in units of 1,000,000 bytes, the
            interpreter and the pairs with it; None where the system does not tell.
        load: processes that ran or waited in the last minute, this one included; None where the
            system does not tell. Above `cores`, the figures are too low.
    """

    cores: int
    threads: int
    provider: str
    memory_mb: float | None
    load: float | None


@dataclass(frozen=True)
class Bench:
    """Rounds of labelling the same pairs, after one that is not counted.

    Attributes:
        pairs, queries, documents: distinct ones of a round.
        ungraded: pairs of a round that the labeler refused or failed.
        once: whether the labeler encodes a document once for all of its pairs.
        seconds: of each round, in order.
    """

    pairs: int
    queries: int
    documents: int
    ungraded: int
    once: bool
    seconds: tuple[float, ...]
    lengths: Lengths

    def rate(self, count: int) -> Spread:
        """So many things in a round, as things a second."""
        return Spread.of([count / s for s in self.seconds])

    @property
    def labels_per_second(self) -> Spread:
        return self.rate(self.pairs)

    @property
    def documents_per_second(self) -> Spread | None:
        """None for a labeler that reads a document anew for each query."""
        return self.rate(self.documents) if self.once else None

    @property
    def tokens_per_second(self) -> Spread:
        return self.rate(self.lengths.read)


@dataclass(frozen=True)
class Estimate:
    """What labelling the pool of a comparison takes if nothing of it is in the store.

    Attributes:
        assumed: whether `pool` and `documents` are assumed and not counted.
        minutes: of labelling; searching takes its own time.
    """

    queries: int
    rankers: int
    depth: int
    pool: int
    documents: int
    assumed: bool
    minutes: Spread


def timed(
    labeler: Labeler,
    pairs: Sequence[Pair],
    rounds: int,
    progress: Progress = lambda done, total: None,
) -> Bench:
    """Labels the pairs `rounds` times, and once before, which warms up and is not counted.

    Nothing is stored and nothing is taken out of a store.

    Args:
        pairs: distinct ones.
        progress: called with (rounds done, rounds to do).

    Raises:
        UsageError: there are no pairs, or the labeler is no model on this machine.
        LabelerError: the model cannot run.
    """
    local = on_this_machine(labeler)
    if not pairs:
        raise UsageError("there are no pairs to label", remedy="name rankers that find something")
    ungraded = sum(not judgment.graded for _, judgment in labeler.label(pairs))
    seconds: list[float] = []
    for done in range(rounds):
        progress(done, rounds)
        if isinstance(local, BiEncoder):
            local.read.clear()  # a round that finds texts read is no measure of reading them
        started = time.perf_counter()
        for _answer in labeler.label(pairs):
            pass
        seconds.append(time.perf_counter() - started)
    return Bench(
        pairs=len(pairs),
        queries=len({p.query.text for p in pairs}),
        documents=len({p.document.content_hash for p in pairs}),
        ungraded=ungraded,
        once=isinstance(local, BiEncoder),
        seconds=tuple(seconds),
        lengths=lengths_of(local, pairs),
    )


def on_this_machine(labeler: Labeler) -> LocalLabeler:
    if isinstance(labeler, BiEncoder | CrossEncoder):
        return labeler
    raise UsageError(
        f"{labeler.name} is no model on this machine: its speed is not a matter of it",
        remedy="name a labeler's folder, owner/name of a model hub, or builtin",
    )


def lengths_of(labeler: LocalLabeler, pairs: Sequence[Pair]) -> Lengths:
    if isinstance(labeler, BiEncoder):
        queries = [len(labeler.input(labeler.query(t)).ids) for t in {p.query.text for p in pairs}]
        held = {p.document.content_hash: p for p in pairs}.values()
        lengths = [len(labeler.input(labeler.document(p)).ids) for p in held]
        read = sum(queries) + sum(lengths)
    else:
        inputs = [labeler.frame.input(p) for p in pairs]
        lengths = [0 if isinstance(i, str) else len(i.ids) for i in inputs]
        read = sum(lengths)
    lower, middle, upper = (float(q) for q in np.percentile(lengths, [25, 50, 75]))
    return Lengths(min(lengths), lower, middle, upper, max(lengths), read)


def sample_pairs(pairs: Sequence[Pair], least: int, seed: int) -> list[Pair]:
    """All pairs of documents drawn at random until there are `least`, in the order given.

    Whole documents, so that one that is encoded once has as many pairs as in the pool.
    """
    by_document: dict[str, list[int]] = {}
    for position, pair in enumerate(pairs):
        by_document.setdefault(pair.document.content_hash, []).append(position)
    drawn: list[int] = []
    groups = list(by_document.values())
    order: list[int] = np.random.default_rng(seed).permutation(len(groups)).tolist()
    for place in order:
        if len(drawn) >= least:
            break
        drawn += groups[place]
    return [pairs[i] for i in sorted(drawn)]


def estimate(found: Bench, pairs: Sequence[Pair], rankers: int, depth: int) -> Estimate:
    """Of a comparison whose whole pool is `pairs`, a part of which was labelled by `timed`."""
    queries = len({p.query.id for p in pairs})
    documents = len({p.document.content_hash for p in pairs})
    pool = len({p.key for p in pairs})
    return Estimate(
        queries, rankers, depth, pool, documents, False, minutes(found, pool, documents)
    )


def estimate_pool(found: Bench, queries: int, rankers: int, depth: int) -> Estimate:
    """Of a comparison whose runs are not there yet.

    Assumed: each query has `depth` hits, the pool grows with the square root of the number of
    rankers, and each document is found for one query alone. Of five test collections and 2, 3 and 5
    rankers, pools were 0.77 to 1.05 times as large. The last is the worst case for a labeler
    that encodes documents once: in a small collection it has less to do.
    """
    pool = math.ceil(queries * depth * math.sqrt(rankers))
    return Estimate(queries, rankers, depth, pool, pool, True, minutes(found, pool, pool))


def minutes(found: Bench, pool: int, documents: int) -> Spread:
    """By documents where each is encoded once, else by pairs."""
    share = documents / found.documents if found.once else pool / found.pairs
    return Spread.of([share * s / 60 for s in found.seconds])


def this_machine(labeler: Labeler) -> Machine:
    """Raises UsageError if the labeler is no model on it."""
    session = on_this_machine(labeler).session
    peak = peak_bytes()
    providers: Sequence[str] = session.model.get_providers()
    return Machine(
        cores=cores(),
        threads=session.workers,
        provider=providers[0].removesuffix("ExecutionProvider"),
        memory_mb=None if peak is None else peak / 1e6,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def peak_bytes() -> int | None:
    """Most memory that this process has had in use; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the process that started this one had
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(found[1]) * 1024 if found else None
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
