"""A labeler against people, on pairs that both graded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.judgment import GRADES, RELEVANT, Judgment
from relevance_eval.evaluators.measures import Measure, measure_run
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.run import Hit, Result, Run, order_hits
from relevance_eval.evaluators.statistics import Interval

__all__ = ["Agreement", "Order", "agree", "check_runs", "order_of_systems"]

Judged = Mapping[str, Mapping[str, Judgment]]
Confusion = npt.NDArray[np.float64]
"""Counts, shape [grades, grades]: people's grade down, the labeler's across."""


@dataclass(frozen=True)
class Agreement:
    """How far a labeler and people agree; intervals are bootstrapped over queries (95 %).

    Attributes:
        queries, pairs: how many both graded.
        kappa: Cohen's, on four grades; -1 to 1, 0 by chance.
        quadratic_kappa: Cohen's, weighted by the squared distance of the grades.
        relevant_kappa: Cohen's, of relevant or not.
        pairwise_accuracy: share of a query's pairs with unequal human grades whose expected grades
            are in the same order, ties counting half; 0 to 1, 0.5 by chance.
        ndcg: nDCG@10 of the labeler's order of all judged documents, by human grades; 0 for a
            query of which people found nothing relevant.
        mean_difference: labeler's expected grade minus the human one; above 0 is lenient.
        recall: by human grade, the share that the labeler gave the same grade.
        confusion: human grade down, the labeler's across, in pairs.
    """

    queries: int
    pairs: int
    kappa: Interval
    quadratic_kappa: Interval
    relevant_kappa: Interval
    pairwise_accuracy: Interval
    ndcg: Interval
    mean_difference: float
    recall: Mapping[int, float | None]
    confusion: Sequence[Sequence[int]]


@dataclass(frozen=True)
class QueryAgreement:
    """What one query adds up to, so that resampling queries only adds."""

    confusion: Confusion
    ordered: float
    unequal: int
    ndcg: float
    difference: float
    pairs: int


def agree(
    people: Qrels,
    judged: Judged,
    *,
    relevant: int = RELEVANT,
    seed: int = 0,
    resamples: int = 2000,
) -> Agreement:
    """Agreement over all pairs that people and the labeler graded.

    Args:
        relevant: lowest human grade that is relevant; the labeler's threshold is the same.
        resamples: of the bootstrap over queries.

    Raises:
        UsageError: there is no such pair.
    """
    queries = [
        per_query(grades, judged[q])
        for q, grades in people.items()
        if q in judged and grades.keys() & judged[q].keys()
    ]
    if not queries:
        raise UsageError(
            "people and the labeler graded no pair in common",
            remedy="check that the qrels, the queries and the corpus belong together",
        )
    picks = np.random.default_rng(seed).integers(0, len(queries), (resamples, len(queries)))
    weights = np.stack([np.bincount(p, minlength=len(queries)) for p in picks]).astype(np.float64)
    confusions = np.stack([q.confusion for q in queries])
    ordered = np.array([[q.ordered, q.unequal, q.ndcg] for q in queries])
    total = confusions.sum(axis=0)

    def of_kappa(kind: Callable[[Confusion], float]) -> Interval:
        drawn = np.tensordot(weights, confusions, axes=1)
        return interval(kind(total), [kind(c) for c in drawn])

    accuracies = weights @ ordered[:, :2]
    return Agreement(
        queries=len(queries),
        pairs=sum(q.pairs for q in queries),
        kappa=of_kappa(lambda c: kappa(c, unweighted())),
        quadratic_kappa=of_kappa(lambda c: kappa(c, quadratic())),
        relevant_kappa=of_kappa(lambda c: kappa(halved(c, relevant), unweighted(2))),
        pairwise_accuracy=interval(
            ratio(ordered[:, 0].sum(), ordered[:, 1].sum()),
            [ratio(a, b) for a, b in accuracies],
        ),
        ndcg=interval(float(ordered[:, 2].mean()), list(weights @ ordered[:, 2] / len(queries))),
        mean_difference=sum(q.difference for q in queries) / sum(q.pairs for q in queries),
        recall={g: recall(total, g) for g in GRADES},
        confusion=total.astype(int).tolist(),
    )


def per_query(grades: Mapping[str, int], judged: Mapping[str, Judgment]) -> QueryAgreement:
    common = sorted(grades.keys() & judged.keys())
    human = np.array([grades[i] for i in common])
    expected = np.array([judged[i].expected for i in common])
    confusion = np.zeros((len(GRADES), len(GRADES)))
    for i in common:
        confusion[grades[i], judged[i].grade] += 1
    above = human[:, None] > human[None, :]
    gap = expected[:, None] - expected[None, :]
    ordered = float((above & (gap > 0)).sum() + (above & (gap == 0)).sum() / 2)
    ranked = order_hits(Hit(i, float(e)) for i, e in zip(common, expected, strict=True))
    truth = {"q": {i: Judgment.certain("people", grades[i]) for i in common}}
    ndcg = measure_run(Run("r", {"q": Result(ranked)}), ["q"], truth, Measure("EnDCG", 10))["q"]
    difference = float((expected - human).sum())
    return QueryAgreement(confusion, ordered, int(above.sum()), ndcg, difference, len(common))


def unweighted(size: int = len(GRADES)) -> Confusion:
    return 1.0 - np.eye(size)


def quadratic(size: int = len(GRADES)) -> Confusion:
    grades = np.arange(size, dtype=np.float64)
    return (grades[:, None] - grades[None, :]) ** 2


def kappa(confusion: Confusion, disagreement: Confusion) -> float:
    """1 - observed / expected disagreement (Cohen 1968).

    0 where chance alone leaves nothing to disagree about (one side gave one grade only, or both).
    """
    total = confusion.sum()
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / max(total, 1)
    by_chance = float((expected * disagreement).sum())
    return 1 - float((confusion * disagreement).sum()) / by_chance if by_chance else 0.0


def halved(confusion: Confusion, relevant: int) -> Confusion:
    """Two grades out of four: not relevant, relevant."""
    rows = np.add.reduceat(confusion, [0, relevant], axis=0)
    return np.add.reduceat(rows, [0, relevant], axis=1)


def recall(confusion: Confusion, grade: int) -> float | None:
    row = confusion[grade]
    return float(row[grade] / row.sum()) if row.sum() else None


def ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.5


def interval(value: float, drawn: Sequence[float]) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))


@dataclass(frozen=True)
class Order:
    """Whether rankers come out in the same order under the labeler and under people.

    Attributes:
        people, labeler: ranker to mean of the measure.
        tau: Kendall's tau-b between the two, -1 to 1; None if one side ties them all.
        same_sign: share of ranker pairs whose difference has the same sign under both.
    """

    measure: str
    people: Mapping[str, float]
    labeler: Mapping[str, float]
    tau: float | None
    same_sign: float


def order_of_systems(runs: Sequence[Run], people: Qrels, judged: Judged, measure: Measure) -> Order:
    """Means over the queries that both judged.

    Raises UsageError: fewer than two runs, two of one name, or no query judged by both.
    """
    check_runs(runs)
    certain = {
        q: {i: Judgment.certain("people", g) for i, g in grades.items()}
        for q, grades in people.items()
    }
    query_ids = [q for q in people if q in judged]
    if not query_ids:
        raise UsageError(
            "people and the labeler judged no query in common",
            remedy="check that the qrels, the queries and the corpus belong together",
        )
    truth = {r.ranker: mean(measure_run(r, query_ids, certain, measure)) for r in runs}
    found = {r.ranker: mean(measure_run(r, query_ids, judged, measure)) for r in runs}
    signs = [
        (np.sign(truth[a] - truth[b]), np.sign(found[a] - found[b]))
        for a, b in combinations(truth, 2)
    ]
    agreeing = sum(a == b for a, b in signs)
    return Order(str(measure), truth, found, tau_b(signs), agreeing / len(signs))


def check_runs(runs: Sequence[Run]) -> None:
    """Raises UsageError if there is no order of them: fewer than two, or two of one name."""
    if len(runs) < 2:
        raise UsageError("an order needs two runs or more")
    names = [run.ranker for run in runs]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two runs have one name: {', '.join(names)}", remedy="rename one of the files"
        )


def mean(values: Mapping[str, float]) -> float:
    return math.fsum(values.values()) / max(len(values), 1)


def tau_b(signs: Sequence[tuple[float, float]]) -> float | None:
    """Kendall's tau-b from the signs of all pairs (Kendall 1945)."""
    product = sum(float(a * b) for a, b in signs)
    untied = sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)
    return product / untied**0.5 if untied else None
