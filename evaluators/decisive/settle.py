"""Buying labels look by look, until no other verdict is left."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.decisive.book import Book
from relevance_eval.evaluators.decisive.bounds import (
    Box,
    box_of,
    possible_losses,
    possible_verdicts,
)
from relevance_eval.evaluators.decisive.sample import Estimate, chances_of, estimate, filled
from relevance_eval.evaluators.decisive.stability import likely_losses, likely_verdicts
from relevance_eval.evaluators.difference import (
    Difference,
    differences,
    verdict_of,
    without_rounding,
)
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.verdict import Verdict

__all__ = ["SHARES", "How", "Mode", "Settled", "settle_exactly", "settle_likely"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Mode = Literal["exact", "decisive"]
How = Literal["bounds", "sample", "all", "budget", "open"]

SHARES = (0.06, 0.08, 0.11, 0.15, 0.2, 0.26, 0.33, 0.42, 0.53, 0.67, 0.83, 1.0)
"""Of the labels that can move a difference, those known at each look."""
FEWEST = 20
"""Labels that move a difference, below which a sample of them settles nothing."""


@dataclass(frozen=True)
class Settled:
    """How the verdict on a pair of rankers was reached.

    Attributes:
        how: "bounds": no other labels could change it; "sample": they would not, with a chance of
            98 %; "all": all that it depends on are known; "budget": what was to be spent is, and
            the verdict is the test's on the estimate; "open": it is spent before a test could say
            anything.
        estimate: of each query's difference.
        low, high: bounds on the mean difference, whatever the labels are that are not known.
    """

    verdict: Verdict
    how: How
    estimate: Estimate
    low: float
    high: float


class Settling:
    """What the two ways have in common: the labels, the pairs of rankers, and which are open."""

    def __init__(self, book: Book, clues: Floats, plan: Plan, *, loss: bool):
        self.book, self.clues, self.plan, self.loss = book, clues, plan, loss
        rankers = range(len(book.stakes.lists))
        self.pairs = list(product(rankers[: plan.baselines], rankers[plan.baselines :]))
        self.settled: dict[int, Settled] = {}
        self.estimates: dict[int, Estimate] = {}
        self.sampled: set[int] = set()
        self.fill()

    @property
    def margin(self) -> float:
        """Of equivalence; rankers that all find nothing of use are not equivalent by that."""
        nothing = bool(self.book.known.all()) and not self.book.gains.any()
        return 0.0 if nothing else self.plan.rule.margin

    @property
    def open(self) -> list[int]:
        return [p for p in range(len(self.pairs)) if p not in self.settled]

    def weights(self, pair: int) -> Floats:
        """Ranker's minus baseline's, shape [u]."""
        baseline, ranker = self.pairs[pair]
        return self.book.stakes.weights[ranker] - self.book.stakes.weights[baseline]

    def influence(self, pairs: Iterable[int]) -> Floats:
        """The most that a label's gain of 1 moves one of the pairs, shape [u]."""
        sizes = [np.abs(self.weights(p)) for p in pairs]
        return np.max(sizes, axis=0) if sizes else np.zeros(len(self.book.gains))

    def box(self, pair: int) -> Box:
        gains = np.where(self.book.failed, 0.0, self.book.gains)
        return box_of(self.book.stakes, self.weights(pair), gains)

    def tests(self) -> list[Difference]:
        """All pairs of rankers, corrected together, as they were last estimated."""
        columns = [without_rounding(self.estimates[p].column) for p in range(len(self.pairs))]
        return differences(columns, str(self.plan.primary), self.plan, margin=self.margin)

    def close(self, pair: int, verdict: Verdict, how: How) -> None:
        box, count = self.box(pair), len(self.book.stakes.query_ids)
        low, high = math.fsum(box.lows) / count, math.fsum(box.highs) / count
        self.settled[pair] = Settled(verdict, how, self.estimates[pair], low, high)

    def fill(self) -> None:
        """Estimates of the open pairs: known labels as they are, others as they are forecast."""
        book, forecasts = self.book, self.book.forecasts(self.clues)
        for pair in self.open:
            self.estimates[pair] = filled(
                book.stakes, self.weights(pair), book.gains, forecasts, self.plan.seed
            )

    def enough(self, pair: int) -> bool:
        """Whether the labels that move the pair are enough to see how far forecasts err, or all."""
        moving = self.weights(pair) != 0
        known = np.count_nonzero(self.book.known & moving)
        return bool(known >= min(FEWEST, np.count_nonzero(moving)))

    def everything(self) -> Bools:
        """All that a verdict may depend on, shape [u]."""
        if self.book.stakes.depth:
            return np.ones(len(self.book.gains), dtype=np.bool_)
        return self.influence(range(len(self.pairs))) > 0

    def finish(self) -> list[Settled]:
        """Buys what is left, if it may, and closes the pairs that are open by the tests."""
        complete = False
        # Again, since documents move up where a label fails.
        while (
            self.open
            and self.book.cost(self.everything())
            and self.book.affords(self.everything())
            and not self.book.late
        ):
            self.book.buy(self.everything())
        if self.open and not self.book.cost(self.everything()):
            self.settled, complete = {}, True
            self.fill()
        found = self.tests()
        for pair in self.open:
            if complete or (pair in self.sampled and self.enough(pair)):
                verdict = verdict_of(found[pair], self.plan)
                self.close(pair, verdict, "all" if complete else "budget")
            else:  # what is forecast shows nothing
                self.close(pair, Verdict.INCONCLUSIVE, "open")
        return [self.settled[p] for p in range(len(self.pairs))]


