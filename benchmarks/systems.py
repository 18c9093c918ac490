"""Rankers of a collection, and whether labels tell them apart as people's grades do.

The rankers are those of `rankers`, asked once in an embedded Elasticsearch. Where people graded
only a part of the collection, lists are pulled deep and condensed to what they graded (Sakai,
SIGIR 2007); elsewhere a document that they did not grade has grade 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from decision import PLAN
from heldout import Collection, Cosine, Judged, by_bm25, certain
from prepared import DEPTH, is_pulled, project_files, pull_runs, ranker_names, say, task_of

from relevance_eval.evaluators.agreement import interval, tau_b
from relevance_eval.evaluators.comparison import condensed, ungraded_of
from relevance_eval.evaluators.difference import (
    differences,
    per_query,
    verdict_of,
    without_rounding,
)
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.label_draws import uncertain
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelling import Labeler, label
from relevance_eval.evaluators.measures import Measure, measure_run, parse_measure
from relevance_eval.evaluators.pair import Pair, pool
from relevance_eval.evaluators.run import Run, read_run
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.evaluators.verdict import Verdict

__all__ = ["PEOPLE", "Study", "Systems", "Told", "of_pool", "pulled", "store"]

Values = Mapping[str, Mapping[str, float]]
"""Ranker to query id to value, queries in one order."""
Floats = npt.NDArray[np.float64]
DEEP = 100
"""Hits that are pulled where lists are condensed afterwards."""
PEOPLE = parse_measure("nDCG@10")
"""What people's grades are measured by."""
EXPECTED = parse_measure("EnDCG@10")
DRAWS = 2000
DECIDED = (Verdict.BETTER, Verdict.WORSE)


def pulled(collection: Collection, work: Path) -> list[Run]:
    """What each ranker returns; runs that `work` holds already are not pulled again.

    Raises:
        InputError: a ranker without an answer to some query.
        EmbeddedNodeError, ServerError: Elasticsearch does not start, or refuses a ranker.
    """
    name, folder = collection.name, work / collection.name
    files = project_files(name, DEEP if collection.partly else DEPTH)
    if not is_pulled(folder, files):
        say(f"{name}: asking the rankers")
        pull_runs(name, collection.folder, folder, files)
    return [read_run(folder / "runs" / f"{ranker}.run") for ranker in ranker_names(name)]


# what labels say of them


@dataclass(frozen=True)
class Told:
    """How far a labeler's labels tell rankers apart as people's grades do, by nDCG@10.

    Attributes:
        measure: of the labeler's labels.
        tau: Kendall's tau-b of the two orders of the rankers by their mean, -1 to 1, with its 95 %
            interval over resampled queries; None if one side ties them all.
        pairs: of rankers.
        same: pairs with the same verdict.
        decided: pairs of which people's grades say better or worse.
        missed: of these, the pairs of which the labeler's labels do not tell.
        levelled: of these, the pairs that the labeler's labels call equivalent.
        opposite: of these, the pairs of which the labeler's labels say the opposite.
        invented: pairs of which the labeler's labels alone say better or worse.
    """

    measure: str
    tau: Interval | None
    pairs: int
    same: int
    decided: int
    missed: int
    levelled: int
    opposite: int
    invented: int


