"""What the encoder is tuned on: queries, each with documents and what they are graded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relevance_eval.exporters.builtin.corpora import Corpus, Qrels, read_corpus, read_qrels

__all__ = [
    "SCALES",
    "WEIGHTS",
    "Group",
    "Material",
    "articles",
    "questions",
    "soft_targets",
    "things",
]

WEIGHTS: Mapping[str, float] = {"dl20": 1.0, "liveqa": 1.0, "squad2": 0.1, "medquad": 0.5}
"""What a group counts in the loss, by collection: people's grades before built ones."""
_PEOPLE = "people"
SCALES = (_PEOPLE, "squad2", "medquad")
"""What has cut points of its own while tuning. The collections that people graded share theirs:
else their features drift apart, and one head no longer fits both."""
_TEACHERS = ("gpt-4o", "llama3.2", "mistral")
_GRADES = 4
_HUMAN = 0.6
_QUESTIONS = {"dl20": (4, 16), "liveqa": (3, 8)}  # queries of a step, documents of each
_ARTICLES = 1  # of squad2, in a step
_PARAGRAPHS = 4
_ASKED = 3
_THINGS = (3, 4)  # questions of medquad in a step, answers of each


@dataclass(frozen=True)
class Group:
    """A query with n documents (field to text). targets: float64 [n, 4], rows sum to 1.
    scale: whose grades these are, and so which cut points they have."""

    collection: str
    scale: str
    query: str
    documents: Sequence[Mapping[str, str]]
    targets: NDArray[np.float64]

    @property
    def expected(self) -> NDArray[np.float64]:
        """Mean grade of each document, float64 [n], 0 to 3."""
        return self.targets @ np.arange(_GRADES)


@dataclass(frozen=True)
class Material:
    """The collections by name, and the language models' grades of dl20's pairs."""

    corpora: Mapping[str, Corpus]
    models: Sequence[Qrels]

    @classmethod
    def read(cls, data: Path) -> Material:
        models = [read_qrels(data / "dl20" / f"judged-by-{name}.txt") for name in _TEACHERS]
        return cls({name: read_corpus(data / name) for name in WEIGHTS}, models)

    def batches(
        self, seen: Mapping[str, Sequence[str]], rng: np.random.Generator
    ) -> Iterator[list[Group]]:
        """Without end, the groups of a step; of dl20 and liveqa only the queries in `seen`."""
        asked = {
            name: questions(
                self.corpora[name], seen[name], self.models if name == "dl20" else (), size, rng
            )
            for name, (_, size) in _QUESTIONS.items()
        }
        paragraphs = articles(self.corpora["squad2"], _PARAGRAPHS, _ASKED, rng)
        answers = things(self.corpora["medquad"], _THINGS[1], rng)
        while True:
            groups: list[Group] = []
            for name, (count, _) in _QUESTIONS.items():
                groups += islice(asked[name], count)
            for _ in range(_ARTICLES):
                groups += next(paragraphs)
            yield [*groups, *islice(answers, _THINGS[0])]


def soft_targets(
    query: str, documents: Sequence[str], people: Qrels, models: Sequence[Qrels]
) -> NDArray[np.float64]:
    """The share of each grade, [n, 4]: 60 % the person's, 40 % what the models say on average.

    Where no model graded a pair, the person's grade is all.
    """
    targets = np.zeros((len(documents), _GRADES))
    for row, document in enumerate(documents):
        said = [own[query][document] for own in models if document in own.get(query, {})]
        for grade in said:
            targets[row, grade] += (1 - _HUMAN) / len(said)
        targets[row, people[query][document]] += _HUMAN if said else 1.0
    return targets


def questions(
    corpus: Corpus,
    queries: Sequence[str],
    models: Sequence[Qrels],
    size: int,
    rng: np.random.Generator,
) -> Iterator[Group]:
    """Without end: a query with `size` of its documents, of all grades as evenly as they come.

    All queries are gone through in random order before one comes again.
    """
    while True:
        for query in _shuffled(queries, rng):
            chosen = _even(corpus.qrels[query], size, rng)
            targets = soft_targets(query, chosen, corpus.qrels, models)
            yield _group(corpus, query, chosen, targets)


def articles(
    corpus: Corpus, paragraphs: int, asked: int, rng: np.random.Generator
) -> Iterator[list[Group]]:
    """Without end: an article's `paragraphs`, with up to `asked` questions about each, against all.

    The paragraph that a question was asked about has the question's grade, the others 0.
    """
    by_article: dict[str, list[str]] = defaultdict(list)
    for name, fields in corpus.documents.items():
        by_article[fields["title"]].append(name)
    about: dict[str, list[str]] = defaultdict(list)
    for query, grades in corpus.qrels.items():
        for document in grades:
            about[document].append(query)
    titles = [title for title, own in by_article.items() if len(own) >= paragraphs]
    while True:
        title = titles[int(rng.integers(len(titles)))]
        chosen = _shuffled(by_article[title], rng)[:paragraphs]
        queries = [q for name in chosen for q in _shuffled(about[name], rng)[:asked]]
        yield [_group(corpus, query, chosen, _certain(corpus, query, chosen)) for query in queries]


def things(corpus: Corpus, size: int, rng: np.random.Generator) -> Iterator[Group]:
    """Without end: a question with its answer and up to `size` - 1 answers to others about the
    same thing, of grade 1."""
    queries = [query for query, grades in corpus.qrels.items() if len(grades) > 1]
    while True:
        query = queries[int(rng.integers(len(queries)))]
        grades = corpus.qrels[query]
        chosen = sorted(_shuffled(list(grades), rng), key=lambda name: -grades[name])[:size]
        yield _group(corpus, query, chosen, _certain(corpus, query, chosen))


def _even(grades: Mapping[str, int], size: int, rng: np.random.Generator) -> list[str]:
    """`size` documents, all if there are fewer: one of each grade in turn, highest first."""
    by_grade: dict[int, list[str]] = defaultdict(list)
    for name in _shuffled(list(grades), rng):
        by_grade[grades[name]].append(name)
    chosen: list[str] = []
    while len(chosen) < min(size, len(grades)):
        for grade in sorted(by_grade, reverse=True):
            if by_grade[grade] and len(chosen) < size:
                chosen.append(by_grade[grade].pop())
    return chosen


def _group(
    corpus: Corpus, query: str, documents: Sequence[str], targets: NDArray[np.float64]
) -> Group:
    fields = [corpus.documents[name] for name in documents]
    scale = _PEOPLE if corpus.name in _QUESTIONS else corpus.name
    return Group(corpus.name, scale, corpus.queries[query], fields, targets)


def _certain(corpus: Corpus, query: str, documents: Sequence[str]) -> NDArray[np.float64]:
    """The grades that the collection gives, 0 where it has none."""
    return np.eye(_GRADES)[[corpus.qrels[query].get(name, 0) for name in documents]]


def _shuffled(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [names[row] for row in rng.permutation(len(names)).tolist()]
