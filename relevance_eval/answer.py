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
    from relevance_eval.distillation import Distillation
    from relevance_eval.evaluation import Collected, Evaluation
    from relevance_eval.evaluators.agreement import Agreement
    from relevance_eval.evaluators.comparison import Contrast, Difference, Plan, RankerSummary
    from relevance_eval.evaluators.gate import Gate, Ruling
    from relevance_eval.evaluators.labelling import Labelling
    from relevance_eval.evaluators.slices import Slice
    from relevance_eval.evaluators.statistics import Interval
    from relevance_eval.meeting import Meeting
    from relevance_eval.provenance import Origin

__all__ = [
    "agreement_result",
    "comparison_result",
    "distillation_result",
    "envelope",
    "gate_result",
    "labels_result",
    "pull_result",
]


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
    """A comparison: rankers, contrasts with verdicts, labels, where the time went, and what it
    was made of."""
    comparison = evaluation.comparison
    return {
        "baseline": comparison.rankers[0].ranker,
        "baselines": [r.ranker for r in comparison.rankers[: comparison.plan.baselines]],
        "queries": comparison.queries,
        "unanswered": list(comparison.unanswered),
        "depth": evaluation.collected.depth,
        "plan": plan_result(comparison.plan),
        "labeler": {
            "name": evaluation.labeler.name,
            "fingerprint": evaluation.labeler.fingerprint,
        },
        "labels": labels_result(evaluation.labelling),
        "documents_missing": evaluation.collected.missing,
        "rankers": [ranker_result(r) for r in comparison.rankers],
        "comparisons": [contrast_result(c) for c in comparison.contrasts],
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
    """Counts of distinct pairs; `skipped` are those that could not have changed the decision."""
    return {
        "needed": labelling.needed,
        "reused": labelling.reused,
        "by_people": labelling.by_people,
        "bought": labelling.bought,
        "failed": labelling.failed,
        "refused": labelling.refused,
        "not_asked": labelling.unasked,
        "skipped": 0,
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


def interval_result(interval: Interval) -> dict[str, Any]:
    return interval._asdict()


def contrast_result(contrast: Contrast) -> dict[str, Any]:
    return {
        "baseline": contrast.baseline,
        "ranker": contrast.ranker,
        "verdict": contrast.verdict.value,
        "flip_risk": contrast.flip_risk,
        "differences": {m: difference_result(d) for m, d in contrast.differences.items()},
        "slices": [slice_result(s) for s in contrast.slices],
        "changed_most": [asdict(c) | {"difference": c.difference} for c in contrast.changes],
    }


def difference_result(difference: Difference) -> dict[str, Any]:
    return asdict(difference) | {"more_queries": difference.more_queries}


def slice_result(part: Slice) -> dict[str, Any]:
    return {
        "tag": part.tag,
        "value": part.value,
        "verdict": part.verdict.value,
        "difference": difference_result(part.difference),
    }
