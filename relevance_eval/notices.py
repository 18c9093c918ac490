"""What was left out of a comparison, or is not as it should be, in sentences for its reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set

from relevance_eval.collected import Collected
from relevance_eval.evaluation import Evaluation
from relevance_eval.evaluators.judgment import Outcome
from relevance_eval.evaluators.labelling import LEFT_OUT, Labelling
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.slices import FEWEST_QUERIES

__all__ = ["comparison_notices", "label_notices", "run_notices", "slice_notices"]


def comparison_notices(evaluation: Evaluation) -> list[str]:
    """Of queries, run files and documents. Ids in them are others' words, and not escaped."""
    return [*of_queries(evaluation), *run_notices(evaluation.collected)]


def of_queries(evaluation: Evaluation) -> Iterator[str]:
    unanswered = len(evaluation.comparison.unanswered)
    if unanswered:
        yield f"{unanswered:,} queries are left out, since a ranker's search failed for them"
    if evaluation.repeated:
        yield (
            f"{evaluation.repeated:,} of the queries repeat the text of another, and count as if "
            "they were independent: intervals are too narrow"
        )


def run_notices(collected: Collected) -> Iterator[str]:
    """Of run files and the documents in them."""
    if collected.absent:
        kept = any(q.id == collected.absent[0] for q in collected.queries)
        how = "count as if nothing was found for them" if kept else "are left out"
        count, first = len(collected.absent), collected.absent[0]
        yield f"queries that are in no run file, such as {first}, and {how}: {count:,}"
    for ranker, queries in collected.strangers.items():
        yield (
            f"queries of {ranker} that the set does not have, such as {queries[0]}, and that are "
            f"left out: {len(queries):,}"
        )
    missing = collected.missing
    if missing:
        yield (
            f"documents of the rankers that were not found, such as {missing[0]}, and count as "
            f"unjudged: {len(missing):,}"
        )
    if collected.lacking:
        yield (
            "fields of [documents] that none of the documents found has, and that the labeler does "
            f"without: {', '.join(collected.lacking)}"
        )


def slice_notices(
    names: Sequence[str], queries: Sequence[Query], measured: Set[str]
) -> Iterator[str]:
    """Of values of the gate's tags that no check guards: too few queries of them, by id, were
    measured."""
    for name in names:
        tag, _, value = name.partition("=")
        known = {q.tags[tag] for q in queries if tag in q.tags}
        counts = Counter(q.tags[tag] for q in queries if tag in q.tags and q.id in measured)
        small = sorted(v for v in known if counts[v] < FEWEST_QUERIES)
        if small and not value:
            yield (
                f"values of {tag} with fewer than {FEWEST_QUERIES} queries, such as {small[0]}, "
                f"which no check guards: {len(small):,}"
            )


def label_notices(labelling: Labelling) -> Iterator[str]:
    """Of labels that there are not; the commonest reason stands for all."""
    if labelling.failed or labelling.refused:
        yield (
            f"{labelling.failed:,} labels failed and {labelling.refused:,} were refused, mostly: "
            f"{commonest(labelling)}; these documents count as unjudged"
        )
    if labelling.unasked:
        yield (
            f"{labelling.unasked:,} were not asked about, since a budget is spent; these documents "
            "count as unjudged"
        )


def commonest(labelling: Labelling) -> str:
    reasons = Counter(
        judgment.reason or judgment.outcome.value
        for judgment in labelling.judgments.values()
        if judgment.outcome is not Outcome.GRADED and judgment.reason != LEFT_OUT
    )
    return min(reasons, key=lambda reason: (-reasons[reason], reason))
