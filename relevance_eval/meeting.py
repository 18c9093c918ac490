"""Where a labeler meets people: their grades, the labeler's for the same pairs, and slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relevance_eval.errors import ConfigError
from relevance_eval.evaluators.agreement import (
    Agreement,
    Order,
    agree,
    check_runs,
    order_of_systems,
)
from relevance_eval.evaluators.document import Document, document_from, read_corpus
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelling import Labeler, Labelling, check_graded, label
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import Qrels, read_qrels
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import read_run
from relevance_eval.plugin import datasets
from relevance_eval.project import Project, Task

__all__ = ["Meeting", "meet"]

SMALLEST_SLICE = 5
LARGEST_TAG = 20


@dataclass(frozen=True)
class Meeting:
    """Agreement in all and by slice.

    Attributes:
        slices: `tag=value` to the agreement on the queries that have it, 5 queries or more.
        unknown: graded pairs whose query or document is not in the files.
    """

    labeler: Labeler
    labelling: Labelling
    agreement: Agreement
    slices: Mapping[str, Agreement]
    order: Order | None
    unknown: int


def meet(
    project: Project,
    qrels: str,
    task: Task,
    *,
    queries: str | None,
    corpus: str | None,
    labeler: Labeler,
    runs: Sequence[Path],
    relevant: int,
    seed: int,
) -> Meeting:
    """Grades every pair that people graded, and compares.

    The store's own human grades are left aside: the labeler must answer for itself.
    """
    people = datasets.qrels(qrels) if is_dataset(qrels) else read_qrels(Path(qrels))
    asked = query_set(project, queries)
    found = [read_run(path) for path in runs]
    if found:
        check_runs(found)  # before anything is bought
    wanted = frozenset(i for grades in people.values() for i in grades)
    wanted |= {h.document_id for run in found for q in asked for h in run.hits(q.id)[:10]}
    documents = corpus_of(project, corpus, wanted)
    pairs = list(pairs_of(asked, people, documents))
    for run in found:
        pairs += [
            Pair(q, documents[h.document_id])
            for q in asked
            for h in run.hits(q.id)[:10]
            if q.id in people and h.document_id in documents
        ]
    with project.store() as store, task("labelling") as progress:
        labelling = label(pairs, labeler, store, progress, people=False)
    check_graded(labelling, labeler)
    judged = labelling.by_id(pairs)
    known = sum(i in judged.get(q, {}) for q, grades in people.items() for i in grades)
    return Meeting(
        labeler=labeler,
        labelling=labelling,
        agreement=agree(people, judged, relevant=relevant, seed=seed),
        slices=dict(slices(asked, people, judged, relevant, seed)),
        order=order_of_systems(found, people, judged, parse_measure("EnDCG@10")) if found else None,
        unknown=sum(len(grades) for grades in people.values()) - known,
    )


def is_dataset(name: str) -> bool:
    return name.startswith(datasets.PREFIX)


def query_set(project: Project, name: str | None) -> list[Query]:
    if name and is_dataset(name):
        return datasets.queries(name)
    return project.queries(Path(name) if name else None)


def corpus_of(project: Project, name: str | None, wanted: frozenset[str]) -> dict[str, Document]:
    """Raises ConfigError if nothing says where the documents are."""
    if name is None:
        if project.config.load is None:
            raise ConfigError("no documents are named", remedy="say --corpus FILE")
        loaded = project.config.load.documents
        name = loaded if is_dataset(loaded) else str(project.base / loaded)
    fields = project.config.documents
    if is_dataset(name):
        rows = datasets.documents(name)
        return {i: document_from(i, row, fields) for i, row in rows if i in wanted}
    return read_corpus(Path(name), fields, wanted)


def pairs_of(
    queries: Sequence[Query], people: Qrels, documents: Mapping[str, Document]
) -> Iterator[Pair]:
    for query in queries:
        for document_id in people.get(query.id, {}):
            if document_id in documents:
                yield Pair(query, documents[document_id])


def slices(
    queries: Sequence[Query],
    people: Qrels,
    judged: Mapping[str, Mapping[str, Judgment]],
    relevant: int,
    seed: int,
) -> Iterator[tuple[str, Agreement]]:
    """By each tag that has a few values only; a tag that is unique to a query tells nothing."""
    graded = [q for q in queries if people.get(q.id, {}).keys() & judged.get(q.id, {}).keys()]
    for tag in sorted({tag for q in graded for tag in q.tags}):
        values = sorted({q.tags[tag] for q in graded if tag in q.tags})
        if len(values) > LARGEST_TAG:
            continue
        for value in values:
            ids = [q.id for q in graded if q.tags.get(tag) == value]
            if len(ids) >= SMALLEST_SLICE:
                part = {i: people[i] for i in ids}
                yield f"{tag}={value}", agree(part, judged, relevant=relevant, seed=seed)
