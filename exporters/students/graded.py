"""Examples out of grades in TREC's format: by a teacher that was asked elsewhere, or by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query

__all__ = ["graded"]

ORIGIN = "qrels"


def graded(
    qrels: Qrels, queries: Iterable[Query], documents: Mapping[str, Document], labeler: str
) -> list[Example]:
    """One example for each grade whose query and document are there, by query, as in the files.

    Args:
        labeler: whose grades they are: `person:NAME` for people.

    Raises:
        InputError: not one grade belongs to the queries and documents.
    """
    found = [
        Example(Pair(query, documents[i]), ORIGIN, judgment=Judgment.certain(labeler, grade))
        for query in queries
        for i, grade in qrels.get(query.id, {}).items()
        if i in documents
    ]
    if not found:
        raise InputError(
            "no grade belongs to these queries and documents",
            where=labeler,
            remedy="check that the qrels, the queries and the corpus belong together",
        )
    return found
