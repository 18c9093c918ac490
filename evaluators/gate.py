"""From a comparison to whether a ranking change may go on: several checks and one decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.comparison import Comparison, Contrast, RankerSummary
from relevance_eval.evaluators.difference import Difference
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.slices import FEWEST_QUERIES, MOST_VALUES, Slice
from relevance_eval.evaluators.trust import Finding, Trust
from relevance_eval.evaluators.verdict import Verdict

__all__ = ["Check", "Decision", "Direction", "Gate", "Ruling", "check_slices", "rule"]

Direction = Literal["better", "not worse"]


class Decision(StrEnum):
    """What a check, or the whole gate, comes to; a later one outweighs those before it.

    `untrusted`: the labeler's grades are not good enough to say.
    """

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    UNTRUSTED = "untrusted"


ORDER = tuple(Decision)
UNDECIDED = Decision.INCONCLUSIVE
BETTER = {
    Verdict.BETTER: Decision.PASSED,
    Verdict.WORSE: Decision.FAILED,
    Verdict.EQUIVALENT: Decision.FAILED,
    Verdict.INCONCLUSIVE: UNDECIDED,
}
"""What each verdict means where the ranker must be better."""
NO_TIMES = "the server's time is unknown: a run file does not tell it"


@dataclass(frozen=True)
class Gate:
    """What a ranker must keep to. Measure, margin and level are those of the comparison's plan.

    Attributes:
        direction: `better` than the baseline, or `not worse` by the margin or more.
        slices: a tag, or `tag=value`: parts of the query set on which no ranker may lose.
        latency_ms: highest 95th percentile of the server's milliseconds; None for none.
        latency_ratio: highest ratio of that to the baseline's; None for none.
        zero_results: highest share of queries without hits, 0 to 1; None for none.
        unanswered: share of the queries, 0 to 1, that may be left out since a search failed.
    """

    direction: Direction = "not worse"
    slices: Sequence[str] = field(default_factory=tuple[str, ...])
    latency_ms: float | None = None
    latency_ratio: float | None = None
    zero_results: float | None = None
    unanswered: float = 0.05


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        subject: the ranker, against its baseline where there is one; or the query set, the labeler.
        name: what is asked of it.
        detail: the figures, for people to read.
    """

    subject: str
    name: str
    decision: Decision
    detail: str


@dataclass(frozen=True)
class Ruling:
    """All checks, and what they come to together."""

    checks: Sequence[Check]

    @property
    def decision(self) -> Decision:
        """The one that outweighs the others; every check must pass for the whole to pass."""
        return max((c.decision for c in self.checks), key=ORDER.index)


def check_slices(names: Sequence[str], queries: Sequence[Query]) -> None:
    """Raises UsageError for a slice that these queries cannot say anything about.

    A tag that nobody has, a value that is not among a tag's, a tag with more than 20 values, or
    none of whose values has 5 queries.
    """
    tags = sorted({tag for q in queries for tag in q.tags})
    for name in names:
        tag, _, value = name.partition("=")
        if tag not in tags:
            raise UsageError(
                f"no query has the tag {tag!r}",
                where=f"slice {name}",
                remedy=f"tags of the set: {', '.join(tags)}" if tags else "the set has no tags",
            )
        check_values(name, value, [q.tags[tag] for q in queries if tag in q.tags])


def check_values(name: str, value: str, given: Sequence[str]) -> None:
    known = sorted(set(given))
    if len(known) > MOST_VALUES:
        raise UsageError(
            f"the tag has {len(known)} values, and {MOST_VALUES} are the most",
            where=f"slice {name}",
            remedy="a tag of so many values is an identifier, not a kind of query",
        )
    if value and value not in known:
        raise UsageError(
            f"no query has the value {value!r}",
            where=f"slice {name}",
            remedy=f"values of the tag: {', '.join(known)}",
        )
    most = max(given.count(v) for v in ([value] if value else known))
    if most < FEWEST_QUERIES:
        raise UsageError(
            f"{most} queries are too few to tell a loss from chance",
            where=f"slice {name}",
            remedy=f"a slice needs {FEWEST_QUERIES} queries or more",
        )


def rule(comparison: Comparison, gate: Gate, trust: Finding | None = None) -> Ruling:
    """Checks every ranker against every baseline.

    All checks must pass, and so each is tested at the plan's alpha: the chance that a ranker which
    breaks one passes the whole is alpha at most (intersection-union, Berger 1982). To fail takes a
    loss that is shown with p-values corrected for all that was tested beside it.

    Args:
        trust: what is known of the labeler; None for nothing. Checks that rest on an untrusted
            labeler's grades are `untrusted`; time and empty results do not.
    """
    graded = [c for contrast in comparison.contrasts for c in relevance(contrast, comparison, gate)]
    if trust is not None and trust.trust is Trust.UNTRUSTED:
        graded = [Check(c.subject, c.name, Decision.UNTRUSTED, c.detail) for c in graded]
        graded.insert(0, Check("labeler", "trusted", Decision.UNTRUSTED, trust.reason))
    return Ruling([*graded, *answers(comparison, gate), *budgets(comparison, gate)])


