"""What is known of the labeler beside its grades, and what follows from it for the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.agreement import agree
from relevance_eval.evaluators.circularity import Kinship
from relevance_eval.evaluators.comparison import Comparison, Contrast, condensed, ungraded_of
from relevance_eval.evaluators.contrasted import equivalence_p, non_inferiority_p
from relevance_eval.evaluators.correction import (
    Audited,
    Bias,
    Correction,
    correct,
)
from relevance_eval.evaluators.gate import Check, Decision, Gate, Ruling, rule
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelling import Labelling
from relevance_eval.evaluators.measures import Values, measure_run
from relevance_eval.evaluators.plan import Plan
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.statistics import holm
from relevance_eval.evaluators.statistics.prediction_powered import Powered
from relevance_eval.evaluators.trust import Finding, Trust, decide_trust
from relevance_eval.evaluators.verdict import Verdict, decide

__all__ = ["LEANING", "Corrected", "Judge", "decided", "judge_labeler", "ruled"]

Judged = Mapping[str, Mapping[str, Judgment]]
NO_GRADES = "nobody's grades of the audit were given: name them with --qrels FILE"
LEANING = ("bounds", "open")
"""Ways of settling few labels whose estimates lean on forecasts."""
NO_GAIN = (
    "corrected figures count queries without any gain as 0: people and the labeler would leave out "
    "different ones"
)


@dataclass(frozen=True)
class Corrected:
    """A ranker against a baseline on the primary measure, by people's grades of an audit.

    Attributes:
        verdict: by the figures below.
        difference: ranker minus baseline, with its interval.
        p_corrected: of no difference, two-sided, corrected over all pairs of rankers by Holm.
        p_equivalent: of a difference of the rule's margin or more, corrected likewise.
        p_non_inferior: of a ranker that is worse by the margin or more, one-sided, alone.
        bias: the labeler's error on the difference.
    """

    verdict: Verdict
    difference: Powered
    p_corrected: float
    p_equivalent: float
    p_non_inferior: float
    bias: Bias


@dataclass(frozen=True)
class Judge:
    """The labeler as people and its relatives show it.

    Attributes:
        audited: the part of the audit that counts; None without an audit.
        labelling: what the labeler alone says, people's grades left aside: of the pool, or where
            the comparison took few labels, of the pairs that people graded.
        trust: how far it agrees with people; None without an audit.
        corrected: (baseline, ranker) to the corrected figures, of all pairs or of none.
        means: ranker to its corrected mean.
        errors: ranker to the labeler's error on its mean; empty where the comparison took few
            labels: forecasts have a part in its means.
        refusal: why nothing is corrected though there is an audit, in a sentence.
        notes: what a reader has to know of the correction, in sentences.
        kin: rankers that use a relative of the labeler's own model.
        mixed: people's grades count among the labels of uncorrected figures too; with few labels
            these are the labeler's alone.
    """

    audited: Audited | None = None
    labelling: Labelling | None = None
    trust: Finding | None = None
    corrected: Mapping[tuple[str, str], Corrected] = field(
        default_factory=dict[tuple[str, str], Corrected]
    )
    means: Mapping[str, Powered] = field(default_factory=dict[str, Powered])
    errors: Mapping[str, Bias] = field(default_factory=dict[str, Bias])
    refusal: str | None = None
    notes: Sequence[str] = ()
    kin: Sequence[Kinship] = ()
    mixed: bool = True

    @property
    def distrusted(self) -> bool:
        """The labeler agrees too little with people for its grades to say anything."""
        return self.trust is not None and self.trust.trust is Trust.UNTRUSTED

    @property
    def silent(self) -> bool:
        """There is no verdict: the labeler is not trusted, and nothing is corrected."""
        return self.distrusted and not self.corrected

    def verdict(self, contrast: Contrast) -> Verdict | None:
        """The one that counts: by corrected figures where there are any; None for no verdict."""
        if self.silent:
            return None
        found = self.correction(contrast)
        return found.verdict if found else contrast.verdict

    def correction(self, contrast: Contrast) -> Corrected | None:
        return self.corrected.get((contrast.baseline, contrast.ranker))


def judge_labeler(
    found: Audited,
    people: Mapping[str, Qrels],
    runs: Sequence[Run],
    queries: Sequence[Query],
    alone: Judged,
    comparison: Comparison,
    *,
    bar: float,
    relevant: int,
) -> Judge:
    """Joins an audit with a comparison: trust, and corrected figures where the draw allows them.

    Args:
        found: the audit with people's grades.
        people: grades by person.
        runs, queries: those of the comparison.
        alone: the labeler's own judgments, without any of a person: of the pool, or where few
            labels were bought, of what people graded.
        comparison: by all labels, or by few into which no grade of a person went.
        bar: least quadratic-weighted kappa that is good enough, -1 to 1.
        relevant: lowest grade that is relevant.

    Raises:
        UsageError: the bar is no kappa.
    """
    plan = comparison.plan
    trust = trust_in(found, alone, bar, relevant, plan.seed)
    plain = Judge(audited=found, trust=trust)
    if found.refusal:
        return replace(plain, refusal=found.refusal if people else NO_GRADES)
    values = values_by_baseline(runs, queries, alone, comparison)
    try:
        corrections = corrections_of(values, runs, queries, found, plan)
    except UsageError as error:
        return replace(plain, refusal=error.message)
    lacking = without_interval(comparison, corrections)
    if lacking:
        return replace(plain, refusal=lacking)
    first = next(iter(corrections.values()))
    return replace(
        plain,
        corrected=verdicts(comparison, corrections),
        means={n: p for c in corrections.values() for n, p in c.rankers.items()},
        errors={}
        if few(comparison)
        else {n: b for c in corrections.values() for n, b in c.errors.items()},
        notes=[*first.notes, *([NO_GAIN] if plan.no_gain == "skip" else [])],
    )


def trust_in(found: Audited, alone: Judged, bar: float, relevant: int, seed: int) -> Finding:
    """Several people count as one, by their mean grade.

    Grades of queries that were chosen by hand can show that a labeler is bad, and not that it is
    good on the rest.
    """
    grades = {q: {i: j.grade for i, j in row.items()} for q, row in found.people.items()}
    shared = any(row.keys() & alone.get(q, {}).keys() for q, row in grades.items())
    agreement = agree(grades, alone, relevant=relevant, seed=seed) if shared else None
    trust = decide_trust(agreement, bar)
    if found.refusal and trust.trust is Trust.TRUSTED:
        reason = f"{trust.reason}; but {found.refusal}"
        return replace(trust, trust=Trust.UNKNOWN, reason=reason)
    return trust


def few(comparison: Comparison) -> bool:
    """Whether its figures are estimates from a part of the labels."""
    return any(c.settled for c in comparison.contrasts)


def values_by_baseline(
    runs: Sequence[Run], queries: Sequence[Query], alone: Judged, comparison: Comparison
) -> dict[str, Mapping[str, Values]]:
    """Baseline to ranker to query id to the primary measure as the labeler has it."""
    baselines = [run.ranker for run in runs[: comparison.plan.baselines]]
    if few(comparison):
        return {b: estimated(comparison, b) for b in baselines}
    return dict.fromkeys(baselines, measured(runs, queries, alone, comparison))


def estimated(comparison: Comparison, baseline: str) -> dict[str, Values]:
    """Ranker to query id to the primary measure, as few labels tell it: the baseline's values, and
    these with each ranker's estimated difference from it.

    Forecasts and the draw of labels have their part in them. A correction holds for whatever
    predictions the audit and people have no part in: the more these err, the wider it is.
    """
    primary = str(comparison.plan.primary)
    (own,) = (r.values[primary] for r in comparison.rankers if r.ranker == baseline)
    found: dict[str, Values] = {baseline: own}
    for contrast in comparison.contrasts:
        if contrast.baseline == baseline and contrast.settled:
            column: list[float] = contrast.settled.estimate.column.tolist()
            moved = zip(own.items(), column, strict=True)
            found[contrast.ranker] = {q: value + change for (q, value), change in moved}
    return found


def measured(
    runs: Sequence[Run], queries: Sequence[Query], alone: Judged, comparison: Comparison
) -> dict[str, Values]:
    """Ranker to query id to the primary measure by the labeler alone, of the measured queries.

    Documents that it could not grade are taken out of the lists, as in the comparison.
    """
    lost = set(comparison.unanswered)
    ids = [q.id for q in queries if q.id not in lost]
    ungraded = ungraded_of(runs, ids, alone)
    return {
        run.ranker: measure_run(condensed(run, ungraded), ids, alone, comparison.plan.primary)
        for run in runs
    }


def corrections_of(
    values: Mapping[str, Mapping[str, Values]],
    runs: Sequence[Run],
    queries: Sequence[Query],
    found: Audited,
    plan: Plan,
) -> dict[str, Correction]:
    """Baseline to the correction of all rankers against it."""
    rankers = runs[plan.baselines :]
    return {
        b.ranker: correct(values[b.ranker], [b, *rankers], queries, found, plan.primary)
        for b in runs[: plan.baselines]
    }


def without_interval(comparison: Comparison, corrections: Mapping[str, Correction]) -> str | None:
    """Why nothing can be corrected, if a pair of rankers has no interval; else None.

    All pairs or none: p-values of the labeler and of people are not corrected together.
    """
    for contrast in comparison.contrasts:
        correction = corrections[contrast.baseline]
        if correction.contrasts[contrast.ranker].interval.low is None:
            told = f" ({correction.notes[-1]})" if correction.notes else ""
            return (
                "the audit holds too few queries, or too much alike, to tell an interval of "
                f"{contrast.ranker} against {contrast.baseline}{told}"
            )
    return None


def verdicts(
    comparison: Comparison, corrections: Mapping[str, Correction]
) -> dict[tuple[str, str], Corrected]:
    found = [corrections[c.baseline].contrasts[c.ranker] for c in comparison.contrasts]
    settings = comparison.plan.rule
    # Rankers that all find nothing of use are not shown to be equivalent by that.
    useful = any(any(r.values[str(comparison.plan.primary)].values()) for r in comparison.rankers)
    margin = settings.margin if useful else 0.0
    different = holm([powered.p for powered in found])
    equivalent = holm([equivalence_p(powered, margin) for powered in found])
    rows = zip(comparison.contrasts, found, different, equivalent, strict=True)
    return {
        (c.baseline, c.ranker): Corrected(
            verdict=decide(
                difference=powered.interval.mean, p=p, equivalence_p=same, rule=settings
            ),
            difference=powered,
            p_corrected=p,
            p_equivalent=same,
            p_non_inferior=non_inferiority_p(powered, margin),
            bias=own_bias(c, corrections[c.baseline].biases[c.ranker]),
        )
        for c, powered, p, same in rows
    }


def own_bias(contrast: Contrast, bias: Bias) -> Bias:
    """The labeler's: where forecasts stand for most labels, the error may be theirs."""
    settled = contrast.settled
    return replace(bias, favours=None) if settled and settled.how in LEANING else bias


