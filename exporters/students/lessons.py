"""In which order a student reads its examples, and what is left out of a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.students.split import wording

__all__ = ["Lessons"]

TOGETHER = 8
"""Documents of one query that stay together, at most: they are compared with each other."""
TEXT = "body"


class Lessons:
    """Graded examples, dealt anew in every epoch.

    What an epoch holds depends on the seed and the epoch's number alone, so that a training that
    was stopped goes on with the batches it would have had.

    Args:
        batch: examples in a step; the last of an epoch may have fewer.
        field_dropout: chance that a metadata field is left out of a document, 0 to 1.
    """

    def __init__(self, examples: Sequence[Example], batch: int, field_dropout: float, seed: int):
        self.examples, self.batch, self.seed = examples, batch, seed
        self.field_dropout = field_dropout
        numbers: dict[str, int] = {}
        self.queries = [numbers.setdefault(wording(e), len(numbers)) for e in examples]
        self.of_query: list[list[int]] = [[] for _ in numbers]
        for position, query in enumerate(self.queries):
            self.of_query[query].append(position)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.examples) // self.batch)

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Positions of examples: each once, up to eight documents of a query side by side."""
        rng = np.random.default_rng([self.seed, epoch, 0])
        groups: list[list[int]] = []
        for positions in self.of_query:
            dealt: list[int] = rng.permutation(positions).tolist()
            groups += [dealt[i : i + TOGETHER] for i in range(0, len(dealt), TOGETHER)]
        shuffled: list[int] = rng.permutation(len(groups)).tolist()
        order = [position for number in shuffled for position in groups[number]]
        for start in range(0, len(order), self.batch):
            yield order[start : start + self.batch]

    def pair(self, position: int, epoch: int) -> Pair:
        """The pair as it is read in this epoch: some metadata may be missing, never all text."""
        pair = self.examples[position].pair
        if not self.field_dropout:
            return pair
        rng = np.random.default_rng([self.seed, epoch, 1, position])
        return replace(pair, document=thinned(pair.document, self.field_dropout, rng))


def thinned(document: Document, chance: float, rng: np.random.Generator) -> Document:
    """The document without some of its fields; the text itself stays, or one field if it has none.

    The draw is made for each field in a fixed order, whatever order the document has them in.
    """
    roles = sorted(document.fields)
    kept = {r for r, draw in zip(roles, rng.random(len(roles)), strict=True) if draw >= chance}
    if TEXT in document.fields:
        kept.add(TEXT)
    elif not kept and roles:
        kept.add(roles[int(rng.integers(len(roles)))])
    return Document(document.id, {r: t for r, t in document.fields.items() if r in kept})
