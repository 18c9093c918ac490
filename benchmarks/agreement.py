"""How a labeler agrees with people, beside GPT-4o, the cosine of its encoder, and BM25.

Two questions. Pair by pair: does it give the grades that people give? And what matters to whoever
compares rankers: do its labels put some twenty of them in people's order, and lead to people's
verdicts? On TREC 2020 Deep Learning and LiveQA the grades are held out, of labelers that never saw
the query; `exporters/builtin` writes them. On the other collections --labeler grades what the
rankers found. All intervals are of 95 %, over resampled queries, but for the probes', which are
Student's. Lists on partly graded collections are condensed to what people graded.

Runs and grades are kept in --work: a second call needs neither Elasticsearch nor a label.

    python benchmarks/agreement.py --data ../shared/data --work /tmp/agreement --held-out FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from heldout import GRADED, Collection, Judged, by_bm25, labelers
from prepared import COLLECTIONS, DEPTH, say, task_of
from systems import PEOPLE, Study, Systems, of_pool, pulled, store

from relevance_eval.evaluators.judgment import GRADES, RELEVANT
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.probes import Probe, Probed, padded, planted, probe
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.exporters.builtin.evaluation import order_row
from relevance_eval.exporters.builtin.metrics import Figure, QuerySums, bootstrap, sums
from relevance_eval.exporters.builtin.pairs import Pairs

KAPPAS = ("quadratic kappa", "kappa, 4 grades", "kappa, relevant or not", "pairwise accuracy")
FIGURES = (*KAPPAS, "nDCG@10", "calibration error")
RECALLS = tuple(f"recall of grade {grade}" for grade in GRADES)
ORDERS = ("pairwise accuracy", "nDCG@10")
PARTS = 3
"""Into which pairs are cut by the length of their document."""
PROBED = "dl20"
PROBED_PAIRS = 300


# pair by pair


@dataclass(frozen=True)
class Met:
    """n pairs that people and a labeler graded, each attribute of shape [n].

    Attributes:
        queries: number of the query.
        people, named: people's grade, and the one that the labeler names, 0 to 3.
        expected: the labeler's expected grade, 0 to 3.
        relevant: the labeler's probability of grade 2 or 3.
        words: length of the document.
    """

    queries: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64]
    named: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]
    relevant: npt.NDArray[np.float64]
    words: npt.NDArray[np.int64]

    @classmethod
    def of(cls, collection: Collection, judged: Judged) -> Met:
        grades, words = collection.people, collection.words()
        rows = [
            (n, grades[q][d], j.grade, j.expected, sum(j.probabilities[RELEVANT:]), words[d])
            for n, (q, row) in enumerate(judged.items())
            for d, j in row.items()
        ]
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        return cls(*columns)

    def sums(self, rows: npt.NDArray[np.int64] | slice = slice(None)) -> QuerySums:
        """Of some of the pairs, by number, or of all."""
        columns = (self.queries, self.people, self.named, self.expected, self.relevant)
        return sums(*(column[rows] for column in columns))

    def parts(self) -> Iterator[tuple[str, QuerySums]]:
        """Thirds of the pairs by the length of their document, the shortest first."""
        for rows in np.array_split(np.argsort(self.words, kind="stable"), PARTS):
            shortest, longest = self.words[rows[0]], self.words[rows[-1]]
            yield f"{shortest} to {longest}", self.sums(np.sort(rows))


def of_pairs(
    collection: Collection, named: Mapping[str, Judged], scores: Mapping[str, Judged], seed: int
) -> Iterator[str]:
    """Three tables on one collection with held-out grades; of `scores` the order alone."""
    met = {name: Met.of(collection, judged) for name, judged in named.items()}
    figures = {name: bootstrap(each.sums(), seed) for name, each in met.items()}
    orders = {name: ordered(collection, name, judged) for name, judged in scores.items()}
    counts = [len(each.people) for each in met.values()]
    yield f"## {collection.name}: {len(collection.queries)} queries, {max(counts):,} graded pairs"
    yield (
        "How far each labeler's grades are people's. Pairwise accuracy (ties half) and nDCG@10 "
        "(gain 2^grade - 1) are those of its order of a query's pairs by expected grade."
    )
    rows = [[name, *cells(found, FIGURES)] for name, found in (orders | figures).items()]
    yield table(["labeler", *FIGURES], rows)
    yield "Of the pairs to which people gave a grade, the share to which the labeler gave it too."
    yield table(["labeler", *RECALLS], [[n, *cells(f, RECALLS)] for n, f in figures.items()])
    yield "The same pairs in thirds, by how many words the document has."
    rows = []
    for name, each in met.items():
        say(f"{collection.name}: {name} by length")
        for words, part in each.parts():
            rows.append([name, words, *cells(bootstrap(part, seed), KAPPAS)])
    yield table(["labeler", "words", *KAPPAS], rows)


def ordered(collection: Collection, name: str, judged: Judged) -> Mapping[str, Figure]:
    """Figures of the order of a query's documents alone; without a grade of people's: grade 0."""
    triples = [
        (n, collection.people[q].get(d, 0), j.expected)
        for n, (q, row) in enumerate(judged.items())
        for d, j in row.items()
    ]
    queries, grades, expected = (np.array(column) for column in zip(*triples, strict=True))
    return order_row(name, Pairs(queries, grades, np.empty((0, 0))), expected).figures


# by rankers


def of_orders(studies: Sequence[Study]) -> Iterator[str]:
    """One table on the collections of which people's grades are complete."""
    yield "## Collections with complete judgments"
    yield (
        f"The order of each query's pool (what any ranker has in its first {DEPTH}) by expected "
        "grade or by score; what people did not grade has grade 0."
    )
    rows: list[list[str]] = []
    for study in studies:
        for name, judged in study.named.items():
            found = ordered(study.collection, name, judged)
            rows.append([study.collection.name, name, *cells(found, ORDERS)])
    yield table(["collection", "labeler", *ORDERS], rows)


