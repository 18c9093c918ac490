"""Which queries a student learns from, and which are kept to measure it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import SEED, Example
from relevance_eval.evaluators.judgment import PERSON
from relevance_eval.evaluators.query import wording as wording_of
from relevance_eval.plugin.near_duplicates import content_of

__all__ = ["Split", "by_people", "split", "wording"]

LEAST = 2
"""Queries on each side, at least."""


@dataclass(frozen=True)
class Split:
    """Graded examples on two sides that share no query and no seed document.

    Attributes:
        holdout: each pair once; where people graded it too, their grade is the one kept.
    """

    training: Sequence[Example]
    holdout: Sequence[Example]


def by_people(example: Example) -> bool:
    """Whether a person graded this pair."""
    return example.judgment is not None and example.judgment.labeler.startswith(PERSON)


def wording(example: Example) -> str:
    """The query as far as it is told from others: without case and spacing."""
    return wording_of(example.pair.query.text)


def split(examples: Sequence[Example], share: float, people_share: float, seed: int) -> Split:
    """Holds out whole groups of queries that belong together, drawn by a seeded hash.

    Queries belong together that were written about one document or copies of it, or have one
    wording. Queries with grades by people are drawn apart from the others, so that both are on both
    sides.

    Args:
        examples: graded, all of them.
        share, people_share: of the queries without and with people's grades to hold out, 0 to 1.

    Raises:
        InputError: there are too few queries, or they all belong together.
    """
    groups = together(examples)
    human = {groups[wording(e)] for e in examples if by_people(e)}
    sizes: dict[str, int] = {}
    for group in groups.values():
        sizes[group] = sizes.get(group, 0) + 1
    chosen: set[str] = set()
    for part, of_part in ((human, people_share), (sizes.keys() - human, share)):
        chosen |= drawn({g: sizes[g] for g in part}, of_part, seed)
    held = sum(sizes[g] for g in chosen)
    if held < LEAST or len(groups) - held < LEAST:
        raise too_few(examples, len(groups), len(sizes))
    training = [e for e in examples if groups[wording(e)] not in chosen]
    holdout: dict[tuple[str, str], Example] = {}
    for example in examples:
        if groups[wording(example)] in chosen:
            known = holdout.get(example.pair.key)
            if known is None or (by_people(example) and not by_people(known)):
                holdout[example.pair.key] = example
    return Split(training, list(holdout.values()))


def together(examples: Iterable[Example]) -> dict[str, str]:
    """Each query's wording to the name of its group: the first of its wordings in order.

    Connected components of queries and the documents that they were written about, of which two
    copies are one.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    words: dict[str, None] = {}
    for example in examples:
        query = f"query {wording(example)}"
        words[wording(example)] = None
        for tie in ties(example):
            one, other = root(query), root(tie)
            parent[max(one, other)] = min(one, other)
    return {text: root(f"query {text}") for text in words}


def ties(example: Example) -> list[str]:
    """What a query shares with others that belong to it: its seed document, by id and by title and
    body, which a copy in another folder has too."""
    if example.seed is None:
        return []
    seed = f"seed {example.seed}"
    return [seed, f"text {text_of(example.pair.document)}"] if example.origin == SEED else [seed]


def text_of(document: Document) -> str:
    """Hash of title and body; of all fields where there is no body, since many share a title."""
    if "body" not in document.fields:
        return document.content_hash
    return hashlib.sha256(repr(content_of(document)).encode()).hexdigest()


def drawn(sizes: Mapping[str, int], share: float, seed: int) -> set[str]:
    """Groups that hold this share of the queries, as nearly as whole groups can.

    At least two queries, if a group of others stays behind.
    """
    total = sum(sizes.values())
    wanted = max(LEAST, round(share * total))
    order = sorted(sizes, key=lambda g: hashlib.sha256(f"{seed} {g}".encode()).digest())
    chosen: set[str] = set()
    held = 0
    for group in order:
        if held + sizes[group] <= wanted:
            chosen.add(group)
            held += sizes[group]
    for group in sorted(set(order) - chosen, key=lambda g: (sizes[g], order.index(g))):
        if held >= LEAST:
            break
        chosen.add(group)
        held += sizes[group]
    return chosen


def too_few(examples: Sequence[Example], queries: int, groups: int) -> InputError:
    seeds = len({e.seed for e in examples if e.seed is not None})
    about = f", written about {seeds} documents" if seeds else ""
    return InputError(
        f"{queries} queries{about}, in {groups} groups that share no query and no document: "
        f"too few to learn from some and measure on others",
        remedy=f"grade pairs of more queries, about more documents: {2 * LEAST} of each at the "
        f"very least, and a few hundred for a student of use",
    )
