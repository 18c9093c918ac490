"""What is known to answer a query: the document it was written about, and what people say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relevance_eval.errors import InputError
from relevance_eval.evaluators.judgment import RELEVANT
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query

__all__ = ["SEED_TAG", "Positives", "known_positives"]

SEED_TAG = "seed"
"""A query's tag that names the document it was written about."""

Positives = Mapping[str, tuple[str, ...]]
"""Query id to document ids; the query's own seed comes first."""


def known_positives(
    queries: Iterable[Query], qrels: Qrels | None = None, relevant: int = RELEVANT
) -> Positives:
    """The seed of each query and the documents judged relevant to it; no entry for a query of
    which nothing is known.

    Args:
        relevant: lowest grade that counts, 1 to 3.

    Raises:
        InputError: the qrels are of other queries, or nothing is known of any query.
    """
    asked = list(queries)
    if qrels is not None and not any(query.id in qrels for query in asked):
        raise of_others(len(asked))
    known: dict[str, tuple[str, ...]] = {}
    for query in asked:
        seed = query.tags.get(SEED_TAG)
        judged = (qrels or {}).get(query.id, {})
        found = [*([seed] if seed else []), *sorted(d for d, g in judged.items() if g >= relevant)]
        if found:
            known[query.id] = tuple(dict.fromkeys(found))
    if not known:
        raise nothing_known(qrels, relevant)
    return known


def nothing_known(qrels: Qrels | None, relevant: int) -> InputError:
    if qrels is None:
        return InputError(
            f"no query has a {SEED_TAG!r}, the id of a document that answers it",
            remedy="name TREC qrels with --qrels, or have queries written by: "
            "relevance-eval synthesize",
        )
    return InputError(
        f"no query has a {SEED_TAG!r}, or a document of grade {relevant} or more in the qrels",
        remedy="where 1 is the grade of what is relevant, say --relevant 1",
    )


def of_others(queries: int) -> InputError:
    """Where seeds are known, too: whoever names qrels wants them to count."""
    return InputError(
        f"the qrels hold none of the {queries:,} queries",
        remedy="name the queries that were graded with --queries; they share their ids",
    )
