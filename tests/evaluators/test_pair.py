"""Pairs, and the pool of several runs."""

from __future__ import annotations

from collections.abc import Callable

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.pair import Pair, pool
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run

QUERIES = [Query("q2", "two"), Query("q1", "one")]
DOCUMENTS = {i: Document(i, {"body": f"text of {i}"}) for i in "abcdef"}


def ids(pairs: list[Pair]) -> list[str]:
    return [f"{p.query.id}{p.document.id}" for p in pairs]


def test_a_pool_is_the_union_of_the_runs_to_the_depth(make_run: Callable[..., Run]) -> None:
    runs = [make_run("a", q1="c a f", q2="b"), make_run("b", q1="a e d")]
    assert ids(pool(runs, QUERIES, DOCUMENTS, 2)) == ["q2b", "q1a", "q1c", "q1e"]


def test_a_pool_leaves_out_what_has_no_text_and_what_nobody_asked(
    make_run: Callable[..., Run],
) -> None:
    run = make_run("a", q1="gone a", q3="b")
    assert ids(pool([run], QUERIES, DOCUMENTS, 10)) == ["q1a"]


def test_the_key_of_a_pair_forgets_ids_but_not_texts() -> None:
    pair = Pair(Query("1", "one"), Document("a", {"body": "x"}))
    assert pair.key == Pair(Query("2", "one"), Document("b", {"body": "x"})).key
    assert pair.key != Pair(Query("1", "One"), Document("a", {"body": "x"})).key
    assert pair.key != Pair(Query("1", "one"), Document("a", {"body": "y"})).key
