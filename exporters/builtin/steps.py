"""What the encoder is trained on: small blocks of queries by documents with known grades.

In a block every query meets every document, so each text is encoded once per step however
many pairs it is in. Grades that nobody knows are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from relevance_eval.exporters.builtin.corpora import Corpus, Qrels

__all__ = ["Block", "article_blocks", "entity_blocks", "judged_blocks", "lone_blocks"]

TextKey = tuple[str, str, str]
"""Collection, 'q' or 'd', id."""

UNKNOWN = -1
_Item = TypeVar("_Item")


def _shuffled(items: Sequence[_Item], rng: np.random.Generator) -> list[_Item]:
    """The items in random order."""
    return [items[index] for index in rng.permutation(len(items))]


def _sampled(items: Sequence[_Item], size: int, rng: np.random.Generator) -> list[_Item]:
    """`size` different items at random."""
    return [items[index] for index in rng.choice(len(items), size=size, replace=False)]


@dataclass(frozen=True)
class Block:
    """One training step: texts by key and two matrices [queries, documents].

    grades: 0-3, or -1 where nobody knows. order: as grades, but also filled where only the
    order against the judged ones is known. soft: float [queries, documents, 3], the target
    of P(grade >= k), NaN where the grade is unknown.
    """

    collection: str
    queries: Sequence[TextKey]
    documents: Sequence[TextKey]
    order: NDArray[np.int64]
    soft: NDArray[np.float32]


def _soft(grades: NDArray[np.int64]) -> NDArray[np.float32]:
    """Targets of P(grade >= 1 .. 3) from grades, NaN for unknown ones."""
    soft = (grades[..., None] >= np.arange(1, 4)).astype(np.float32)
    soft[grades == UNKNOWN] = np.nan
    return soft


def judged_blocks(
    corpus: Corpus,
    queries: Sequence[str],
    teachers: Sequence[Qrels],
    share: float,
    rng: np.random.Generator,
) -> list[Block]:
    """Two queries by 12 documents of each, for collections graded 0-3 by people.

    All documents of grade 1 to 3 are used and as many of grade 0. share: how much the mean
    of the teachers' grades counts in the targets, 0 to 1; the order is the people's alone.
    Documents of the other query count as grade 0.
    """
    chunks: list[tuple[str, list[str]]] = []
    for query in queries:
        grades = corpus.qrels[query]
        useful = [doc for doc, grade in grades.items() if grade > 0]
        useless = [doc for doc, grade in grades.items() if grade == 0]
        kept = _shuffled(useless, rng)[: max(len(useful), 12)]
        mixed = _shuffled(useful + kept, rng)
        chunks += [(query, mixed[at : at + 12]) for at in range(0, len(mixed), 12)]
    chunks = _shuffled(chunks, rng)
    blocks: list[Block] = []
    for at in range(0, len(chunks), 2):
        parts = chunks[at : at + 2]
        names = [query for query, _ in parts]
        documents = [doc for _, docs in parts for doc in docs]
        grades = np.array([[corpus.qrels[q].get(doc, 0) for doc in documents] for q in names])
        soft = _blended(_soft(grades), names, documents, teachers, share)
        blocks.append(_block(corpus.name, names, documents, grades, soft))
    return blocks


def _blended(
    soft: NDArray[np.float32],
    queries: Sequence[str],
    documents: Sequence[str],
    teachers: Sequence[Qrels],
    share: float,
) -> NDArray[np.float32]:
    """The targets `soft` [queries, documents, 3] with the teachers' mean mixed in by `share`
    where a teacher graded the pair."""
    blended = soft.copy()
    for row, query in enumerate(queries):
        for column, document in enumerate(documents):
            given = [t[query][document] for t in teachers if document in t.get(query, {})]
            if given:
                target = _soft(np.array(given)).mean(axis=0)
                blended[row, column] = (1 - share) * soft[row, column] + share * target
    return blended


def article_blocks(corpus: Corpus, count: int, rng: np.random.Generator) -> list[Block]:
    """Six paragraphs of each of two articles by up to three questions on each paragraph.

    Other paragraphs of the question's article rank below one that answers, without a grade;
    those of the other article get grade 0. count: blocks.
    """
    own = {query: next(iter(grades.items())) for query, grades in corpus.qrels.items()}
    asked: dict[str, list[str]] = {}
    for query, (document, _) in own.items():
        asked.setdefault(document, []).append(query)
    articles: dict[str, list[str]] = {}
    for document in asked:
        articles.setdefault(document.split("#")[0], []).append(document)
    names = sorted(articles)
    blocks: list[Block] = []
    for _ in range(count):
        chosen = _sampled(names, 2, rng)
        documents = [doc for name in chosen for doc in _shuffled(articles[name], rng)[:6]]
        queries = [query for doc in documents for query in _shuffled(asked[doc], rng)[:3]]
        grades = np.full((len(queries), len(documents)), UNKNOWN)
        order = np.zeros((len(queries), len(documents)), dtype=np.int64)
        for row, query in enumerate(queries):
            document, grade = own[query]
            for column, other in enumerate(documents):
                if other == document:
                    grades[row, column] = order[row, column] = grade
                elif other.split("#")[0] != document.split("#")[0]:
                    grades[row, column] = 0
                elif grade == 1:
                    order[row, column] = UNKNOWN
        blocks.append(_block(corpus.name, queries, documents, order, _soft(grades)))
    return blocks


def _grouped_blocks(
    corpus: Corpus, groups: Sequence[Sequence[str]], grade: Callable[[str, str], int]
) -> list[Block]:
    blocks: list[Block] = []
    for queries in groups:
        documents = list(
            dict.fromkeys(d for q in queries for d, g in corpus.qrels[q].items() if g == 3)
        )
        grades = np.array([[grade(query, doc) for doc in documents] for query in queries])
        blocks.append(_block(corpus.name, queries, documents, grades, _soft(grades)))
    return blocks


def entity_blocks(corpus: Corpus, count: int, rng: np.random.Generator) -> list[Block]:
    """Questions and answers about four things: 3 for a question's own answer, 1 for another
    answer about the same thing, 0 across things. count: blocks, of 5 questions a thing."""
    things: dict[str, list[str]] = {}
    for query in corpus.qrels:
        things.setdefault(query.rsplit("-", 1)[0], []).append(query)
    several = [names for _, names in sorted(things.items()) if len(names) >= 3]
    groups: list[list[str]] = []
    for _ in range(count):
        chosen = _sampled(several, 4, rng)
        groups.append([query for thing in chosen for query in _shuffled(thing, rng)[:5]])
    return _grouped_blocks(corpus, groups, lambda q, d: corpus.qrels[q].get(d, 0))


def lone_blocks(corpus: Corpus, count: int, size: int, rng: np.random.Generator) -> list[Block]:
    """`size` questions by their own documents: 3 on the diagonal, 0 elsewhere."""
    names = sorted(corpus.qrels)
    groups = [_sampled(names, size, rng) for _ in range(count)]
    return _grouped_blocks(corpus, groups, lambda q, d: corpus.qrels[q].get(d, 0))


def _block(
    collection: str,
    queries: Sequence[str],
    documents: Sequence[str],
    order: NDArray[np.int64],
    soft: NDArray[np.float32],
) -> Block:
    return Block(
        collection,
        [(collection, "q", query) for query in queries],
        [(collection, "d", document) for document in documents],
        order,
        soft,
    )
