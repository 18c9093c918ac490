"""A comparison from as few labels as its verdicts take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.comparison import (
    Comparison,
    Contrast,
    RankerSummary,
    answered,
    changes,
    check_baselines,
    check_names,
    summary_of,
)
from relevance_eval.evaluators.decisive.book import Book, Grade
from relevance_eval.evaluators.decisive.forecast import clues_of
from relevance_eval.evaluators.decisive.sample import filled, lots
from relevance_eval.evaluators.decisive.settle import (
    Mode,
    Settled,
    settle_exactly,
    settle_likely,
)
from relevance_eval.evaluators.decisive.stakes import Stakes, divided, stakes_of
from relevance_eval.evaluators.difference import Difference, differences, without_rounding
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.label_noise import LabelNoise, widened
from relevance_eval.evaluators.measures.definition import Measure
from relevance_eval.evaluators.measures.positions import SUMS, label_gain, spread_of_gain
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.slices import slices
from relevance_eval.evaluators.statistics import Interval

__all__ = ["Budget", "check_decisive", "compare_decisively"]

Floats = npt.NDArray[np.float64]
IDEAL_DRAWS = 50
SAMPLED = ("sample", "budget", "all")
"""Ways of settling whose estimates do not lean on forecasts: parts of them can be tested too."""
Cheap = Mapping[str, Mapping[str, Judgment]]
Buy = Callable[[Sequence[tuple[str, str]]], Mapping[tuple[str, str], Judgment]]
"""Labels of these pairs of query id and document id: a failure where one failed, and nothing where
the labeler was not asked, since a budget of its own is spent."""


@dataclass(frozen=True)
class Budget:
    """What may be spent on labels.

    Attributes:
        labels: how many may be asked for; None for all.
        seconds: of wall-clock time; None for no end.
    """

    labels: int | None = None
    seconds: float | None = None


def check_decisive(plan: Plan) -> None:
    """Raises UsageError for a plan that needs all labels."""
    if plan.primary.kind not in SUMS:
        raise UsageError(
            f"{plan.primary} needs all labels: it is no sum over ranks",
            remedy="choose labels = 'all', or EnDCG@k, nDCG@k, sDCG@k, RBP@k or P@k as the measure",
        )
    if plan.no_gain == "skip":
        raise UsageError(
            "no_gain = 'skip' needs all labels: which queries count depends on them",
            remedy="choose labels = 'all', or no_gain = 'zero'",
        )


def compare_decisively(
    runs: Sequence[Run],
    queries: Sequence[Query],
    documents: Mapping[str, Document],
    plan: Plan,
    buy: Buy,
    *,
    mode: Mode,
    budget: Budget = Budget(),
    loss: bool = False,
    cheap: Cheap = MappingProxyType({}),
) -> Comparison:
    """Buys labels until the verdicts are settled: see `settle_exactly` and `settle_likely`.

    The comparison holds the primary measure alone, as it is estimated, and Judged@k, the share of
    each list whose labels are known. The baseline's values take forecasts for labels that are not
    known, a ranker's are the first baseline's and the estimated difference from it, so that they
    may lie a little outside of 0 to 1. Intervals of a sample include the choice of labels; those
    of "bounds" and "open" lean on forecasts, and are told with bounds.

    Args:
        documents: by id; hits without a text are taken out of the lists.
        loss: settle as well whether a loss of the margin or more is ruled out.
        cheap: query id to document id to another labeler's judgment: they forecast the labels that
            are not bought. However poor they are, estimates stay without bias.

    Raises:
        UsageError: the plan needs all labels, or the runs are no comparison (see `compare`).
    """
    check_decisive(plan)
    plan = replace(plan, others=(Measure("Judged", plan.primary.depth),))
    check_names([run.ranker for run in runs])
    check_baselines(plan.baselines, len(runs))
    asked, unanswered = answered(runs, queries)
    if not asked:
        raise UsageError(
            "no query is left to measure on: each is one that a ranker's search failed for",
            remedy="look at the problems of the runs, and pull them again",
        )
    stakes = stakes_of(runs, [q.id for q in asked], pool_of(runs, asked, documents), plan.primary)
    judged: dict[int, Judgment] = {}
    book = Book(
        stakes,
        bought(stakes, plan.primary, buy, judged),
        limit=budget.labels,
        seconds=budget.seconds,
    )
    clues = clues_of(stakes, {q.id: q for q in asked}, documents)
    if cheap:
        clues = np.column_stack([clues, cheap_gains(stakes, plan.primary, cheap)])
    if mode == "exact":
        settled = settle_exactly(book, clues, plan, loss=loss)
    else:
        names = [
            f"{stakes.query_ids[q]}\n{d}"
            for q, d in zip(stakes.query, stakes.documents, strict=True)
        ]
        settled = settle_likely(book, clues, lots(names, plan.seed), plan, loss=loss)
    summaries = summarised(runs, book, settled, clues, plan)
    found = contrasts(summaries, book, settled, judged, asked, plan)
    return Comparison(plan, len(asked), unanswered, summaries, found)


def cheap_gains(stakes: Stakes, measure: Measure, cheap: Cheap) -> Floats:
    """Of each unit by the other labeler, shape [u]; their mean where it said nothing."""
    places: list[int] = stakes.query.tolist()
    found = [
        cheap.get(stakes.query_ids[q], {}).get(d)
        for q, d in zip(places, stakes.documents, strict=True)
    ]
    gains = np.array([label_gain(measure, j) if j else math.nan for j in found], dtype=np.float64)
    known = gains[~np.isnan(gains)]
    return np.nan_to_num(gains, nan=float(known.mean()) if len(known) else 0.0)


def pool_of(
    runs: Sequence[Run], queries: Sequence[Query], documents: Mapping[str, Document]
) -> dict[str, list[str]]:
    found = {q.id: {h.document_id for r in runs for h in r.hits(q.id)} for q in queries}
    return {q: sorted(ids & documents.keys()) for q, ids in found.items()}


def bought(stakes: Stakes, measure: Measure, buy: Buy, judged: dict[int, Judgment]) -> Grade:
    """Buys by place, and keeps the judgments."""

    def grade(places: npt.NDArray[np.int64]) -> Floats:
        units: list[int] = places.tolist()
        queries: list[int] = stakes.query[places].tolist()
        named = {
            u: (stakes.query_ids[q], stakes.documents[u])
            for u, q in zip(units, queries, strict=True)
        }
        labels = buy(list(named.values()))
        found = {u: labels[name] for u, name in named.items() if name in labels}
        judged.update({u: label for u, label in found.items() if label.graded})
        gains = [label_gain(measure, judged[u]) if u in judged else math.nan for u in named]
        asked = [u in found for u in named]
        return np.where(asked, np.array(gains, dtype=np.float64), math.inf)

    return grade


def summarised(
    runs: Sequence[Run], book: Book, settled: Sequence[Settled], clues: Floats, plan: Plan
) -> list[RankerSummary]:
    """Baselines by known and forecast labels, rankers by their differences from the first one.

    Their means have no interval where labels are forecast."""
    stakes, forecasts = book.stakes, book.forecasts(clues)
    columns = [
        filled(stakes, stakes.weights[row], book.gains, forecasts, plan.seed).column
        for row in range(plan.baselines)
    ]
    of_first = settled[: len(runs) - plan.baselines]
    columns += [columns[0] + s.estimate.column for s in of_first]
    found: list[RankerSummary] = []
    for row, (run, values) in enumerate(zip(runs, columns, strict=True)):
        shown = {str(plan.primary): values, f"Judged@{len(stakes.worth)}": covered(book, row)}
        named = {m: dict(zip(stakes.query_ids, v.tolist(), strict=True)) for m, v in shown.items()}
        summary = summary_of(run, named, stakes.query_ids)
        # A mean that leans on forecasts has an error that no spread over queries shows.
        mean = Interval(summary.measures[str(plan.primary)].mean, None, None)
        told = {**summary.measures, str(plan.primary): mean}
        found.append(summary if book.known.all() else replace(summary, measures=told))
    return found


def covered(book: Book, row: int) -> Floats:
    """The share of each query's list whose labels are known, shape [n]; 0 for an empty list."""
    depth = len(book.stakes.worth)
    lists = [ranked[:depth] for ranked in book.shown[row]]
    return np.array([float(book.known[u].mean()) if u else 0.0 for u in lists])


