"""What `--json` prints and result folders keep: versioned objects for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relevance_eval import __version__

if TYPE_CHECKING:
    # Only for annotations: a verb that only wants the envelope starts at once.
    from relevance_eval.collected import Collected
    from relevance_eval.distillation import Distillation
    from relevance_eval.evaluation import Evaluation
    from relevance_eval.evaluators.agreement import Agreement
    from relevance_eval.evaluators.circularity import Kinship
    from relevance_eval.evaluators.comparison import Contrast, Difference, Plan, RankerSummary
    from relevance_eval.evaluators.decisive.settle import Settled
    from relevance_eval.evaluators.gate import Gate, Ruling
    from relevance_eval.evaluators.labelling import Labelling
    from relevance_eval.evaluators.probes import Probed
    from relevance_eval.evaluators.slices import Slice
    from relevance_eval.evaluators.statistics import Interval
    from relevance_eval.evaluators.trust import Finding
    from relevance_eval.judge import Corrected, Judge
    from relevance_eval.meeting import Meeting
    from relevance_eval.provenance import Origin

__all__ = [
    "agreement_result",
    "comparison_result",
    "distillation_result",
    "envelope",
    "gate_result",
    "labels_result",
    "probe_result",
    "pull_result",
]

UNTRUSTED = "untrusted"
"""In a verdict's place: people show that the labeler is no good, and nothing is corrected."""


