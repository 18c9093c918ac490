"""A budget in requests, tokens and money, that requests at the same time cannot overdraw."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from relevance_eval.errors import BudgetError
from relevance_eval.exporters.settings import Endpoint

__all__ = ["Budget", "BudgetSpent", "Spent"]

MILLION = 1_000_000


class BudgetSpent(BudgetError):
    """What is left of the budget pays for no further request; what was bought is kept."""


@dataclass(frozen=True)
class Spent:
    """What requests have used.

    Attributes:
        requests: sent, retries too.
        input_tokens, output_tokens: as the server counts them, or estimated where it does not.
        cost: in the currency of the prices.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost + other.cost,
        )

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class Budget:
    """What may be spent, and what was.

    A request is reserved with the most it may use before it is sent, and settled with what it
    used. Where only requests under way stand between a request and the limit, it waits for them.

    Args:
        where: place in the configuration, for messages.
    """

    def __init__(self, settings: Endpoint, where: str):
        self.settings = settings
        self.where = where
        self.spent = Spent()
        self.reserved = Spent()
        self.changed = threading.Condition()

    def price(self, input_tokens: int, output_tokens: int) -> float:
        """In the currency of the endpoint's prices."""
        s = self.settings
        return (input_tokens * s.input_price + output_tokens * s.output_price) / MILLION

    def reserve(self, input_tokens: int, output_tokens: int) -> Spent:
        """Room for one request; give it to `settle` afterwards, whatever becomes of the request.

        Raises:
            BudgetError: the whole budget does not pay for this one request.
            BudgetSpent: what is left does not.
        """
        cost = self.price(input_tokens, output_tokens)
        need = Spent(1, input_tokens, output_tokens, cost)
        with self.changed:
            while lacking := self.lacking(self.spent + self.reserved + need):
                if not self.spent.requests and self.lacking(need):
                    raise self.too_small(need)
                if not self.reserved.requests or self.lacking(self.spent + need):
                    raise BudgetSpent(
                        f"the budget is spent: {lacking}",
                        where=self.where,
                        remedy="raise it and run the same command again: nothing is paid twice",
                    )
                self.changed.wait()
            self.reserved += need
        return need

    def settle(self, need: Spent, used: Spent) -> None:
        """What was reserved becomes what was used; nothing of it, for one that was not sent."""
        with self.changed:
            self.reserved += Spent(
                -need.requests, -need.input_tokens, -need.output_tokens, -need.cost
            )
            self.spent += used
            self.changed.notify_all()

    def used(self, input_tokens: int, output_tokens: int) -> Spent:
        """One request that used so many tokens."""
        cost = self.price(input_tokens, output_tokens)
        return Spent(1, input_tokens, output_tokens, cost)

    def lacking(self, total: Spent) -> str:
        """The first limit that `total` is above, for people; empty if it is above none."""
        return next(self.exceeded(total), "")

    def exceeded(self, total: Spent) -> Iterator[str]:
        s, slack = self.settings, 1e-9  # sums of prices are rounded
        if s.max_requests is not None and total.requests > s.max_requests:
            yield f"max_requests = {s.max_requests:,}"
        if s.max_tokens is not None and total.tokens > s.max_tokens:
            yield f"max_tokens = {s.max_tokens:,}"
        if s.max_cost is not None and total.cost > s.max_cost * (1 + slack):
            yield f"max_cost = {s.max_cost:g}"

    def too_small(self, need: Spent) -> BudgetError:
        price = f" and costs about {need.cost:.2g}" if need.cost else ""
        return BudgetError(
            f"the budget is too small for one request: {self.lacking(need)}, and one takes about "
            f"{need.tokens:,} tokens{price}",
            where=self.where,
            remedy="raise the limit; nothing was sent",
        )
