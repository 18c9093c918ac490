"""What people's grades of an audit say of a labeler's figures: corrected ones, and its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import InputError, UsageError
from relevance_eval.evaluators.audit import Audit, not_random
from relevance_eval.evaluators.contrasted import Scope, apart, error, sample_of, unlike
from relevance_eval.evaluators.difference import without_rounding
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.measures import Measure, Values, measure_run
from relevance_eval.evaluators.qrels import Qrels
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.evaluators.statistics.prediction_powered import Powered, prediction_powered

__all__ = ["Audited", "Bias", "Correction", "audited", "correct"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Audited:
    """The part of an audit that counts: queries whose whole pool people graded.

    Attributes:
        audit: as it was drawn; None if there is no file.
        people: query id to document id to what people say together, for the complete queries.
        incomplete: drawn query id to how many documents of its pool have no grade of a person;
            these queries are left out.
        beyond: ids of queries that people graded but that were not drawn; they are left out.
        conflicts: pairs on which people disagree; their grades are shared into a distribution.
        refusal: why there can be no corrected figure, in a sentence; None if there can.
    """

    audit: Audit | None
    people: Mapping[str, Mapping[str, Judgment]]
    incomplete: Mapping[str, int]
    beyond: Sequence[str]
    conflicts: int
    refusal: str | None


@dataclass(frozen=True)
class Bias:
    """A labeler's error, people's value minus the labeler's, mean over all queries (95 %).

    Attributes:
        favours: for a difference, the ranker that the labeler favours: the interval excludes 0.
    """

    error: Interval
    favours: str | None = None


@dataclass(frozen=True)
class Correction:
    """Corrected figures of one measure.

    Attributes:
        rankers: ranker to its corrected mean.
        contrasts: ranker to its corrected difference from the baseline, ranker minus baseline.
        errors: ranker to the labeler's error on its mean.
        biases: ranker to the labeler's error on its difference from the baseline.
        notes: what a reader has to know of the audit, in sentences.
    """

    rankers: Mapping[str, Powered]
    contrasts: Mapping[str, Powered]
    errors: Mapping[str, Bias]
    biases: Mapping[str, Bias]
    notes: Sequence[str]


def audited(
    audit: Audit | None,
    queries: Sequence[Query],
    runs: Sequence[Run],
    people: Mapping[str, Qrels],
    measure: Measure,
) -> Audited:
    """Joins people's grades with the draw.

    A query counts only if each document that a run holds down to the measure's depth has a grade
    by a person. Mixed with the labeler's grades, its value would be neither's.

    Args:
        people: grades by person.

    Raises:
        InputError: a grade outside the scale.
    """
    judged, conflicts = in_one_voice(people)
    ids = [q.id for q in queries]
    drawn = [i for i in ids if i in audit.drawn] if audit else []
    missing = {i: ungraded(i, runs, judged.get(i, {}), measure) for i in drawn}
    complete = [i for i in drawn if not missing[i]]  # where nothing was found, nothing is missing
    return Audited(
        audit=audit,
        people={i: judged.get(i, {}) for i in complete},
        incomplete={i: missing[i] for i in drawn if i not in complete},
        beyond=[i for i in judged if audit is None or i not in audit.drawn],
        conflicts=conflicts,
        refusal=not_random(audit, queries)
        or (
            None
            if any(i in judged for i in complete)
            else "no query of the audit has a pool that people graded in full"
        ),
    )


def in_one_voice(people: Mapping[str, Qrels]) -> tuple[dict[str, dict[str, Judgment]], int]:
    """What people say together, the mean distribution of their grades, and how many pairs they
    disagree on."""
    votes: dict[str, dict[str, list[Judgment]]] = {}
    for name, qrels in people.items():
        for query_id, grades in qrels.items():
            for document_id, grade in grades.items():
                if grade not in GRADES:
                    raise InputError(
                        f"the grade {grade} is outside the scale {GRADES[0]} to {GRADES[-1]}",
                        where=f"{name}, query {query_id}, document {document_id}",
                        remedy="map the grades to the scale first",
                    )
                given = votes.setdefault(query_id, {}).setdefault(document_id, [])
                given.append(Judgment.certain(f"person:{name}", grade))
    shared = {
        q: {i: Judgment.shared("people", given) for i, given in documents.items()}
        for q, documents in votes.items()
    }
    split = sum(max(j.probabilities) < 1 for row in shared.values() for j in row.values())
    return shared, split


def ungraded(
    query_id: str, runs: Sequence[Run], judged: Mapping[str, Judgment], measure: Measure
) -> int:
    found = {h.document_id for run in runs for h in run.hits(query_id)[: measure.depth]}
    return len(found - judged.keys())


def correct(
    labeler: Mapping[str, Values],
    runs: Sequence[Run],
    queries: Sequence[Query],
    found: Audited,
    measure: Measure,
    *,
    level: float = 0.95,
) -> Correction:
    """Prediction-powered estimates of each ranker's mean and of its difference from the first.

    Queries for which nothing judged has any gain count 0 on both sides: if they were skipped,
    people and the labeler would leave out different ones.

    A query for which both rankers have the same list down to the measure's depth has a difference
    of 0 whatever the grades are. Such queries are a stratum of their own that is known without
    error: differences are estimated from the others, and count by the others' share.

    Args:
        labeler: ranker to query id to the measure under the labeler's grades *alone*, for every
            query that is measured. A person's grade among them would make the audited queries
            unlike the others.
        runs: the baseline first.
        queries: all of the set.
        level: confidence of the corrected intervals.

    Raises:
        UsageError: there can be no corrected figure; the message is `found.refusal`.
    """
    if found.refusal or found.audit is None:
        raise UsageError(found.refusal or "there is no audit")
    names = [run.ranker for run in runs]
    # By id, so that the order of the set changes no bit of the sums.
    measured = sorted((q for q in queries if q.id in labeler[names[0]]), key=lambda q: q.id)
    ids = [q.id for q in measured if q.id in found.people]
    if not ids:
        raise UsageError("no query of the audit was measured: a ranker's search failed for each")
    sample, notes = sample_of(found.audit, measured, ids)
    model = {n: np.array([labeler[n][q.id] for q in measured]) for n in names}
    human = {
        run.ranker: np.array(list(measure_run(run, ids, found.people, measure).values()))
        for run in runs
    }
    base, *others = names
    differing = {run.ranker: unlike(runs[0], run, measured, measure) for run in runs[1:]}
    found_apart = {
        n: apart(
            difference(model[n], model[base]),
            difference(human[n], human[base]),
            Scope(found.audit, measured, ids, differing[n]),
            level,
        )
        for n in others
    }
    return Correction(
        rankers={n: prediction_powered(model[n], human[n], sample, level=level) for n in names},
        contrasts={n: apart.contrast for n, apart in found_apart.items()},
        errors={n: Bias(error(model[n], human[n], sample).interval) for n in names},
        biases={n: bias(apart.error, base, n) for n, apart in found_apart.items()},
        notes=distinct([*told(found), *notes, *(x for a in found_apart.values() for x in a.notes)]),
    )


def distinct(notes: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(notes))


def difference(ranker: Floats, baseline: Floats) -> Floats:
    return without_rounding(ranker - baseline)


def bias(error: Interval, baseline: str, ranker: str) -> Bias:
    if error.low is None or error.high is None or error.low <= 0 <= error.high:
        return Bias(error)
    return Bias(error, ranker if error.mean < 0 else baseline)


def told(found: Audited) -> list[str]:
    notes: list[str] = []
    if found.incomplete:
        notes.append(
            f"{len(found.incomplete)} drawn queries are left out, since people have not graded all "
            f"documents of theirs; {sum(found.incomplete.values())} grades are missing"
        )
    if found.beyond:
        notes.append(f"{len(found.beyond)} graded queries are left out, since they were not drawn")
    if found.conflicts:
        notes.append(f"people disagree on {found.conflicts} pairs: their grades are averaged")
    if len(found.people) < 2:
        notes.append("one audited query shows no spread: there is no interval")
    return notes
