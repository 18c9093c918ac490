"""A saved comparison, read back from its folder and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from relevance_eval.errors import InputError, UsageError, storage_error
from relevance_eval.evaluators.document import Document, read_corpus
from relevance_eval.evaluators.jsonl import read_rows
from relevance_eval.evaluators.query import Query, read_queries
from relevance_eval.evaluators.run import Run, read_run
from relevance_eval.evaluators.verdict import Verdict
from relevance_eval.results import file_name

__all__ = [
    "Answer",
    "ContrastPart",
    "DifferencePart",
    "JudgmentRow",
    "OriginPart",
    "RankerPart",
    "Result",
    "Saved",
    "newest",
    "read_saved",
]

FILE = "comparison.json"
VERSION = 1
SCHEMAS = ("relevance-eval/compare", "relevance-eval/gate")
P = TypeVar("P", bound="Part")
Told = Verdict | Literal["untrusted"]
"""A verdict, or that there is none."""


class Part(BaseModel):
    """Of a saved answer; keys that later versions add are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class IntervalPart(Part):
    mean: float
    low: float | None
    high: float | None


class NoisePart(Part):
    spread: float
    shift: float


class DifferencePart(Part):
    """The attributes are those of `Difference`."""

    queries: int
    mean: float
    low: float | None
    high: float | None
    low_queries: float | None = None
    high_queries: float | None = None
    p_t: float
    p_corrected: float
    p_equivalent: float
    p_non_inferior: float
    wins: int
    ties: int
    losses: int
    detectable: float | None
    more_queries: int | None
    noise: NoisePart | None

    @property
    def of_queries(self) -> tuple[float | None, float | None]:
        """The interval of the choice of queries alone; the whole one where it was not saved."""
        if self.low_queries is None or self.high_queries is None:
            return self.low, self.high
        return self.low_queries, self.high_queries


class SlicePart(Part):
    tag: str
    value: str
    verdict: Told
    in_doubt: bool = False
    difference: DifferencePart


class ChangePart(Part):
    query_id: str
    text: str
    baseline: float
    ranker: float
    difference: float


class CorrectedPart(Part):
    """A difference by people's grades of an audit, as `answer.corrected_result` has it."""

    mean: float
    low: float | None
    high: float | None
    p_corrected: float
    audited: int
    queries: int
    to_halve: int | None
    labeler_error: IntervalPart
    favours: str | None


class SettledPart(Part):
    """How few labels settled a verdict, as `answer.settled_result` has it."""

    how: Literal["bounds", "sample", "all", "budget", "open"]
    low: float
    high: float


class ContrastPart(Part):
    baseline: str
    ranker: str
    verdict: Told
    uncorrected_verdict: Verdict | None = None
    corrected: CorrectedPart | None = None
    flip_risk: float | None
    in_doubt: bool = False
    settled: SettledPart | None = None
    per_query: dict[str, float] | None = None
    differences: dict[str, DifferencePart]
    slices: list[SlicePart]
    changed_most: list[ChangePart]

    @property
    def estimated(self) -> bool:
        """As `Contrast.estimated`."""
        return self.settled is not None and self.settled.how != "all"

    @property
    def untested(self) -> bool:
        """The budget was spent before a test could say anything: intervals and p-values are of
        what happens to be known."""
        return self.settled is not None and self.settled.how == "open"


class TookPart(Part):
    p50: float | None
    p95: float | None


class RankerPart(Part):
    name: str
    measures: dict[str, IntervalPart]
    per_query: dict[str, dict[str, float]]
    empty: list[str]
    problems: dict[str, str]
    took_ms: TookPart


class PlanPart(Part):
    primary: str
    alpha: float
    margin: float
    seed: int
    correction: str
    target: float


class LabelsPart(Part):
    needed: int
    reused: int
    by_people: int
    bought: int
    failed: int
    refused: int
    skipped: int = 0


class LabelerPart(Part):
    name: str
    fingerprint: str


class OriginPart(Part):
    """The attributes are those of `Origin`."""

    queries: str
    rankers: dict[str, str]
    runs: dict[str, str]
    indices: dict[str, str]
    documents: str
    labeler: str
    judgments: str
    fields: str
    measures: dict[str, str]
    deciding: str
    config: str


class CheckPart(Part):
    subject: str
    name: str
    decision: str
    detail: str


class AuditPart(Part):
    drawn: int
    complete: int
    refusal: str | None
    notes: list[str]
    mixed: bool = True
    labeler_errors: dict[str, IntervalPart]
    labels: LabelsPart | None = None


class TrustPart(Part):
    trust: Literal["trusted", "untrusted", "unknown"]
    reason: str


class KinshipPart(Part):
    ranker: str
    told: str


class GatePart(Part):
    decision: str
    checks: list[CheckPart]


