"""A pair of rankers, and every label that a verdict on them could need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from prepared import DEPTH, Prepared

from relevance_eval.evaluators.decisive.book import Book
from relevance_eval.evaluators.decisive.forecast import clues_of
from relevance_eval.evaluators.decisive.sample import lots
from relevance_eval.evaluators.decisive.settle import Settled, settle_exactly, settle_likely
from relevance_eval.evaluators.decisive.stakes import Stakes, stakes_of
from relevance_eval.evaluators.difference import Difference, differences, without_rounding
from relevance_eval.evaluators.measures import Measure
from relevance_eval.evaluators.measures.positions import label_gain
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.run import Run

__all__ = ["PLAN", "Decision", "decision"]

Floats = npt.NDArray[np.float64]
PLAN = Plan(label_draws=0, resamples=1000, permutations=2000)


@dataclass(frozen=True)
class Decision:
    """A pair of rankers on one measure, with every label that it could need."""

    names: str
    stakes: Stakes
    gains: Floats
    clues: Floats
    plan: Plan

    @property
    def weights(self) -> Floats:
        return self.stakes.weights[1] - self.stakes.weights[0]

    @property
    def movable(self) -> float:
        """Of the pool's labels, the share that can move the difference."""
        return float(np.mean(self.weights != 0))

    def column(self, gains: Floats) -> Floats:
        return without_rounding(self.stakes.column(self.weights, gains))

    def full(self) -> Difference:
        return self.tested(self.column(self.gains))

    def tested(self, column: Floats) -> Difference:
        plan = self.plan
        return differences([column], str(plan.primary), plan, margin=plan.rule.margin)[0]

    def settle(self, mode: str, seed: int = 0, *, loss: bool = False) -> tuple[Settled, Book]:
        book = Book(self.stakes, lambda places: self.gains[places])
        if mode == "exact":
            return settle_exactly(book, self.clues, self.plan, loss=loss)[0], book
        names = [f"{q}\n{d}" for q, d in zip(self.stakes.query, self.stakes.documents, strict=True)]
        settled = settle_likely(book, self.clues, lots(names, seed), self.plan, loss=loss)
        return settled[0], book


def decision(found: Prepared, runs: Sequence[Run], measure: Measure) -> Decision:
    ids = [q.id for q in found.queries]
    held = {
        q: sorted({h.document_id for r in runs for h in r.hits(q)[:DEPTH]} & found.judged[q].keys())
        if q in found.judged
        else []
        for q in ids
    }
    stakes = stakes_of(runs, ids, held, measure)
    units = zip(stakes.query, stakes.documents, strict=True)
    gains = np.array([label_gain(measure, found.judged[ids[q]][d]) for q, d in units])
    texts = {d: found.documents[d] for d in set(stakes.documents)}
    clues = clues_of(stakes, {q.id: q for q in found.queries}, texts)
    names = " / ".join(r.ranker for r in runs)
    return Decision(names, stakes, gains, clues, replace(PLAN, primary=measure))
