"""Mined negatives as training data for retrievers, in the columns that sentence-transformers reads.

Its losses take columns by their order, every column but `label` as a text: there are no ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from relevance_eval.evaluators.document import DEFAULT_FIELDS, Document
from relevance_eval.evaluators.example import SEED, Example
from relevance_eval.plugin.mine import QRELS

__all__ = ["RowFormat", "passage", "retriever_rows"]

RowFormat = Literal["pairs", "triples", "tuples"]
Row = Mapping[str, str | int]


@dataclass
class RetrieverRows:
    """Rows, and how many could not be made.

    Attributes:
        short: positives left out of tuples, since their query has too few negatives.
    """

    rows: list[Row] = field(default_factory=list[Row])
    short: int = 0


def passage(document: Document) -> str:
    """The texts of a document's roles as lines, the title first."""
    return "\n".join(document.fields[role] for role in DEFAULT_FIELDS if role in document.fields)


def retriever_rows(
    examples: Iterable[Example], form: RowFormat, negatives: int = 5
) -> RetrieverRows:
    """One row for each:

    - `pairs`: query and document: `anchor`, `passage`, `label` (1 for a positive, else 0);
    - `triples`: positive and negative of a query: `anchor`, `positive`, `negative`;
    - `tuples`: positive of a query: `anchor`, `positive`, `negative_1` to `negative_n`, the first
      of the query's negatives.

    Args:
        examples: as `mine` gives them, query by query.
        negatives: n of the tuples, 1 or more.
    """
    made = RetrieverRows()
    for _, group in groupby(examples, key=lambda e: e.pair.query.id):
        held = list(group)
        anchor = held[0].pair.query.text
        good = [passage(e.pair.document) for e in held if is_positive(e)]
        bad = [passage(e.pair.document) for e in held if not is_positive(e)]
        if form == "pairs":
            made.rows += labelled(anchor, good, bad)
        elif form == "triples":
            made.rows += triples(anchor, good, bad)
        elif len(bad) < negatives:
            made.short += len(good)
        else:
            made.rows += tuples(anchor, good, bad[:negatives])
    return made


def is_positive(example: Example) -> bool:
    return example.origin in (SEED, QRELS)


def labelled(anchor: str, good: Iterable[str], bad: Iterable[str]) -> Iterator[Row]:
    for label, passages in ((1, good), (0, bad)):
        for text in passages:
            yield {"anchor": anchor, "passage": text, "label": label}


def triples(anchor: str, good: Iterable[str], bad: list[str]) -> Iterator[Row]:
    for positive in good:
        for negative in bad:
            yield {"anchor": anchor, "positive": positive, "negative": negative}


def tuples(anchor: str, good: Iterable[str], bad: list[str]) -> Iterator[Row]:
    numbered = {f"negative_{n}": text for n, text in enumerate(bad, start=1)}
    for positive in good:
        yield {"anchor": anchor, "positive": positive, **numbered}
