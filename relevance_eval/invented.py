"""Texts of a stated mix of lengths, where there is no index to take them from."""

from __future__ import annotations

import math

import numpy as np

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

__all__ = ["MIX", "invented_pairs"]

MIX = "queries of 2 to 8 words; documents of a title and 20 to 1,000 words, half of them above 200"
WORDS = (
    *("account", "annual", "approval", "archive", "audit", "backup", "budget", "certificate"),
    *("change", "client", "contract", "customer", "delivery", "device", "draft", "employee"),
    *("failure", "form", "guide", "holiday", "incident", "install", "invoice", "key", "leave"),
    *("licence", "login", "manager", "meeting", "meter", "network", "notice", "office", "order"),
    *("password", "payment", "plan", "policy", "price", "printer", "project", "quarter"),
    *("release", "remote", "report", "request", "review", "safety", "schedule", "security"),
    *("sensor", "server", "shift", "site", "software", "storage", "supplier", "support"),
    *("survey", "team", "template", "test", "ticket", "training", "travel", "update", "upload"),
    *("vendor", "version", "warehouse", "warranty", "weekly", "workshop"),
    *("a", "after", "all", "and", "are", "as", "at", "be", "before", "by", "can", "each", "for"),
    *("from", "has", "if", "in", "is", "it", "may", "must", "no", "not", "of", "on", "or"),
    *("see", "that", "the", "this", "to", "until", "was", "when", "which", "with", "you"),
)
MIDDLE, SPREAD, SHORTEST, LONGEST = 200, 0.6, 20, 1000
"""Of a document's words: median, spread of their logarithm, least and most."""


def invented_pairs(count: int, seed: int) -> list[Pair]:
    """`count` pairs, each of a document of its own; the same for the same seed.

    Ten of them share a query, as at depth 10. A document's words are log-normal in number. Words
    stand in no order that means anything: grades of them mean nothing either, and take as long.
    """
    rng = np.random.default_rng(seed)
    queries = [
        Query(f"q{i}", words(rng, int(rng.integers(2, 9)))) for i in range(math.ceil(count / 10))
    ]
    return [Pair(queries[i // 10], document(rng, f"d{i}")) for i in range(count)]


def document(rng: np.random.Generator, identifier: str) -> Document:
    drawn = round(math.exp(rng.normal(math.log(MIDDLE), SPREAD)))
    length = min(max(drawn, SHORTEST), LONGEST)
    return Document(identifier, {"title": words(rng, 6), "body": words(rng, length)})


def words(rng: np.random.Generator, count: int) -> str:
    drawn: list[int] = rng.integers(len(WORDS), size=count).tolist()
    return " ".join(WORDS[i] for i in drawn)
