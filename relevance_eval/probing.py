"""Where a labeler is probed: on documents that people found irrelevant."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import read_qrels
from relevance_eval.meeting import corpus_of, is_dataset, pairs_of, query_set
from relevance_eval.plugin import datasets
from relevance_eval.project import Project

__all__ = ["MOST_PAIRS", "pairs_to_probe"]

MOST_PAIRS = 200
"""Pairs that are probed, since each takes up to five labels."""


def pairs_to_probe(
    project: Project, qrels: str, *, queries: str | None, corpus: str | None, seed: int
) -> list[Pair]:
    """Pairs that people graded 0, 200 at most, drawn at random.

    Args:
        qrels, queries, corpus: as in `meet`.
        seed: of the draw.

    Raises:
        UsageError: people graded nothing 0 whose query and document are known.
    """
    people = datasets.qrels(qrels) if is_dataset(qrels) else read_qrels(Path(qrels))
    zeros = {q: {i: g for i, g in row.items() if g == 0} for q, row in people.items()}
    wanted = frozenset(i for row in zeros.values() for i in row)
    documents = corpus_of(project, corpus, wanted)
    pairs = list(pairs_of(query_set(project, queries), zeros, documents))
    if not pairs:
        raise UsageError(
            "people graded no document 0 whose text is known",
            where=qrels,
            remedy="probes need documents that are irrelevant: leave out --probes",
        )
    return chosen(pairs, seed)


def chosen(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """By the hash of seed and ids, so that their order in the file has no part in it."""

    def lot(pair: Pair) -> bytes:
        ids = repr((seed, pair.query.id, pair.document.id))
        return hashlib.sha256(ids.encode("utf-8", "surrogatepass")).digest()

    return sorted(pairs, key=lot)[:MOST_PAIRS]
