"""Which documents are known to answer a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from relevance_eval.errors import InputError
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.positives import known_positives

Complains = Callable[..., Any]
WRITTEN = Query("q1", "vpn", {"seed": "b"})
TYPED = Query("q2", "leave")
GRADES = {"q1": {"c": 3, "a": 2, "b": 3, "d": 1}, "q2": {"e": 1}, "q9": {"f": 3}}


@pytest.mark.parametrize(
    ("qrels", "relevant", "found"),
    [
        (None, 2, {"q1": ("b",)}),
        (GRADES, 2, {"q1": ("b", "a", "c")}),
        (GRADES, 1, {"q1": ("b", "a", "c", "d"), "q2": ("e",)}),
        ({"q2": {"e": 1}}, 2, {"q1": ("b",)}),
    ],
)
def test_the_seed_comes_first_then_what_people_judged_relevant(
    qrels: Qrels | None, relevant: int, found: dict[str, tuple[str, ...]]
) -> None:
    assert known_positives([WRITTEN, TYPED], qrels, relevant) == found


def test_queries_of_which_nothing_is_known_are_an_error(complains: Complains) -> None:
    with complains(InputError, "no query has a 'seed'", code=2, remedy="--qrels"):
        known_positives([TYPED])
    with complains(InputError, "grade 2 or more in the qrels", code=2, remedy="--relevant 1"):
        known_positives([TYPED], GRADES)


@pytest.mark.parametrize("qrels", [{"q9": {"f": 3}}, {}], ids=["of others", "empty"])
def test_qrels_of_none_of_the_queries_are_an_error_even_where_seeds_are_known(
    qrels: Qrels, complains: Complains
) -> None:
    says = "the qrels hold none of the 2 queries"
    with complains(InputError, says, code=2, remedy="--queries"):
        known_positives([WRITTEN, TYPED], qrels)