def contrasts(
    summaries: Sequence[RankerSummary],
    book: Book,
    settled: Sequence[Settled],
    judged: Mapping[int, Judgment],
    queries: Sequence[Query],
    plan: Plan,
) -> list[Contrast]:
    columns = [without_rounding(s.estimate.column) for s in settled]
    margin, primary = plan.rule.margin, str(plan.primary)
    tested = differences(columns, primary, plan, margin=margin)
    sliced = slices(columns, queries, plan, margin=margin, drawn=[None] * len(columns))
    pairs = list(product(range(plan.baselines), range(plan.baselines, len(summaries))))
    spreads = np.array([spread_of_gain(plan.primary, judged[u]) for u in sorted(judged)])
    known = np.array(sorted(judged), dtype=np.int64)
    ideals = drawn_ideals(book, judged, plan) if plan.label_draws and judged else np.empty(0)
    found: list[Contrast] = []
    for place, (baseline, ranker) in enumerate(pairs):
        weights = book.stakes.weights[ranker] - book.stakes.weights[baseline]
        difference = tested[place]
        if len(ideals):
            difference = noisy(difference, doubt(book, weights, known, spreads, ideals))
        if settled[place].how == "open":
            difference = untested(difference)
        before = summaries[baseline].values[primary]
        moved = zip(before.items(), columns[place].tolist(), strict=True)
        after = replace(summaries[ranker], values={primary: {q: v + d for (q, v), d in moved}})
        found.append(
            Contrast(
                baseline=summaries[baseline].ranker,
                ranker=summaries[ranker].ranker,
                verdict=settled[place].verdict,
                differences={primary: difference},
                changes=changes(summaries[baseline], after, queries, plan),
                slices=sliced[place] if settled[place].how in SAMPLED else (),
                settled=settled[place],
                per_query=dict(zip(before, columns[place].tolist(), strict=True)),
            )
        )
    return found