def decided(comparison: Comparison, judge: Judge) -> Comparison:
    """The comparison with corrected figures of the primary measure where there are any."""
    return replace(
        comparison, contrasts=[replaced(c, comparison, judge) for c in comparison.contrasts]
    )


def replaced(contrast: Contrast, comparison: Comparison, judge: Judge) -> Contrast:
    found = judge.correction(contrast)
    if found is None:
        return contrast
    primary, interval = str(comparison.plan.primary), found.difference.interval
    difference = replace(
        contrast.differences[primary],
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        low_queries=interval.low,
        high_queries=interval.high,
        noise=None,  # people's grades have none, and the labeler's error is in the interval
        p_corrected=found.p_corrected,
        p_equivalent=found.p_equivalent,
        p_non_inferior=found.p_non_inferior,
    )
    differences = {**contrast.differences, primary: difference}
    return replace(contrast, verdict=found.verdict, differences=differences)


def ruled(comparison: Comparison, judge: Judge, gate: Gate) -> Ruling:
    """The gate's checks, by corrected figures where there are any.

    They need no trust in the labeler. Slices have none of their own: those of a labeler that is not
    trusted stay untrusted.
    """
    if not judge.corrected:
        return rule(comparison, gate, judge.trust)
    counted = decided(comparison, judge)
    ruling = rule(counted, gate)
    if not judge.distrusted:
        return ruling
    kept = set(rule(counted, replace(gate, slices=())).checks)
    return Ruling([c if c in kept else untrusted(c) for c in ruling.checks])


def untrusted(check: Check) -> Check:
    return replace(check, decision=Decision.UNTRUSTED)