def relevance(contrast: Contrast, comparison: Comparison, gate: Gate) -> Iterator[Check]:
    """Checks that rest on grades: the whole query set, then the slices."""
    subject = f"{contrast.ranker} against {contrast.baseline}"
    plan = comparison.plan
    found = contrast.differences[str(plan.primary)]
    if gate.direction == "better":
        name, told = f"{plan.primary} better", figures(found, found.p_corrected, "of no difference")
        decision = BETTER[contrast.verdict]
    else:
        margin = f"{plan.rule.margin:g}"
        name = f"{plan.primary} not worse by {margin}"
        told = figures(found, found.p_non_inferior, f"of a loss of {margin} or more")
        decision = not_worse(contrast.verdict, found, plan.rule.alpha)
    yield Check(subject, name, decision, told)
    for wanted in gate.slices:
        yield from guarded(contrast, wanted, subject)


def not_worse(verdict: Verdict, found: Difference, alpha: float) -> Decision:
    """A loss that is certain, but certainly below the margin as well, passes."""
    if found.p_non_inferior <= alpha:
        return Decision.PASSED
    return Decision.FAILED if verdict is Verdict.WORSE else UNDECIDED


def guarded(contrast: Contrast, wanted: str, subject: str) -> Iterator[Check]:
    """The slices of a tag, or the one of a value: each fails where a loss is shown.

    Small slices show next to nothing, so that what is asked of the whole set would hardly ever be
    shown of them; the detail says how large a loss would have been seen.
    """
    tag, _, value = wanted.partition("=")
    parts = [s for s in contrast.slices if s.tag == tag and value in ("", s.value)]
    if not parts:
        detail = f"fewer than {FEWEST_QUERIES} queries are left of it"
        yield Check(subject, f"no loss on {wanted}", UNDECIDED, detail)
    for part in parts:
        yield no_loss(part, subject)


def no_loss(part: Slice, subject: str) -> Check:
    found = part.difference
    lost = part.verdict is Verdict.WORSE
    detail = figures(found, found.p_corrected, "of no difference")
    if not lost and found.detectable:
        detail += f"; a true loss of {found.detectable:.3f} would be seen 4 times in 5"
    decision = Decision.FAILED if lost else Decision.PASSED
    return Check(subject, f"no loss on {part.tag}={part.value}", decision, detail)


def figures(found: Difference, p: float, rejected: str) -> str:
    """`+0.0123, 95 % interval -0.0010 to +0.0256, p = 0.0312 (of no difference), 50 queries`.

    Where the labeler has doubts, the interval has them in it and the p-value has not: the one may
    hold what the other rules out.
    """
    text, doubt = f"{found.mean:+.4f}", found.noise is not None and found.noise.spread > 0
    if found.low is not None and found.high is not None:
        of_labels = " with the labeler's doubt" if doubt else ""
        text += f", 95 % interval{of_labels} {found.low:+.4f} to {found.high:+.4f}"
    if doubt:
        rejected += ", labels taken as they are"
    shown = "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
    return f"{text}, {shown} ({rejected}), {found.queries} queries"


def answers(comparison: Comparison, gate: Gate) -> Iterator[Check]:
    """Whether enough searches had an answer: a failed one speaks for and against nobody."""
    lost, total = len(comparison.unanswered), len(comparison.unanswered) + comparison.queries
    if not lost:
        return
    within = lost / total <= gate.unanswered
    detail = f"{lost} of {total} queries are left out, since a ranker's search failed for them"
    name = f"unanswered queries {percent(gate.unanswered)} at most"
    yield Check("query set", name, Decision.PASSED if within else UNDECIDED, detail)


def budgets(comparison: Comparison, gate: Gate) -> Iterator[Check]:
    """What a ranker may cost, in time and in queries without hits."""
    baselines = comparison.rankers[: comparison.plan.baselines]
    for ranker in comparison.rankers[comparison.plan.baselines :]:
        if gate.latency_ms is not None:
            yield latency(ranker, gate.latency_ms)
        if gate.latency_ratio is not None:
            for baseline in baselines:
                yield slower(ranker, baseline, gate.latency_ratio)
        if gate.zero_results is not None:
            yield empty(ranker, comparison.queries, gate.zero_results)


def latency(ranker: RankerSummary, budget: float) -> Check:
    name = f"server's p95 {budget:g} ms at most"
    if ranker.took_p95 is None:
        return Check(ranker.ranker, name, UNDECIDED, NO_TIMES)
    return Check(ranker.ranker, name, kept(ranker.took_p95, budget), f"{ranker.took_p95:.0f} ms")


def slower(ranker: RankerSummary, baseline: RankerSummary, budget: float) -> Check:
    """The server tells whole milliseconds: a baseline's 0 counts as 1."""
    subject = f"{ranker.ranker} against {baseline.ranker}"
    name = f"server's p95 {budget:g} times the baseline's at most"
    if ranker.took_p95 is None or baseline.took_p95 is None:
        return Check(subject, name, UNDECIDED, NO_TIMES)
    detail = f"{ranker.took_p95:.0f} ms, baseline {baseline.took_p95:.0f} ms"
    return Check(subject, name, kept(ranker.took_p95 / max(baseline.took_p95, 1), budget), detail)


def empty(ranker: RankerSummary, queries: int, budget: float) -> Check:
    name = f"queries without hits {percent(budget)} at most"
    detail = f"{len(ranker.empty)} of {queries} queries have none"
    return Check(ranker.ranker, name, kept(len(ranker.empty) / queries, budget), detail)


def kept(value: float, budget: float) -> Decision:
    """Shares are divided out first: 29 / 100 is 0.29, where 0.29 · 100 is less than 29."""
    return Decision.PASSED if value <= budget else Decision.FAILED


def percent(share: float) -> str:
    return f"{100 * share:g} %"
