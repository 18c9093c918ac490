"""What a comparison was made of, as hashes, and what differs between two of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relevance_eval.evaluation import Evaluation
    from relevance_eval.evaluators.comparison import Plan
    from relevance_eval.evaluators.query import Query
    from relevance_eval.evaluators.run import Run
    from relevance_eval.project import Project

__all__ = ["Origin", "hits_hash", "made_of", "queries_hash", "unordered"]


@dataclass(frozen=True)
class Origin:
    """Hashes (SHA-256, hexadecimal) of what a comparison was made of.

    Attributes:
        queries: of the set's ids, texts and tags, in any order.
        rankers: name to hash of what it asks: body, parameters, embedder, target. Of a template
            that the server stores only the id is known, and of a run file only the hits: then it
            is the hash in `runs`.
        runs: name to hash of the hits, scores aside.
        indices: index to hash of its settings and mapping; empty where none was asked.
        documents: of the contents seen, in any order.
        labeler: its fingerprint.
        judgments: of all grades that were used, in any order.
        fields: of which index field plays which role.
        measures: name to hash of how its numbers are made of grades: depth, gain, lowest relevant
            grade, what becomes of queries without gain.
        deciding: of how verdicts are made of those: primary measure, level, margin, seed and so on;
            with an audit, of that and of the bar of trust.
        config: of the whole configuration with the rankers' templates.
    """

    queries: str
    rankers: Mapping[str, str]
    runs: Mapping[str, str]
    indices: Mapping[str, str]
    documents: str
    labeler: str
    judgments: str
    fields: str
    measures: Mapping[str, str]
    deciding: str
    config: str


def made_of(project: Project, evaluation: Evaluation, names: Sequence[str]) -> Origin:
    """The origin of an evaluation.

    Args:
        names: the rankers as they were asked for: configured names or run files.
    """
    collected = evaluation.collected
    runs = {run.ranker: hits_hash(run) for run in collected.runs}
    rankers = {
        run.ranker: asked_hash(project, name) or runs[run.ranker]
        for name, run in zip(names, collected.runs, strict=True)
    }
    graded = [
        (q, i, j.probabilities) for q, known in evaluation.judged.items() for i, j in known.items()
    ]
    return Origin(
        queries=queries_hash(collected.queries),
        rankers=rankers,
        runs=runs,
        indices={name: hashed(state) for name, state in sorted(collected.indices.items())},
        documents=unordered({d.content_hash for d in collected.documents.values()}),
        labeler=evaluation.labeler.fingerprint,
        judgments=unordered(graded),
        fields=hashed(project.config.documents),
        measures=measuring(evaluation.comparison.plan, collected.depth),
        deciding=hashed(deciding(evaluation.comparison.plan) | hearing(project, evaluation)),
        config=project.hash,
    )


def measuring(plan: Plan, depth: int) -> dict[str, str]:
    return {str(m): hashed([depth, plan.no_gain, asdict(m)]) for m in plan.measures}


def deciding(plan: Plan) -> dict[str, Any]:
    rest = {k: v for k, v in asdict(plan).items() if k not in ("primary", "others", "no_gain")}
    return {"primary": str(plan.primary), **rest}


def hearing(project: Project, evaluation: Evaluation) -> dict[str, Any]:
    """The audit that corrects, and the bar of trust; nothing without an audit."""
    found = evaluation.judge.audited
    if found is None or found.audit is None:
        return {}
    return {"audit": found.audit.model_dump(mode="json"), "bar": project.config.labelling.bar}


def asked_hash(project: Project, name: str) -> str | None:
    """Of what a configured ranker asks, its fused parts included; None for a run file."""
    if name not in project.config.rankers:
        return None
    return hashed(asked(project, name))


def asked(project: Project, name: str) -> dict[str, Any]:
    """All that a ranker's answers depend on but for the index. Its name has no part in it."""
    settings = project.config.rankers[name]
    target = settings.index or project.config.elasticsearch.index
    found: dict[str, Any] = settings.model_dump(mode="json", exclude={"template", "fuse"})
    found["index"] = target
    if settings.template is not None:
        found["body"] = body(project.base / settings.template)
    if settings.fuse is not None:
        found["fuse"] = [asked(project, part) for part in settings.fuse]
    if settings.embedder in project.config.embedders:
        configured = project.config.embedders[settings.embedder]
        found["embedder"] = configured.model_dump(mode="json", exclude={"base"})
    return found


def body(path: Path) -> Any:
    """The template as JSON has it, white space aside; as it stands where it is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # gone since it was asked: what was bought meanwhile is not lost for that
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def queries_hash(queries: Iterable[Query]) -> str:
    return unordered((q.id, q.text, sorted(q.tags.items())) for q in queries)


def hits_hash(run: Run) -> str:
    """Of the documents and their order; scores may differ in a digit that changes nothing."""
    hits = {q: [h.document_id for h in r.hits] for q, r in run.results.items() if r.hits}
    return hashed(hits)


def unordered(parts: Iterable[object]) -> str:
    return hashed(sorted(hashed(part) for part in parts))


def hashed(value: object) -> str:
    """SHA-256 of a value's JSON, keys sorted."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
