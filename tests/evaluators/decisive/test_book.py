"""What is known, what it cost, and what may still be spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from relevance_eval.evaluators.decisive.forecast import clues_of
from relevance_eval.evaluators.measures import parse_measure

Collect = Callable[..., Any]
MEASURE = parse_measure("EnDCG@5")


def chosen(units: int, *places: int) -> Any:
    wanted = np.zeros(units, dtype=np.bool_)
    wanted[list(places)] = True
    return wanted


def test_a_label_is_asked_for_once(collect: Collect) -> None:
    found = collect(1)
    book, asked = found.book(MEASURE)
    units = len(book.gains)
    assert not book.known.any()
    book.buy(chosen(units, 4, 1))
    book.buy(chosen(units, 1, 2))
    book.buy(chosen(units, 4, 2))
    assert asked == [1, 4, 2]
    assert np.flatnonzero(book.known).tolist() == [1, 2, 4]
    assert book.gains[[1, 2, 4]].tolist() == found.gains(MEASURE)[[1, 2, 4]].tolist()
    assert book.cost(chosen(units, 1, 2, 3)) == 1


def test_a_label_that_failed_is_not_asked_for_again_and_is_out_of_the_lists(
    collect: Collect,
) -> None:
    found = collect(1, fails=0.4)
    book, asked = found.book(MEASURE)
    every, gone = np.ones(len(book.gains), dtype=np.bool_), np.isnan(found.gains(MEASURE))
    assert gone.any()
    book.buy(every)
    book.buy(every)
    assert asked == list(range(len(gone)))
    assert (book.failed == gone).all()
    assert (book.known == ~gone).all()
    assert book.cost(every) == 0
    assert book.stakes.weights.tolist() == found.stakes(MEASURE).without(gone).weights.tolist()
    shown = {u for row in book.stakes.lists for ranked in row for u in ranked}
    assert not shown & set(np.flatnonzero(gone).tolist())


def test_a_failed_label_is_forecast_as_nothing(collect: Collect) -> None:
    found = collect(1, fails=0.4)
    book, _ = found.book(MEASURE)
    clues = clues_of(book.stakes, {q.id: q for q in found.queries}, found.documents)
    book.buy(np.ones(len(book.gains), dtype=np.bool_))
    forecasts = book.forecasts(clues)
    assert not forecasts[book.failed].any()
    assert forecasts[~book.failed].any()


@pytest.mark.parametrize(("limit", "affords"), [(0, 0), (3, 1), (4, 2), (None, 6)])
def test_what_failed_was_spent_too(collect: Collect, limit: int | None, affords: int) -> None:
    found = collect(1, fails=0.4)
    book, _ = found.book(MEASURE, limit=limit)
    gone = np.isnan(found.gains(MEASURE))
    units, places = len(gone), [*np.flatnonzero(gone)[:1], *np.flatnonzero(~gone)[:1]]
    if limit != 0:
        book.buy(chosen(units, *places))
    free = [p for p in range(units) if p not in places]
    assert book.affords(chosen(units, *free[:affords]))
    assert book.affords(chosen(units, *free)) == (limit is None)
    if limit is not None:
        assert not book.affords(chosen(units, *free[: affords + 1]))


def test_time_is_up_when_it_is_up(collect: Collect) -> None:
    book, _ = collect(1).book(MEASURE)
    assert not book.late
    book.seconds = 3600.0
    assert not book.late
    book.seconds = 0.0
    assert book.late