def envelope(command: str, config_hash: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The object around every answer; `schema.version` grows when a key changes its meaning."""
    return {
        "schema": {"name": f"relevance-eval/{command.replace(' ', '-')}", "version": 1},
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "relevance_eval": __version__,
        "config_hash": config_hash,
        "result": result,
    }


def comparison_result(evaluation: Evaluation, origin: Origin) -> dict[str, Any]:
    """A comparison: rankers, contrasts with verdicts, labels, what people say of the labeler, where
    the time went, and what it was made of."""
    from relevance_eval.notices import comparison_notices, label_notices

    comparison, judge = evaluation.comparison, evaluation.judge
    return {
        "baseline": comparison.rankers[0].ranker,
        "baselines": [r.ranker for r in comparison.rankers[: comparison.plan.baselines]],
        "queries": comparison.queries,
        "repeated_queries": evaluation.repeated,
        "unanswered": list(comparison.unanswered),
        "notices": [*comparison_notices(evaluation), *label_notices(evaluation.labelling)],
        "depth": evaluation.collected.depth,
        "plan": plan_result(comparison.plan),
        "labeler": {
            "name": evaluation.labeler.name,
            "fingerprint": evaluation.labeler.fingerprint,
        },
        "labels": labels_result(evaluation.labelling),
        "documents_missing": len(evaluation.collected.missing),
        "rankers": [ranker_result(r) for r in comparison.rankers],
        "comparisons": [
            contrast_result(c, str(comparison.plan.primary), judge) for c in comparison.contrasts
        ],
        "audit": audit_result(judge),
        "trust": trust_result(judge.trust) if judge.trust else None,
        "kinship": [kinship_result(k) for k in judge.kin],
        "seconds": {step: round(s, 3) for step, s in evaluation.seconds.items()},
        "made_of": asdict(origin),
    }


def gate_result(gate: Gate, ruling: Ruling, exit_code: int) -> dict[str, Any]:
    """What was asked, each check, and the decision with the exit code it leads to."""
    return {
        "decision": ruling.decision.value,
        "exit_code": exit_code,
        "asked": asdict(gate),
        "checks": [asdict(check) for check in ruling.checks],
    }


def plan_result(plan: Plan) -> dict[str, Any]:
    return {
        "primary": str(plan.primary),
        "gain": plan.primary.gain,
        "relevant": plan.primary.relevant,
        "no_gain": plan.no_gain,
        "alpha": plan.rule.alpha,
        "margin": plan.rule.margin,
        "seed": plan.seed,
        "permutations": plan.permutations,
        "correction": plan.correction,
        "target": plan.target,
        "resamples": plan.resamples,
        "label_draws": plan.label_draws,
    }


def labels_result(labelling: Labelling) -> dict[str, Any]:
    """Counts of distinct pairs; `skipped` are those of the pool that were not bought."""
    return {
        "needed": labelling.needed,
        "reused": labelling.reused,
        "by_people": labelling.by_people,
        "bought": labelling.bought,
        "failed": labelling.failed,
        "refused": labelling.refused,
        "not_asked": labelling.unasked,
        "skipped": labelling.skipped,
    }


def pull_result(collected: Collected, folder: Path) -> dict[str, Any]:
    """What was pulled, and where it is."""
    return {
        "folder": str(folder),
        "queries": len(collected.queries),
        "depth": collected.depth,
        "documents": len(collected.documents),
        "seconds": round(collected.seconds, 3),
        "rankers": [
            {
                "name": run.ranker,
                "hits": sum(len(r.hits) for r in run.results.values()),
                "empty": [q.id for q in collected.queries if not run.hits(q.id)],
                "problems": run.problems(),
            }
            for run in collected.runs
        ],
    }


def ranker_result(summary: RankerSummary) -> dict[str, Any]:
    return {
        "name": summary.ranker,
        "measures": {m: interval_result(i) for m, i in summary.measures.items()},
        "per_query": {m: dict(v) for m, v in summary.values.items()},
        "empty": list(summary.empty),
        "problems": dict(summary.problems),
        "took_ms": {"p50": summary.took_p50, "p95": summary.took_p95},
    }


def agreement_result(meeting: Meeting) -> dict[str, Any]:
    """Agreement in all and by slice, with the labels it took."""
    return {
        "labeler": {"name": meeting.labeler.name, "fingerprint": meeting.labeler.fingerprint},
        "labels": labels_result(meeting.labelling),
        "unknown_pairs": meeting.unknown,
        **agreement_numbers(meeting.agreement),
        "slices": {name: agreement_numbers(part) for name, part in meeting.slices.items()},
        "order": asdict(meeting.order) if meeting.order else None,
    }


def agreement_numbers(agreement: Agreement) -> dict[str, Any]:
    from relevance_eval.evaluators.statistics import Interval

    plain = {
        name: interval_result(value) if isinstance(value, Interval) else value
        for name, value in vars(agreement).items()
    }
    return plain | {"recall": {str(g): share for g, share in agreement.recall.items()}}


def distillation_result(found: Distillation) -> dict[str, Any]:
    """The steps with what they came to, and each labeler's agreement with the reference."""
    return {
        "labeler": str(found.folder),
        "steps": [
            {
                "step": done.step,
                "skipped": done.skipped,
                "seconds": round(done.seconds, 3),
                "result": dict(done.result),
            }
            for done in found.steps
        ],
        "reference": found.reference,
        "agreement": {s.labeler: agreement_numbers(s.agreement) for s in found.standings},
    }


def probe_result(probed: Probed) -> dict[str, Any]:
    """A probe's shift of the expected grade, -3 to 3, and whether the labeler is moved, or not a
    single grade of it changed: then it may not see the change at all."""
    return {
        "probe": probed.probe,
        "shift": interval_result(probed.shift),
        "queries": probed.queries,
        "pairs": probed.pairs,
        "ungraded": probed.ungraded,
        "tolerance": probed.tolerance,
        "moved": probed.moved,
        "unchanged": probed.unchanged,
    }


def interval_result(interval: Interval) -> dict[str, Any]:
    return interval._asdict()


def audit_result(judge: Judge) -> dict[str, Any] | None:
    """What became of an audit; `refusal` says why nothing is corrected. None without an audit.

    `mixed`: people's grades count in uncorrected figures too. `labels` are the labeler's of what
    people graded, with few labels beyond those of the comparison.
    """
    found = judge.audited
    if found is None:
        return None
    return {
        "size": found.audit.size if found.audit else None,
        "drawn": len(found.audit.drawn) if found.audit else 0,
        "complete": len(found.people),
        "incomplete": dict(found.incomplete),
        "beyond": list(found.beyond),
        "conflicts": found.conflicts,
        "mixed": judge.mixed,
        "refusal": judge.refusal,
        "notes": list(judge.notes),
        "means": {n: interval_result(p.interval) for n, p in judge.means.items()},
        "labeler_errors": {n: interval_result(b.error) for n, b in judge.errors.items()},
        "labels": labels_result(judge.labelling) if judge.labelling else None,
    }


def trust_result(finding: Finding) -> dict[str, Any]:
    return {
        "trust": finding.trust.value,
        "bar": finding.bar,
        "kappa": interval_result(finding.kappa) if finding.kappa else None,
        "queries": finding.queries,
        "reason": finding.reason,
    }


def kinship_result(kinship: Kinship) -> dict[str, Any]:
    return {
        "ranker": kinship.ranker,
        "relative": kinship.relative.value,
        "shared": kinship.shared,
        "told": str(kinship),
    }


def contrast_result(contrast: Contrast, primary: str, judge: Judge | None = None) -> dict[str, Any]:
    """`verdict` is the one that counts, `untrusted` where there is none; `differences` are those of
    the labeler's grades and people's, uncorrected; `in_doubt` that the labeler's own doubt could
    undo the uncorrected verdict."""
    verdict = judge.verdict(contrast) if judge else contrast.verdict
    found = judge.correction(contrast) if judge else None
    distrusted = judge is not None and judge.distrusted
    return {
        "baseline": contrast.baseline,
        "ranker": contrast.ranker,
        "verdict": verdict.value if verdict else UNTRUSTED,
        "uncorrected_verdict": contrast.verdict.value,
        "corrected": corrected_result(found) if found else None,
        "flip_risk": contrast.flip_risk,
        "in_doubt": contrast.differences[primary].in_doubt(contrast.verdict),
        "settled": settled_result(contrast.settled) if contrast.settled else None,
        "per_query": dict(contrast.per_query) if contrast.per_query is not None else None,
        "differences": {m: difference_result(d) for m, d in contrast.differences.items()},
        "slices": [
            slice_result(s) | ({"verdict": UNTRUSTED} if distrusted else {})
            for s in contrast.slices
        ],
        "changed_most": [asdict(c) | {"difference": c.difference} for c in contrast.changes],
    }


def settled_result(settled: Settled) -> dict[str, Any]:
    """How few labels settled the verdict, and bounds on the difference with all of them."""
    return {"how": settled.how, "low": settled.low, "high": settled.high}


def corrected_result(found: Corrected) -> dict[str, Any]:
    """The primary measure's difference by people's grades of the audit; `labeler_error` is people's
    minus the labeler's."""
    powered = found.difference
    return {
        **interval_result(powered.interval),
        "standard_error": powered.error,
        "degrees": powered.degrees,
        "p": powered.p,
        "p_corrected": found.p_corrected,
        "p_equivalent": found.p_equivalent,
        "p_non_inferior": found.p_non_inferior,
        "people_alone": interval_result(powered.people),
        "weight": powered.weight,
        "correlation": powered.correlation,
        "width": powered.width,
        "audited": powered.audited,
        "queries": powered.queries,
        "to_halve": powered.to_halve,
        "labeler_error": interval_result(found.bias.error),
        "favours": found.bias.favours,
    }


def difference_result(difference: Difference) -> dict[str, Any]:
    return asdict(difference) | {"more_queries": difference.more_queries}


def slice_result(part: Slice) -> dict[str, Any]:
    return {
        "tag": part.tag,
        "value": part.value,
        "verdict": part.verdict.value,
        "in_doubt": part.in_doubt,
        "difference": difference_result(part.difference),
    }
