"""Collections drawn at random, whose labels are all there to be compared with."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from relevance_eval.evaluators.comparison import Comparison, compare
from relevance_eval.evaluators.decisive.book import Book
from relevance_eval.evaluators.decisive.comparison import compare_decisively
from relevance_eval.evaluators.decisive.stakes import Stakes, stakes_of
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Measure
from relevance_eval.evaluators.measures.positions import label_gain
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Collected:
    """Runs with what every label of their pool says.

    Attributes:
        judgments: of every pair of query id and document id of the pool whose label does not fail.
        asked: pairs in the order in which labels were asked for.
        answers: how many the labeler gives before a budget of its own is spent.
    """

    runs: Sequence[Run]
    queries: Sequence[Query]
    documents: Mapping[str, Document]
    pool: Mapping[str, Sequence[str]]
    judgments: Mapping[Pair, Judgment]
    asked: list[Pair] = field(default_factory=list[Pair])
    answers: int = 1_000_000

    def buy(self, pairs: Sequence[Pair]) -> dict[Pair, Judgment]:
        answered = pairs[: max(0, self.answers - len(self.asked))]
        self.asked.extend(pairs)
        lost = Judgment.failed("labeler", "no answer")
        return {p: self.judgments.get(p, lost) for p in answered}

    @property
    def judged(self) -> dict[str, dict[str, Judgment]]:
        return {
            q: {d: self.judgments[q, d] for d in ids if (q, d) in self.judgments}
            for q, ids in self.pool.items()
        }

    @property
    def ungraded(self) -> dict[str, set[str]]:
        return {q: {d for d in ids if (q, d) not in self.judgments} for q, ids in self.pool.items()}

    def stakes(self, measure: Measure) -> Stakes:
        return stakes_of(self.runs, [q.id for q in self.queries], self.pool, measure)

    def gains(self, measure: Measure) -> Floats:
        """Of every unit, shape [u]; NaN where the label fails."""
        units = [(q, d) for q, ids in self.pool.items() for d in ids]
        found = [
            label_gain(measure, self.judgments[u]) if u in self.judgments else np.nan for u in units
        ]
        return np.array(found, dtype=np.float64)

    def book(self, measure: Measure, limit: int | None = None) -> tuple[Book, list[int]]:
        """A book of these labels, and the places that it asked for."""
        gains, asked = self.gains(measure), list[int]()

        def grade(places: npt.NDArray[np.int64]) -> Floats:
            asked.extend(places.tolist())
            return gains[places]

        return Book(self.stakes(measure), grade, limit=limit), asked

    def fully(self, plan: Plan) -> Comparison:
        return compare(self.runs, self.queries, self.judged, plan, self.ungraded)

    def sparingly(self, plan: Plan, **options: object) -> Comparison:
        self.asked.clear()
        return compare_decisively(
            self.runs,
            self.queries,
            self.documents,
            plan,
            self.buy,
            **{"mode": "exact", **options},  # type: ignore[arg-type]
        )


@pytest.fixture(scope="session")
def collect() -> Callable[..., Collected]:
    """Draws a collection: `collect(seed, quality=(0, 1))` has a baseline that ranks at random, and
    a ranker that is far better."""

    def draw(
        seed: int,
        *,
        queries: int = 8,
        quality: Sequence[float] = (0.3, 0.6),
        documents: int = 9,
        longest: int = 7,
        fails: float = 0.0,
        certain: bool = False,
    ) -> Collected:
        chance, lists, graded = random.Random(seed), [], {}
        ids = [f"q{i:02}" for i in range(queries)]
        texts: dict[str, Document] = {}
        for query in ids:
            names = [f"{query}d{i}" for i in range(documents)]
            grades = {d: chance.choice((0, 0, 1, 2, 3)) for d in names}
            lists.append([order(chance, grades, q)[: chance.randint(0, longest)] for q in quality])
            for name, grade in grades.items():
                words = [f"word{query}"] * (chance.random() < 0.2 + 0.2 * grade)
                texts[name] = Document(name, {"body": " ".join(["text", *words])})
                if chance.random() >= fails:
                    graded[query, name] = told(chance, grade, certain)
        runs = [
            Run("abcdef"[row], {q: result(found[row]) for q, found in zip(ids, lists, strict=True)})
            for row in range(len(quality))
        ]
        pool = {q: sorted(set().union(*found)) for q, found in zip(ids, lists, strict=True)}
        shown = {d for names in pool.values() for d in names}
        return Collected(
            runs,
            [Query(q, f"text word{q}") for q in ids],
            {d: t for d, t in texts.items() if d in shown},
            pool,
            {(q, d): j for (q, d), j in graded.items() if d in pool[q]},
        )

    return draw


def order(chance: random.Random, grades: Mapping[str, int], quality: float) -> list[str]:
    return sorted(grades, key=lambda d: -quality * grades[d] - chance.gauss(0, 1))


def result(ids: Sequence[str]) -> Result:
    return Result(tuple(Hit(d, -float(rank)) for rank, d in enumerate(ids)))


def told(chance: random.Random, grade: int, certain: bool) -> Judgment:
    """The grade, or one to four times the odds of the others' for it."""
    if certain:
        return Judgment.certain("m", grade)
    odds = [chance.random() + (3 if g == grade else 0) for g in range(4)]
    return Judgment("m", tuple(o / sum(odds) for o in odds))