class Systems:
    """The rankers of a collection and what people's grades say of each pair of them."""

    def __init__(self, collection: Collection, runs: Sequence[Run], seed: int):
        self.query_ids = [q.id for q in collection.queries]
        self.seed = seed
        people = certain(collection.people, "people")
        self.runs = self.without_ungraded(runs, people) if collection.partly else runs
        self.values = self.measured(self.runs, people, PEOPLE)
        self.verdicts = self.decided(self.values, PEOPLE)

    def without_ungraded(self, runs: Sequence[Run], judged: Judged) -> list[Run]:
        ungraded = ungraded_of(runs, self.query_ids, judged)
        return [condensed(run, ungraded) for run in runs]

    def measured(self, runs: Sequence[Run], judged: Judged, measure: Measure) -> Values:
        return {r.ranker: measure_run(r, self.query_ids, judged, measure) for r in runs}

    def decided(self, values: Values, measure: Measure) -> list[Verdict]:
        """Of each pair of rankers, each as if the two alone were compared."""
        plan = replace(PLAN, primary=measure, seed=self.seed)
        return [
            verdict_of(differences([c], str(measure), plan, margin=plan.rule.margin)[0], plan)
            for c in (per_query(values[a], values[b]) for a, b in combinations(values, 2))
        ]

    def told(self, judged: Judged, measure: Measure) -> Told:
        """What a labeler's labels say of the same rankers.

        A pair of query and document that it did not grade is taken out of its lists.
        """
        values = self.measured(self.without_ungraded(self.runs, judged), judged, measure)
        both = list(zip(self.verdicts, self.decided(values, measure), strict=True))
        clear = [(people, labeler) for people, labeler in both if people in DECIDED]
        return Told(
            measure=str(measure),
            tau=tau(self.values, values, self.seed),
            pairs=len(both),
            same=sum(people == labeler for people, labeler in both),
            decided=len(clear),
            missed=sum(labeler == Verdict.INCONCLUSIVE for _, labeler in clear),
            levelled=sum(labeler == Verdict.EQUIVALENT for _, labeler in clear),
            opposite=sum(labeler in DECIDED and people != labeler for people, labeler in clear),
            invented=sum(p not in DECIDED and labeler in DECIDED for p, labeler in both),
        )


def tau(people: Values, labeler: Values, seed: int) -> Interval | None:
    one, other = (
        np.array([list(row.values()) for row in values.values()]) for values in (people, labeler)
    )
    queries = one.shape[1]
    drawn = np.random.default_rng(seed).multinomial(queries, np.full(queries, 1 / queries), DRAWS)
    weights = np.vstack([np.ones(queries), drawn]) / queries
    both = zip(signs(weights @ one.T), signs(weights @ other.T), strict=True)
    first, *others = (tau_b(list(zip(p, f, strict=True))) for p, f in both)
    return None if first is None else interval(first, [t for t in others if t is not None])


def signs(means: Floats) -> list[list[float]]:
    """Which of each pair of rankers is ahead; means: [draws, rankers], one list a draw."""
    left, right = np.triu_indices(means.shape[1], 1)
    found: list[list[float]] = np.sign(without_rounding(means[:, right] - means[:, left])).tolist()
    return found


# a collection with its rankers and labels


@dataclass(frozen=True)
class Study:
    """A collection with its rankers, and the labels to compare with people's.

    Attributes:
        named: by labeler; those in `scores` name no grades, and only their order counts.
    """

    collection: Collection
    systems: Systems
    named: Mapping[str, Judged]
    scores: frozenset[str] = frozenset()

    def measures(self, name: str) -> tuple[Measure, ...]:
        """Of whole grades where the labeler names some; of expected gains where it is unsure."""
        whole = () if name in self.scores else (PEOPLE,)
        doubting = any(uncertain(row) for row in self.named[name].values())
        return (*whole, EXPECTED) if doubting else whole

    def told(self) -> Iterator[tuple[str, Told]]:
        for name, judged in self.named.items():
            for measure in self.measures(name):
                say(f"{self.collection.name}: rankers by {measure} with the labels of {name}")
                yield name, self.systems.told(judged, measure)


def of_pool(collection: Collection, labeler: Labeler, work: Path, seed: int) -> Study:
    """Of a collection without held-out grades: the labeler grades what its rankers found."""
    runs = pulled(collection, work)
    pairs = pool(runs, collection.queries, collection.documents, DEPTH)
    asked = [labeler]
    if isinstance(labeler, BiEncoder) and "cosine" in labeler.head.features:
        asked.append(Cosine(labeler))
    named: dict[str, Judged] = {}
    for each in asked:
        named[each.name] = graded(pairs, each, collection.name, work)
    scores = {"bm25": by_bm25(collection, pairs)}
    names = frozenset({*scores, *(each.name for each in asked[1:])})
    return Study(collection, Systems(collection, runs, seed), named | scores, names)


def graded(pairs: Sequence[Pair], labeler: Labeler, name: str, work: Path) -> Judged:
    """Grades that `work` has are reused; new ones are written as they come."""
    with task_of(name)(f"grades of {labeler.name}") as progress, store(work) as kept:
        found = label(pairs, labeler, kept, progress, people=False)
    if found.failed or found.refused:
        say(f"{name}: {labeler.name} left {found.failed + found.refused} pairs without a grade")
    return found.by_id(pairs)


def store(work: Path) -> Judgments:
    return Judgments(work / "grades.sqlite")
