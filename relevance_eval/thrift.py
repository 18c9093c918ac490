"""A comparison that buys no more labels than its verdicts hang on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.audit import Audit
from relevance_eval.evaluators.comparison import Comparison
from relevance_eval.evaluators.decisive.comparison import Budget, check_decisive, compare_decisively
from relevance_eval.evaluators.decisive.settle import How, Mode
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelling import (
    LEFT_OUT,
    Labeler,
    Labelling,
    PaidLabeler,
    check_graded,
    label,
)
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.people import People

__all__ = ["Thrift", "check_thrift", "compare_thriftily", "settled_text"]


PATIENCE = 20
"""Pairs without a single grade after which the labeler is given up."""


@dataclass(frozen=True)
class Thrift:
    """How labels are bought.

    Attributes:
        mode: "exact" until no other labels could change a verdict; "decisive" until they would
            not, with a chance of 98 %.
        budget: what may be spent on it.
        loss: settle as well whether a loss of the margin or more is ruled out.
        forecaster: a labeler that costs next to nothing: it grades every pair, and its grades
            forecast those that are not bought.
    """

    mode: Mode
    budget: Budget = field(default_factory=Budget)
    loss: bool = False
    forecaster: Labeler | None = None


def check_thrift(
    plan: Plan,
    thrift: Thrift,
    labeler: Labeler,
    people: Mapping[str, Qrels] | None,
    audit: Audit | None,
) -> None:
    """Raises UsageError where all labels are needed, or are there, and for a dear forecaster."""
    check_decisive(plan)
    if thrift.forecaster:
        check_forecaster(thrift.forecaster, labeler)
    if people and not audit and not isinstance(labeler, People):
        raise UsageError(
            "people's grades go with all labels: an ideal has all that they graded, found or not",
            remedy="say --labels all, or name the audit that they were given for (--audit), or "
            "leave --qrels out, or have people as the labeler",
        )


def check_forecaster(forecaster: Labeler, labeler: Labeler) -> None:
    """Raises UsageError for one that would buy behind the budget what the labeler is to say."""
    dear = isinstance(forecaster, PaidLabeler | People)
    if dear or forecaster.fingerprint == labeler.fingerprint:
        raise UsageError(
            f"{forecaster.name} cannot forecast {labeler.name}: a forecaster grades every pair",
            where="[compare] forecaster",
            remedy="name another labeler that costs next to nothing, or leave it out",
        )


def compare_thriftily(
    runs: Sequence[Run],
    queries: Sequence[Query],
    documents: Mapping[str, Document],
    pairs: Sequence[Pair],
    plan: Plan,
    thrift: Thrift,
    *,
    labeler: Labeler,
    store: Judgments,
    progress: Callable[[int, int], None],
    people: bool = True,
) -> tuple[Comparison, Labelling]:
    """Buys labels look by look; each is stored as it comes.

    Args:
        pairs: the whole pool.
        progress: called with (labels asked for, those of the pool).
        people: take a person's grade before the labeler's where the store has one. Not where
            people audit the result: a correction must not see their grades in what it corrects.

    Raises:
        LabelerError: the labeler has graded none of the first twenty pairs, or of all.
        UsageError: the plan needs all labels.
    """
    named = {(p.query.id, p.document.id): p for p in pairs}
    asked = dict[tuple[str, str], Judgment]()
    parts: list[Labelling] = []

    def buy(names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Judgment]:
        """Pairs of the same text, under other ids, are asked about once."""
        wanted = [named[n] for n in names]
        fresh = [p for p in wanted if p.key not in asked]
        count = len(asked)
        part = label(
            fresh,
            labeler,
            store,
            lambda done, _: progress(count + done, len(named)),
            people=people,
        )
        parts.append(part)
        asked.update(part.judgments)
        if len(asked) >= PATIENCE:
            check_graded(Labelling.together(parts, pairs), labeler)
        found = {n: asked[named[n].key] for n in names}
        return {n: judgment for n, judgment in found.items() if judgment.reason != LEFT_OUT}

    cheap: dict[str, dict[str, Judgment]] = {}
    if thrift.forecaster and thrift.mode == "decisive":  # bounds make no use of forecasts
        cheap = label(pairs, thrift.forecaster, store, progress, people=False).by_id(pairs)
    comparison = compare_decisively(
        runs,
        queries,
        documents,
        plan,
        buy,
        mode=thrift.mode,
        budget=thrift.budget,
        loss=thrift.loss,
        cheap=cheap,
    )
    labelling = Labelling.together(parts, pairs)
    check_graded(labelling, labeler)
    return comparison, labelling


def settled_text(how: How, low: float, high: float) -> str:
    """What the labels that were not bought could do to a verdict, without a full stop.

    Args:
        low, high: bounds on the mean difference, whatever those labels are.
    """
    told: dict[How, str] = {
        "bounds": "no labels that are left could change this: with all of them the difference lies "
        f"between {low:+.4f} and {high:+.4f}",
        "sample": "the labels that are left would not change this, with a chance of 98 %, and the "
        "interval covers the choice of labels as well",
        "all": "all labels that this depends on are known",
        "open": "the budget is spent, and the labels that are known show nothing yet: with all of "
        f"them the difference lies between {low:+.4f} and {high:+.4f}",
        "budget": "the budget is spent: the interval covers the choice of labels as well, and more "
        "of them may say more",
    }
    return told[how]
