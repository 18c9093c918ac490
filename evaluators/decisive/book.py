"""The labels of a pool, some known and some not, and what may still be spent on them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.decisive.forecast import fold_of, forecast
from relevance_eval.evaluators.decisive.stakes import Stakes

__all__ = ["Book", "Grade"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Grade = Callable[[npt.NDArray[np.int64]], Floats]
"""Buys labels: gains of these units, in their order; NaN for one that failed, and infinity for one
that the labeler was not asked about, since a budget of its own is spent."""


class Book:
    """Labels as they are bought.

    Attributes:
        stakes: without the units whose label failed: a failure is not a grade 0.
        shown: the lists with them, as in `Stakes`.
        gains: of each unit, shape [u]; NaN where not known.
        failed: which were asked for in vain, shape [u].
        limit: labels that may be asked for; None for all.
        seconds: of wall-clock time after which no more are asked for; None for no end.
        exhausted: the labeler has left some out, since a budget of its own is spent.
    """

    def __init__(
        self,
        stakes: Stakes,
        grade: Grade,
        *,
        limit: int | None = None,
        seconds: float | None = None,
    ):
        self.stakes, self.grade, self.shown = stakes, grade, stakes.lists
        self.gains = np.full(len(stakes.documents), np.nan)
        self.failed = np.zeros(len(stakes.documents), dtype=np.bool_)
        self.folds = fold_of(stakes.query_ids)
        self.limit, self.seconds = limit, seconds
        self.exhausted = False
        self.started = time.monotonic()

    @property
    def known(self) -> Bools:
        return ~np.isnan(self.gains)

    def forecasts(self, clues: Floats) -> Floats:
        """Of every label's gain, shape [u], by labels of other queries; 0 where a label failed.

        Args:
            clues: see `clues_of`, shape [u, f].
        """
        found = forecast(self.stakes, clues, self.gains, self.known, self.folds)
        return np.where(self.failed, 0.0, found)

    def cost(self, wanted: Bools) -> int:
        """Labels that would be asked for, of units wanted, shape [u]."""
        return int(np.count_nonzero(wanted & ~self.known & ~self.failed))

    @property
    def room(self) -> float:
        """Labels that may still be asked for."""
        if self.exhausted:
            return 0
        if self.limit is None:
            return math.inf
        return max(0, self.limit - int(np.count_nonzero(self.known | self.failed)))

    def affords(self, wanted: Bools) -> bool:
        return self.cost(wanted) <= self.room

    @property
    def late(self) -> bool:
        if self.exhausted:
            return True
        return self.seconds is not None and time.monotonic() - self.started > self.seconds

    def buy(self, wanted: Bools) -> None:
        """Asks for the labels of these units that are not known."""
        places = np.flatnonzero(wanted & ~self.known & ~self.failed)
        if not len(places):
            return
        found = self.grade(places)
        asked = ~np.isposinf(found)
        self.exhausted = self.exhausted or not asked.all()
        places, found = places[asked], found[asked]
        self.gains[places] = found
        if np.isnan(found).any():
            self.failed[places[np.isnan(found)]] = True
            self.stakes = self.stakes.without(self.failed)
