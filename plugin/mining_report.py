"""What mining found and dropped, window by window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from relevance_eval.evaluators.labelling import Labelling

__all__ = ["RANDOM", "Drop", "GuardReport", "MiningReport", "WindowReport"]

RANDOM = "random"
"""Origin of documents drawn from the whole index."""


class Drop(StrEnum):
    """Why a document was not taken as a negative, in the order of the checks."""

    POSITIVE = "positive"
    """Known to answer the query."""
    MARGIN = "margin"
    """Its score is too close to, or above, that of the best known positive."""
    REPEATED = "repeated"
    """Drawn for this query before, of another ranker or window."""
    NO_TEXT = "no_text"
    COPY_OF_POSITIVE = "copy_of_positive"
    COPY_OF_CANDIDATE = "copy_of_candidate"
    """Says the same as a document drawn for this query before."""
    GUARD = "guard"
    """The guard expects a grade of `guard_grade` or more."""
    UNGUARDED = "unguarded"
    """The guard gave no answer; what it does not clear is not taken."""


@dataclass
class WindowReport:
    """Counts over all queries.

    Attributes:
        origin: as in the examples: `bm25 11-50`, `random`.
        wanted: documents asked for.
        found: documents in the window; of random ones, those that were drawn.
        kept: documents taken.
        dropped: documents by reason. Known positives and the margin are counted over the whole
            window, the other reasons among the documents drawn from it.
    """

    origin: str
    wanted: int = 0
    found: int = 0
    kept: int = 0
    dropped: Counter[Drop] = field(default_factory=Counter[Drop])


@dataclass
class GuardReport:
    """Labels that the guard was asked for, in distinct pairs, as in `Labelling`."""

    name: str
    needed: int = 0
    reused: int = 0
    bought: int = 0
    failed: int = 0
    refused: int = 0

    def add(self, labelling: Labelling) -> None:
        self.needed += labelling.needed
        self.reused += labelling.reused
        self.bought += labelling.bought
        self.failed += labelling.failed
        self.refused += labelling.refused


@dataclass(frozen=True)
class MiningReport:
    """What mining came to.

    Attributes:
        queries: mined.
        unknown: queries left out, since nothing is known to answer them.
        lost: queries left out, since none of their positives is in the index, with a text.
        positives: in the index, over the queries mined.
        missing: positives that the index does not hold, or without a text.
        windows: by origin, in the order of rankers and windows, random documents last.
        unranked: ranker to the number of queries for which it found no positive within the deepest
            window, or gave hits an order but no scores: the margin could not be kept there.
        problems: ranker to query id to what went wrong with its search.
        guard: None without a guard.
        seconds: wall-clock time.
    """

    queries: int
    unknown: int
    lost: tuple[str, ...]
    positives: int
    missing: int
    windows: tuple[WindowReport, ...]
    unranked: Mapping[str, int]
    problems: Mapping[str, Mapping[str, str]]
    guard: GuardReport | None
    seconds: float

    @property
    def kept(self) -> int:
        return sum(w.kept for w in self.windows)

    @property
    def dropped(self) -> Counter[Drop]:
        """Over all windows."""
        return sum((w.dropped for w in self.windows), Counter[Drop]())

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every reason to drop is there, with 0 where it never applied."""
        plain = asdict(self)
        for window, report in zip(plain["windows"], self.windows, strict=True):
            window["dropped"] = {drop.value: report.dropped[drop] for drop in Drop}
        return plain | {"kept": self.kept, "seconds": round(self.seconds, 3)}