def settle_exactly(book: Book, clues: Floats, plan: Plan, *, loss: bool = False) -> list[Settled]:
    """Buys the weightiest labels first, and stops where no others could change a verdict.

    What only an ideal depends on comes last, and is often not needed: it stretches a query's
    difference, and cannot turn it.

    Args:
        clues: see `clues_of`, shape [u, f].
        loss: settle as well whether a loss of the margin or more is ruled out.

    Returns:
        One for each pair of rankers, by baseline, then by ranker. A verdict is that of all labels;
        where the budget was spent before, it is "inconclusive".
    """
    state = Settling(book, clues, plan, loss=loss)
    for ideal, share in product((False, True) if book.stakes.depth else (False,), SHARES):
        close_certain(state)
        if not state.open or book.late:
            break
        wanted = weightiest(state, share, ideal=ideal)
        affordable = wanted[: int(min(book.room, len(wanted)))]
        book.buy(np.isin(np.arange(len(book.gains)), affordable))
        state.fill()
        if len(affordable) < len(wanted):
            break
    close_certain(state)
    return state.finish()


def close_certain(state: Settling) -> None:
    for pair in state.open:
        box, plan = state.box(pair), state.plan
        possible = possible_verdicts(box, plan, state.margin, len(state.pairs))
        open_loss = state.loss and len(possible_losses(box, plan, state.margin)) > 1
        if len(possible) == 1 and not open_loss:
            state.close(pair, next(iter(possible)), "bounds")


def weightiest(state: Settling, share: float, *, ideal: bool) -> npt.NDArray[np.intp]:
    """Of this share of the labels that can move an open pair, or beyond these, of an ideal's, the
    units whose label is not known, weightiest first."""
    influence = state.influence(state.open)
    candidates = influence > 0
    if ideal:
        # Documents of other lists than the pair's, likely the better the higher they rank in one.
        candidates, influence = ~candidates, state.book.stakes.weights.max(axis=0)
    influence = np.where(candidates, influence, -1.0)
    count = math.ceil(share * np.count_nonzero(candidates))
    wanted = np.argsort(-influence, kind="stable")[:count]
    return wanted[~(state.book.known | state.book.failed)[wanted]]


def settle_likely(
    book: Book, clues: Floats, draws: Floats, plan: Plan, *, loss: bool = False
) -> list[Settled]:
    """Draws labels at random, the more likely the more they can move, and stops where the others
    would not change a verdict, with a chance of 98 % for each pair of rankers.

    Each pair has a sample of its own, so that its estimates are without bias; since a label has
    one lot for all, the samples overlap as much as they can. What only an ideal depends on is
    forecast, and bought only where all else has settled nothing.

    Args:
        clues: see `clues_of`, shape [u, f].
        draws: a number from 0 to below 1 for each unit, shape [u]: see `lots`.
        loss: settle as well whether a loss of the margin or more is ruled out.

    Returns:
        One for each pair of rankers, by baseline, then by ranker. Where the budget was spent, the
        verdict is the test's on what is estimated, which holds its level too.
    """
    state = Settling(book, clues, plan, loss=loss)
    before = 0.0
    for share in SHARES:
        chances, affordable = drawn_chances(state, draws, before, share)
        book.buy(union(chances, draws))
        if book.exhausted:  # an earlier look is whole, and this one is no sample
            break
        read(state, chances, draws)
        close_likely(state)
        before = share
        if not state.open or not affordable or book.late:
            break
    return state.finish()


def drawn_chances(
    state: Settling, draws: Floats, before: float, share: float
) -> tuple[dict[int, Floats], bool]:
    """Of each open pair, the chance of each unit to be in its sample, for the largest share that
    the budget has room for; and whether that is the share asked for."""

    def chances(part: float) -> dict[int, Floats]:
        sizes = {p: np.abs(state.weights(p)) for p in state.open}
        return {p: chances_of(s, part * np.count_nonzero(s)) for p, s in sizes.items()}

    wanted = chances(share)
    if state.book.affords(union(wanted, draws)):
        return wanted, True
    low, high = before, share
    for _ in range(20):
        middle = (low + high) / 2
        fits = state.book.affords(union(chances(middle), draws))
        low, high = (middle, high) if fits else (low, middle)
    found = chances(low)
    # A label that failed has changed what there is to draw: then no more are.
    return (found if state.book.affords(union(found, draws)) else {}), False


def union(chances: Mapping[int, Floats], draws: Floats) -> Bools:
    wanted = np.zeros(len(draws), dtype=np.bool_)
    for found in chances.values():
        wanted |= draws < found
    return wanted


def read(state: Settling, chances: Mapping[int, Floats], draws: Floats) -> None:
    """Estimates each open pair from its own sample."""
    forecasts, book = state.book.forecasts(state.clues), state.book
    state.sampled |= chances.keys()
    for pair, chance in chances.items():
        sampled = (draws < chance) & book.known
        state.estimates[pair] = estimate(
            book.stakes,
            state.weights(pair),
            book.gains,
            forecasts,
            chance,
            sampled,
            state.plan.seed,
        )


def close_likely(state: Settling) -> None:
    tests, tested = state.tests(), len(state.pairs)
    for pair in state.open:
        if not state.enough(pair):
            continue
        verdict = verdict_of(tests[pair], state.plan)
        found, plan, looks = state.estimates[pair], state.plan, len(SHARES)
        likely = likely_verdicts(found, plan, state.margin, tested, looks)
        open_loss = state.loss and len(likely_losses(found, plan, state.margin, looks)) > 1
        if likely == frozenset({verdict}) and not open_loss:
            state.close(pair, verdict, "sample")
