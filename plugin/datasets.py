"""Collections of `ir_datasets`, named `irds:NAME`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from relevance_eval.errors import DependencyError, InputError, StorageError
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.query import Query, check_queries

__all__ = ["PREFIX", "documents", "qrels", "queries"]

PREFIX = "irds:"
TEXT_FIELDS = ("text", "title", "query", "question")


def dataset(name: str) -> Any:
    """Raises DependencyError without the extra, InputError for a name it does not know."""
    try:
        import ir_datasets  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise DependencyError.for_extra("irds", f"reading {name}") from None
    loader: Any = ir_datasets
    try:
        return loader.load(name.removeprefix(PREFIX))
    except KeyError:
        raise InputError(
            "ir_datasets has no collection of this name",
            where=name,
            remedy="its names are listed at ir-datasets.com, say irds:vaswani",
        ) from None


def documents(name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(id, fields) of every document; `text` is given the role of a body."""
    found = dataset(name)
    need(found.has_docs(), name, "documents")
    with reading(name):
        for item in found.docs_iter():
            row = {k: v for k, v in item._asdict().items() if k != "doc_id" and v}
            yield str(item.doc_id), row | ({"body": row["text"]} if "text" in row else {})


def queries(name: str) -> list[Query]:
    """Raises InputError if there are none, or, with the query, for what `check_queries` refuses."""
    found = dataset(name)
    need(found.has_queries(), name, "queries")
    wanted: list[Query] = []
    with reading(name):
        for item in found.queries_iter():
            values = item._asdict()
            text = next((str(values[f]) for f in TEXT_FIELDS if values.get(f)), "")
            wanted.append(Query(str(item.query_id), " ".join(text.split())))
    if not wanted:
        raise InputError("holds no queries", where=name)
    check_queries(wanted, [f"{name} query {q.id}" for q in wanted])
    return wanted


def qrels(name: str) -> dict[str, dict[str, int]]:
    """Query id to document id to grade; negative grades count as 0.

    Raises InputError for a grade above the scale: no measure here has a place for it.
    """
    found = dataset(name)
    need(found.has_qrels(), name, "judgments")
    grades: dict[str, dict[str, int]] = {}
    with reading(name):
        for item in found.qrels_iter():
            graded = grades.setdefault(str(item.query_id), {})
            graded[str(item.doc_id)] = on_scale(int(item.relevance), name)
    return grades


def on_scale(grade: int, name: str) -> int:
    if grade > max(GRADES):
        raise InputError(
            f"the grade {grade} is outside the scale 0 to {max(GRADES)}",
            where=name,
            remedy="map the collection's grades to the scale first, in a file of TREC qrels",
        )
    return max(grade, 0)


def need(present: bool, name: str, what: str) -> None:
    if not present:
        raise InputError(f"this collection has no {what}", where=name)


@contextmanager
def reading(name: str) -> Generator[None]:
    """Turns a download that fails, or a full disk, into an error of ours."""
    try:
        yield
    except (OSError, EOFError) as error:  # those of the requests package are of it, too
        said = str(error) or type(error).__name__
        raise StorageError(
            f"ir_datasets cannot get this collection: {said.splitlines()[0]}",
            where=name,
            remedy="check the network and the free space of its cache, ~/.ir_datasets",
        ) from error
