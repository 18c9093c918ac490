"""What a language model took, or would take: for people, and for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance_eval.exporters.endpoints.budget import Spent
    from relevance_eval.exporters.teach import Estimate

__all__ = ["amounts", "told"]


def amounts(used: Spent | Estimate) -> dict[str, float]:
    return {
        "requests": used.requests,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost": round(used.cost, 6),
    }


def told(used: Spent | Estimate) -> str:
    cost = f", cost {used.cost:,.4f}" if used.cost else ""
    return (
        f"{used.requests:,} requests, {used.input_tokens:,} tokens read and "
        f"{used.output_tokens:,} written{cost}"
    )