class Result(Part):
    """What `comparison_result` wrote; comparisons of earlier versions have no `made_of`, and
    nothing of what people say of the labeler."""

    queries: int
    repeated_queries: int = 0
    unanswered: list[str]
    notices: list[str] | None = None
    depth: int
    plan: PlanPart
    labeler: LabelerPart
    labels: LabelsPart
    documents_missing: int
    rankers: list[RankerPart] = Field(min_length=2)
    comparisons: list[ContrastPart] = Field(min_length=1)
    seconds: dict[str, float]
    audit: AuditPart | None = None
    trust: TrustPart | None = None
    kinship: list[KinshipPart] = Field(default_factory=list[KinshipPart])
    made_of: OriginPart | None = None
    gate: GatePart | None = None

    @model_validator(mode="after")
    def whole(self) -> Result:
        """The primary measure is known of all, and contrasts name rankers that are there."""
        primary, names = self.plan.primary, {r.name for r in self.rankers}
        for ranker in self.rankers:
            if primary not in ranker.measures or primary not in ranker.per_query:
                raise ValueError(f"{ranker.name} has no {primary}")
        for contrast in self.comparisons:
            if not {contrast.baseline, contrast.ranker} <= names:
                raise ValueError(f"{contrast.ranker} or {contrast.baseline} is no ranker of it")
            if primary not in contrast.differences:
                raise ValueError(f"{contrast.ranker} has no difference of {primary}")
        return self

    @property
    def told(self) -> list[str]:
        """The notices; of a comparison by an earlier version, what its counts say."""
        if self.notices is not None:
            return self.notices
        lost = self.labels.failed + self.labels.refused
        counts = {
            "queries that repeat the text of another": self.repeated_queries,
            "queries that are left out, since a ranker's search failed": len(self.unanswered),
            "documents without a text, which count as unjudged": self.documents_missing,
            "labels that could not be had; their documents count as unjudged": lost,
        }
        return [f"{what}: {count:,}" for what, count in counts.items() if count]


class Answer(Part):
    """The envelope with a comparison in it."""

    command: str
    created: str
    relevance_eval: str
    config_hash: str
    result: Result


class JudgmentRow(Part):
    query: str
    document: str
    probabilities: tuple[float, ...]
    expected: float
    grade: int
    labeler: str


@dataclass(frozen=True)
class Saved:
    """A result folder.

    Attributes:
        documents: as they were; empty if the folder has no `documents.jsonl`.
        judgments: query id to document id to grade.
        runs: by the ranker's name.
    """

    folder: Path
    answer: Answer
    queries: Mapping[str, Query]
    documents: Mapping[str, Document]
    judgments: Mapping[str, Mapping[str, JudgmentRow]]
    runs: Mapping[str, Run]

    @property
    def result(self) -> Result:
        return self.answer.result

    def values(self, ranker: str) -> Mapping[str, float]:
        """Query id to the primary measure."""
        (found,) = (r for r in self.result.rankers if r.name == ranker)
        return found.per_query[self.result.plan.primary]


def newest(results: Path) -> Path:
    """The folder that was written last. Raises UsageError if there is none yet."""
    try:
        found = [path for path in results.iterdir() if (path / FILE).is_file()]
    except FileNotFoundError:
        found = []
    except OSError as error:
        raise storage_error(error, results) from error
    if not found:
        raise UsageError(
            "there is no saved comparison yet",
            where=str(results),
            remedy="run relevance-eval compare first, or name a result folder",
        )
    return max(found, key=lambda path: ((path / FILE).stat().st_mtime_ns, path.name))


def read_saved(folder: Path) -> Saved:
    """Raises InputError, with the file, for a folder that is no whole result of this version."""
    answer = read_answer(folder / FILE)
    judgments: dict[str, dict[str, JudgmentRow]] = {}
    for place, row in read_rows(folder / "judgments.jsonl"):
        judgment = checked(JudgmentRow, row, place)
        judgments.setdefault(judgment.query, {})[judgment.document] = judgment
    documents = folder / "documents.jsonl"
    return Saved(
        folder=folder,
        answer=answer,
        queries={q.id: q for q in read_queries(folder / "queries.jsonl")},
        documents=read_corpus(documents) if documents.exists() else {},
        judgments=judgments,
        runs={r.name: run_in(folder, r.name) for r in answer.result.rankers},
    )


def run_in(folder: Path, ranker: str) -> Run:
    """A ranker that found nothing has an empty file."""
    path = folder / f"{file_name(ranker)}.run"
    if path.is_file() and not path.stat().st_size:
        return Run(ranker)
    return Run(ranker, read_run(path).results)


def read_answer(path: Path) -> Answer:
    if not path.is_file():
        raise InputError(
            f"not the folder of a comparison: there is no {FILE}",
            where=str(path.parent),
            remedy="name a folder below .relevance-eval/results",
        )
    found = parsed(path)
    schema = found.get("schema")
    known = cast(dict[str, Any], schema) if isinstance(schema, dict) else {}
    name, version = known.get("name"), known.get("version")
    if name not in SCHEMAS:
        raise InputError(
            f"not a comparison: its schema is {name!r}",
            where=str(path),
            remedy="name a folder that compare or gate has written",
        )
    if version != VERSION:
        raise InputError(
            f"written in version {version!r} of the schema, and this version reads {VERSION}",
            where=str(path),
            remedy="compare again, or use the relevance-eval that wrote it",
        )
    return checked(Answer, found, str(path))


def parsed(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise storage_error(error, path) from error
    except (ValueError, RecursionError) as error:
        raise damaged(f"not JSON: {error}", str(path)) from None
    if not isinstance(found, dict):
        raise damaged("not a JSON object", str(path))
    return cast(dict[str, Any], found)


def checked(model: type[P], row: Mapping[str, Any], place: str) -> P:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        keys = ".".join(str(part) for part in first["loc"])
        raise damaged(f"{keys}: {first['msg'].removeprefix('Value error, ')}", place) from None


def damaged(what: str, place: str) -> InputError:
    return InputError(
        f"the file is damaged: {what}",
        where=place,
        remedy="compare again; labels that are in the store cost nothing",
    )
