"""A budget is never overdrawn, and what is left of it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from relevance_eval.errors import BudgetError
from relevance_eval.exporters.endpoints.budget import Budget, BudgetSpent, Spent
from relevance_eval.exporters.endpoints.pace import Pace
from relevance_eval.exporters.settings import Endpoint

WHERE = "[endpoints.teacher]"


def budget(**limits: Any) -> Budget:
    return Budget(Endpoint(model="small", **limits), WHERE)


def pay(paid: Budget, read: int = 10, written: int = 5) -> None:
    paid.settle(paid.reserve(read, written), paid.used(read, written))


@pytest.mark.parametrize(
    ("limits", "requests"),
    [
        ({"max_requests": 3}, 3),
        ({"max_tokens": 50}, 3),
        ({"max_tokens": 45}, 3),
        ({"max_tokens": 44}, 2),
        ({"max_cost": 0.03, "input_price": 500.0, "output_price": 1000.0}, 3),
        ({"max_requests": 9, "max_tokens": 30}, 2),
    ],
)
def test_it_pays_until_a_limit_and_no_further(limits: dict[str, Any], requests: int) -> None:
    paid = budget(**limits)
    for _ in range(requests):
        pay(paid)
    with pytest.raises(BudgetSpent) as caught:
        pay(paid)
    assert caught.value.exit_code == 2
    assert paid.spent.requests == requests


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_tokens": 14}, "max_tokens = 14, and one takes about 15 tokens"),
        (
            {"max_cost": 0.009, "input_price": 500.0, "output_price": 1000.0},
            "max_cost = 0.009, and one takes about 15 tokens and costs about 0.01",
        ),
    ],
)
def test_one_too_small_for_a_single_request_says_what_that_takes(
    complains: Callable[..., Any], limits: dict[str, Any], says: str
) -> None:
    with complains(BudgetError, says, code=2, where=WHERE, remedy="nothing was sent"):
        budget(**limits).reserve(10, 5)


def test_what_a_request_did_not_use_pays_for_another() -> None:
    paid = budget(max_tokens=20)
    paid.settle(paid.reserve(10, 5), paid.used(3, 2))
    paid.settle(paid.reserve(10, 5), Spent())
    paid.settle(paid.reserve(10, 5), paid.used(10, 5))
    assert paid.spent.tokens == 20


def test_a_request_waits_for_those_under_way_that_may_leave_it_room() -> None:
    paid, reserved = budget(max_tokens=20), threading.Event()
    first = paid.reserve(10, 5)

    def second() -> None:
        reserved.set()
        pay(paid)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second)
        assert reserved.wait(5)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.1)
        paid.settle(first, paid.used(3, 2))
        waiting.result(timeout=5)
    assert paid.spent.tokens == 20


def test_many_at_once_do_not_overdraw_it() -> None:
    paid = budget(max_tokens=1000)

    def spend(_: int) -> bool:
        try:
            pay(paid, 20, 10)
        except BudgetSpent:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        bought = sum(pool.map(spend, range(200)))
    assert bought == 33
    assert paid.spent.tokens == 990


def test_a_pace_spreads_units_evenly_and_takes_back_what_was_not_used() -> None:
    now = [100.0]
    pace = Pace(60, clock=lambda: now[0])
    assert [pace.delay(1), pace.delay(5), pace.delay(1)] == [0, 1, 6]
    pace.correct(-3)
    assert pace.delay(1) == 4
    now[0] += 60
    assert pace.delay(1) == 0  # and nothing was saved up meanwhile:
    assert pace.delay(1) == 1


def test_no_limit_is_no_delay() -> None:
    assert {Pace(None).delay(1e9) for _ in range(3)} == {0}
