"""Sets of labels drawn from the grade distributions, and what each would have measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import Measure
from relevance_eval.evaluators.measures.drawn import measure_drawn
from relevance_eval.evaluators.run import Run

__all__ = ["LabelDraws", "draw_labels"]

CELLS = 2**24
"""Values held at once, 128 MiB of them; beyond it there are fewer draws."""
FEWEST = 100
Floats = npt.NDArray[np.float64]
Values = Mapping[str, Mapping[str, float]]
"""Ranker to query id to measured value."""


@dataclass(frozen=True)
class LabelDraws:
    """One measure of each ranker under many sets of labels.

    Attributes:
        values: ranker to float64 [draws, n], queries in the order of the measured values. A set of
            labels is shared by all rankers.
    """

    values: Mapping[str, Floats]

    def differences(self, baseline: str, ranker: str) -> Floats:
        """Ranker minus baseline, shape [draws, n]; differences of rounding alone are 0."""
        found = self.values[ranker] - self.values[baseline]
        found[np.abs(found) < 1e-9] = 0.0
        return found


def draw_labels(
    runs: Sequence[Run],
    judged: Mapping[str, Mapping[str, Judgment]],
    measure: Measure,
    measured: Values,
    *,
    draws: int,
    seed: int,
) -> LabelDraws | None:
    """Draws a grade for each pair from its distribution, pairs independently, and measures.

    A query whose judgments are all certain keeps its measured values, so that people's grades add
    no noise at all. A query for which a set of labels has no gain counts 0 in that set, also where
    such queries are skipped: which queries count is what was measured. The draws of a query depend
    on the seed, its id and its judgments, not on other queries nor on the order of anything.

    Args:
        runs: lists as they were measured.
        measured: of each run, the measure's values; they say which queries count.
        draws: sets of labels; fewer, but 100 at least, where they would fill the memory.

    Returns:
        None where nothing is uncertain, the measure does not look at grades, or `draws` is 0.
    """
    query_ids = list(next(iter(measured.values())))
    open_ids = [q for q in query_ids if uncertain(judged.get(q, {}))]
    if not draws or not open_ids or measure.kind == "Judged":
        return None
    draws = min(draws, max(FEWEST, CELLS // (len(query_ids) * len(runs))))
    values = {
        run.ranker: np.tile(np.fromiter(measured[run.ranker].values(), np.float64), (draws, 1))
        for run in runs
    }
    places = {q: place for place, q in enumerate(query_ids)}
    for query_id in open_ids:
        documents = sorted(judged[query_id])
        pool = drawn_grades([judged[query_id][d] for d in documents], query_id, draws, seed)
        columns = {document: column for column, document in enumerate(documents)}
        for run in runs:
            ranked = [columns.get(hit.document_id) for hit in run.hits(query_id)]
            values[run.ranker][:, places[query_id]] = measure_drawn(measure, ranked, pool)
    return LabelDraws(values)


def uncertain(judged: Mapping[str, Judgment]) -> bool:
    return any(max(j.probabilities) < 1 for j in judged.values())


def drawn_grades(
    judgments: Sequence[Judgment], query_id: str, draws: int, seed: int
) -> npt.NDArray[np.int8]:
    """A grade for each draw and judgment, shape [draws, documents]."""
    own = int.from_bytes(hashlib.sha256(query_id.encode()).digest()[:8], "big")
    generator = np.random.default_rng([seed, own])
    reached = np.cumsum([j.probabilities for j in judgments], axis=1)
    # A sum that rounding has left a hair below 1 may not let a draw beyond the highest grade.
    uniform = generator.random((draws, len(judgments))) * reached[:, -1]
    grades = np.zeros((draws, len(judgments)), dtype=np.int8)
    for level in range(reached.shape[1] - 1):
        grades += uniform >= reached[:, level]
    return grades