def doubt(
    book: Book, weights: Floats, known: npt.NDArray[np.int64], spreads: Floats, ideals: Floats
) -> LabelNoise:
    """What the labeler's own doubt does to the mean difference: to first order, and with the mean
    spread of the labels that are known for those that are not."""
    stakes = book.stakes
    variances = np.full(len(weights), float(spreads.mean()))
    variances[known] = spreads
    of_query = divided(stakes.sums(weights**2 * variances), ideals**2)
    return LabelNoise(math.sqrt(math.fsum(of_query)) / len(ideals), 0.0)


def drawn_ideals(book: Book, judged: Mapping[int, Judgment], plan: Plan) -> Floats:
    """Each query's ideal, shape [n], over sets of labels drawn from the grades' distributions.

    That of expected gains is lower: a best order is made of the luckiest labels.
    """
    shares = np.tile(
        np.mean([j.probabilities for j in judged.values()], axis=0), (len(book.gains), 1)
    )
    for unit, judgment in judged.items():
        shares[unit] = judgment.probabilities
    reached = np.cumsum(shares, axis=1)
    gains = np.array([label_gain(plan.primary, Judgment.certain("", g)) for g in GRADES])
    generator = np.random.default_rng(plan.seed)
    found = [
        book.stakes.ideals(
            gains[
                (generator.random((len(reached), 1)) * reached[:, -1:] >= reached[:, :-1]).sum(
                    axis=1
                )
            ]
        )
        for _ in range(IDEAL_DRAWS)
    ]
    return np.mean(found, axis=0)


def untested(difference: Difference) -> Difference:
    """Of forecasts, which no test is made for."""
    return replace(
        difference, p_t=1.0, p_sign_flip=1.0, p_corrected=1.0, p_equivalent=1.0, p_non_inferior=1.0
    )


def noisy(difference: Difference, noise: LabelNoise) -> Difference:
    queries = Interval(difference.mean, difference.low_queries, difference.high_queries)
    total = widened(queries, noise)
    return replace(difference, low=total.low, high=total.high, noise=noise)