COUNTS = (
    "rankers, queries",
    "Kendall's tau-b",
    "same verdict",
    "missed",
    "levelled",
    "opposite",
    "invented",
)


def of_rankers(studies: Sequence[Study]) -> Iterator[str]:
    """One table on all collections."""
    yield "## Rankers"
    yield (
        f"Rankers by their mean under the labeler's labels, against {PEOPLE} under people's: the "
        "order of all, and the verdict on each pair of them. Of the pairs on which people say "
        "better or worse: missed, not told by the labeler; levelled, equivalent to it; opposite. "
        "Of the others: invented, better or worse to the labeler alone. The interval of tau "
        "leans low, since resampled queries add noise to both orders."
    )
    rows: list[list[str]] = []
    for study in studies:
        systems = study.systems
        size = f"{len(systems.runs)}, {len(systems.query_ids)}"
        for name, told in study.told():
            others = told.pairs - told.decided
            rows.append([
                study.collection.name,
                name,
                told.measure,
                size,
                cell(told.tau),
                share(told.same, told.pairs),
                share(told.missed, told.decided),
                share(told.levelled, told.decided),
                share(told.opposite, told.decided),
                share(told.invented, others),
            ])  # fmt: skip
    yield table(["collection", "labeler", "measure", *COUNTS], rows)


# probes


def of_probes(collection: Collection, labeler: Labeler, work: Path, seed: int) -> Iterator[str]:
    """One table on what moves the labeler and should not."""
    yield "## Probes"
    yield (
        f"{labeler.name}: mean shift of the expected grade (0 to 3) by a change that changes no "
        f"relevance, on pairs of {collection.name}."
    )
    grades = collection.people
    low = [p for p in collection.pairs if grades[p.query.id][p.document.id] == 0]
    high = [p for p in collection.pairs if grades[p.query.id][p.document.id] >= RELEVANT]
    probes: tuple[tuple[str, Probe, Sequence[Pair]], ...] = (
        ("the query's words three times in front, grade 0", planted, low),
        ("300 words that say nothing after the first 50, grade 2 or 3", padded, high),
    )
    rows: list[list[str]] = []
    for name, change, pairs in probes:
        found = probed(name, change, drawn(pairs, seed), labeler, work)
        rows.append([name, f"{found.pairs}, {found.queries}", cell(found.shift)])
    yield table(["change, and people's grade of the pairs", "pairs, queries", "shift"], rows)


def drawn(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """PROBED_PAIRS of them at random, in their order."""
    count = min(PROBED_PAIRS, len(pairs))
    places = np.random.default_rng(seed).choice(len(pairs), count, replace=False)
    return [pairs[place] for place in sorted(places.tolist())]


def probed(name: str, change: Probe, pairs: Sequence[Pair], labeler: Labeler, work: Path) -> Probed:
    with task_of(PROBED)(name) as progress, store(work) as kept:
        return probe(labeler, pairs, kept, {name: change}, progress)[0]


# Markdown


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(figures: Mapping[str, Figure], names: Sequence[str]) -> list[str]:
    return [str(figures[name]) if name in figures else "-" for name in names]


def cell(found: Interval | None) -> str:
    if found is None or found.low is None or found.high is None:
        return "-"
    return str(Figure(found.mean, found.low, found.high))


def share(part: int, whole: int) -> str:
    """A share and the counts that it is of."""
    return f"{part / whole:.0%} ({part} of {whole})" if whole else "-"


# all of it


def sections(options: argparse.Namespace) -> Iterator[Iterator[str]]:
    """Each is some lines of text and tables."""
    labeler = load_labeler(options.labeler, threads=options.threads)
    chosen = [Collection.read(n, options.data) for n in options.collections]
    studies: list[Study] = []
    for collection in (c for c in chosen if c.partly):
        named = labelers(options.held_out, collection)
        if not named:
            say(f"{collection.name}: left out, since {options.held_out} holds no grades of it")
        else:
            scores = {"bm25": by_bm25(collection, collection.pairs)}
            yield of_pairs(collection, named, scores, options.seed)
            systems = Systems(collection, pulled(collection, options.work), options.seed)
            studies.append(Study(collection, systems, named | scores, frozenset(scores)))
    complete = [c for c in chosen if not c.partly]
    unseen = [of_pool(c, labeler, options.work, options.seed) for c in complete]
    if unseen:
        yield of_orders(unseen)
    if studies or unseen:
        yield of_rankers([*studies, *unseen])
    for collection in (c for c in chosen if c.name == PROBED):
        yield of_probes(collection, labeler, options.work, options.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--work", type=Path, required=True, help="runs and grades are kept here")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of held-out grades")
    parser.add_argument("--labeler", default="builtin", help="grades where nothing is held out")
    every = (*GRADED, *COLLECTIONS)
    parser.add_argument("--collections", nargs="+", choices=every, default=every)
    parser.add_argument("--threads", type=int, default=0, help="0: one a core")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for section in sections(options):
        for part in section:
            print(part, end="\n\n", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
