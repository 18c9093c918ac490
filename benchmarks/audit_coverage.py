"""How often the corrected 95 % interval of a difference holds what people would say of all queries.

TREC 2020 Deep Learning, 54 queries with some 210 passages each that NIST's assessors graded. Eight
rankers order each query's graded passages; 28 pairs of them differ by what people's grades say.
A labeler's grades (of GPT-4o, Llama 3.2, Mistral, and the built-in labeler with --store) stand for
all queries; an audit of a few, drawn at random, has people's. In each trial a population of queries
is drawn from the 54 with replacement, since 54 are too few for the larger audits, and an audit from
it without; the truth is the difference over the 54. Where the population is the 54 themselves, the
truth is the same and only the audit is drawn.

With --labels decisive, the labeler's values are those of a comparison that buys few labels of a
population of 200 (the lists to depth 10, and people's grades of what is in them), beside those of
all labels, on the same populations and audits.

    python benchmarks/audit_coverage.py --data ../shared/data --store /tmp/coverage.sqlite
    python benchmarks/audit_coverage.py --data ../shared/data --store /tmp/coverage.sqlite \
        --labels decisive --labelers GPT-4o built-in --trials 200
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from chained import Chain, Corrected, corrected
from decision import decision
from heldout import Judged, certain
from prepared import DEPTH, Prepared

from relevance_eval.evaluators.decisive.comparison import cheap_gains
from relevance_eval.evaluators.document import read_corpus
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import label
from relevance_eval.evaluators.measures import measure_run, parse_measure
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import Qrels, read_qrels
from relevance_eval.evaluators.query import Query, read_queries
from relevance_eval.evaluators.run import Hit, Result, Run, order_hits
from relevance_eval.evaluators.statistics import mean_interval
from relevance_eval.evaluators.statistics.prediction_powered import (
    Powered,
    Sample,
    prediction_powered,
)
from relevance_eval.exporters.builtin.bm25 import Bm25

Floats = npt.NDArray[np.float64]
Scorer = Callable[[str, str], float]

MODELS = {
    "GPT-4o": "judged-by-gpt-4o.txt",
    "Llama 3.2": "judged-by-llama3.2.txt",
    "Mistral": "judged-by-mistral.txt",
}
BUILTIN = "built-in"
SETTINGS = ((54, 20), (200, 20), (1000, 20), (200, 50), (1000, 50), (1000, 100))
"""Queries in the population, and audited ones."""
CHAINED = 200
"""Queries in the population of which few labels are bought."""
AUDITS = (20, 50, 100)
DRAWN = 4
"""Audits of each size from one population."""
WORD = re.compile(r"[a-z0-9]+")
FUNCTION_WORDS = frozenset(
    WORD.findall("a an and are by do does for how in is of on or the to what who")
)
MEASURE = parse_measure("EnDCG@10")


@dataclass(frozen=True)
class Collection:
    """Texts by id, queries, and people's grades of documents that have a text."""

    texts: Mapping[str, str]
    queries: Sequence[Query]
    people: Qrels

    @classmethod
    def read(cls, folder: Path) -> Collection:
        documents = read_corpus(folder / "corpus.jsonl")
        texts = {i: d.fields.get("body", "") for i, d in documents.items()}
        people = read_qrels(folder / "qrels.txt")
        known = {q: {d: g for d, g in row.items() if d in texts} for q, row in people.items()}
        queries = [q for q in read_queries(folder / "queries.jsonl") if q.id in known]
        return cls(texts, queries, known)


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def by_bm25(texts: Mapping[str, str], change: Callable[[str], str] = str) -> Scorer:
    """The project's BM25 over changed texts and queries."""
    index = Bm25({i: change(t) for i, t in texts.items()})
    place = {name: row for row, name in enumerate(index.ids)}
    known: dict[str, npt.NDArray[np.float64]] = {}

    def score(query: str, document: str) -> float:
        if query not in known:
            known[query] = index.scores(change(query))
        return float(known[query][place[document]])

    return score


def by_cosine(texts: Mapping[str, str]) -> Scorer:
    """Cosine of tf-idf vectors."""
    counts = {i: Counter(words(t)) for i, t in texts.items()}
    frequency = Counter(w for count in counts.values() for w in count)
    idf = {w: math.log(len(texts) / n) for w, n in frequency.items()}

    def vector(count: Counter[str]) -> dict[str, float]:
        return {w: (1 + math.log(n)) * idf.get(w, 0.0) for w, n in count.items()}

    def score(query: str, document: str) -> float:
        one, other = vector(Counter(words(query))), vector(counts[document])
        length = math.hypot(*other.values()) or 1.0
        return math.fsum(v * other.get(w, 0.0) for w, v in one.items()) / length

    return score


def by_likelihood(texts: Mapping[str, str], mu: float = 50.0) -> Scorer:
    """Query likelihood with Dirichlet's smoothing."""
    counts = {i: Counter(words(t)) for i, t in texts.items()}
    everything = Counter(w for count in counts.values() for w in count.elements())
    total = everything.total()

    def score(query: str, document: str) -> float:
        count = counts[document]
        return math.fsum(
            math.log((count[w] + mu * everything[w] / total) / (count.total() + mu))
            for w in words(query)
            if everything[w]
        )

    return score


def by_share(texts: Mapping[str, str]) -> Scorer:
    """Share of the query's words that the passage has; long passages first among equals."""
    sets = {i: frozenset(words(t)) for i, t in texts.items()}

    def score(query: str, document: str) -> float:
        asked = set(words(query))
        return len(asked & sets[document]) / len(asked) + 1e-6 * len(sets[document])

    return score


def stems(text: str) -> str:
    return " ".join(w[:5] for w in words(text))


def lead(text: str) -> str:
    return " ".join(words(text)[:25])


def content(text: str) -> str:
    return " ".join(w for w in words(text) if w not in FUNCTION_WORDS)


def pairs_of_words(text: str) -> str:
    found = [w for w in words(text) if w not in FUNCTION_WORDS]
    return " ".join([*found, *(a + b for a, b in pairwise(found))])


def rankers(texts: Mapping[str, str]) -> dict[str, Scorer]:
    return {
        "bm25": by_bm25(texts),
        "bm25-stems": by_bm25(texts, stems),
        "bm25-lead": by_bm25(texts, lead),
        "bm25-content": by_bm25(texts, content),
        "bm25-phrases": by_bm25(texts, pairs_of_words),
        "cosine": by_cosine(texts),
        "likelihood": by_likelihood(texts),
        "share": by_share(texts),
    }


def runs_of(collection: Collection) -> list[Run]:
    """Each query's graded passages in each ranker's order."""
    runs: list[Run] = []
    for name, score in rankers(collection.texts).items():
        results = {
            q.id: Result(order_hits(Hit(d, score(q.text, d)) for d in collection.people[q.id]))
            for q in collection.queries
        }
        runs.append(Run(name, results))
    return runs


def builtin_grades(collection: Collection, folder: Path, store: Path) -> Judged:
    """The built-in labeler's grades, kept in a store between runs."""
    documents = read_corpus(folder / "corpus.jsonl")
    pairs = [Pair(q, documents[d]) for q in collection.queries for d in collection.people[q.id]]

    def progress(done: int, total: int) -> None:
        sys.stderr.write(f"\rbuilt-in labeler: {done:,} of {total:,}")

    with Judgments(store) as kept:
        found = label(pairs, load_labeler("builtin"), kept, progress, people=False)
    return found.by_id(pairs)


def values(runs: Sequence[Run], queries: Sequence[Query], judged: Judged) -> Floats:
    """EnDCG@10, shape [rankers, queries]; passages without a grade are taken out of the lists."""
    rows: list[list[float]] = []
    for run in runs:
        kept = {
            q.id: Result(tuple(h for h in run.hits(q.id) if h.document_id in judged.get(q.id, {})))
            for q in queries
        }
        found = measure_run(Run(run.ranker, kept), [q.id for q in queries], judged, MEASURE)
        rows.append(list(found.values()))
    return np.array(rows)


@dataclass(frozen=True)
class Row:
    """What all trials of one setting came to; coverages are shares of intervals.

    Attributes:
        worst: the least coverage of a pair of rankers.
        alone, labeler: coverage of people's interval from the audit alone, and of the labeler's
            from all queries.
        width: median width, as a share of people alone's.
        weight: mean weight of the labeler.
        intervals: how many were made.
    """

    covered: float
    worst: float
    alone: float
    labeler: float
    width: float
    weight: float
    intervals: int


def trials(
    people: Floats, labeler: Floats, queries: int, audited: int, options: argparse.Namespace
) -> Row:
    generator = np.random.default_rng([options.seed, queries, audited])
    pairs = list(combinations(range(len(people)), 2))
    held: list[list[bool]] = [[] for _ in pairs]
    others: list[tuple[bool, bool, float, float]] = []
    for _ in range(options.trials):
        count = people.shape[1]
        picked = np.arange(count) if queries == count else generator.integers(0, count, queries)
        rows = generator.choice(queries, audited, replace=False)
        sample = Sample.simple(queries, rows)
        for n in generator.choice(len(pairs), options.pairs, replace=False):
            one, two = pairs[n]
            y, f = people[two] - people[one], labeler[two] - labeler[one]
            truth = float(y.mean())
            found = prediction_powered(f[picked], y[picked][rows], sample)
            held[n].append(holds(found.interval, truth))
            by_labeler = holds(mean_interval(f[picked]), truth)
            others.append(
                (holds(found.people, truth), by_labeler, found.width or 1.0, found.weight)
            )
    alone, by_labeler, width, weight = np.array(others, dtype=np.float64).T
    return Row(
        covered=float(np.mean([h for row in held for h in row])),
        worst=min(float(np.mean(row)) for row in held if row),
        alone=float(alone.mean()),
        labeler=float(by_labeler.mean()),
        width=float(np.median(width)),
        weight=float(weight.mean()),
        intervals=len(others),
    )


def holds(interval: tuple[float, float | None, float | None], truth: float) -> bool:
    _, low, high = interval
    return low is not None and high is not None and low <= truth <= high


COLUMNS = (
    *("labeler", "r", "queries", "audit", "corrected holds", "worst pair", "people alone holds"),
    *("labeler alone holds", "width", "λ"),
)


def table(
    people: Floats, labelers: Mapping[str, Floats], options: argparse.Namespace
) -> Iterator[str]:
    """Lines of Markdown; r is the median pair's correlation of people and labeler over queries."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for name, found in labelers.items():
        r = np.median(correlations(people, found))
        for queries, audited in SETTINGS:
            row = trials(people, found, queries, audited, options)
            shares = (row.covered, row.worst, row.alone, row.labeler)
            cells = " | ".join(f"{share:.1%}" for share in shares)
            yield (
                f"| {name} | {r:.2f} | {queries} | {audited} | {cells} | "
                f"{row.width:.2f} | {row.weight:.2f} |"
            )


def correlations(people: Floats, labeler: Floats) -> list[float]:
    return [
        float(np.corrcoef(people[b] - people[a], labeler[b] - labeler[a])[0, 1])
        for a, b in combinations(range(len(people)), 2)
    ]


# few labels, and an audit of what they say


def chains(
    collection: Collection, folder: Path, runs: Sequence[Run], grades: Judged, cheap: Judged | None
) -> list[Chain]:
    """Every pair of rankers.

    Args:
        cheap: another labeler's grades, which forecast those that are not bought.
    """
    documents = read_corpus(folder / "corpus.jsonl")
    shown = [top(run) for run in runs]
    people = certain(collection.people, "people")
    found: list[Chain] = []
    for pair in combinations(shown, 2):
        one, human = (
            decision(Prepared(collection.queries, pair, documents, [], judged), pair, MEASURE)
            for judged in (grades, people)
        )
        if cheap:
            gains = cheap_gains(one.stakes, MEASURE, cheap)
            one = replace(one, clues=np.column_stack([one.clues, gains]))
        found.append(Chain(one, human.column(human.gains)))
    return found


def top(run: Run) -> Run:
    results = {q: replace(r, hits=r.hits[:DEPTH]) for q, r in run.results.items()}
    return Run(run.ranker, results)


def chain_table(named: Mapping[str, Sequence[Chain]], options: argparse.Namespace) -> Iterator[str]:
    """Lines of Markdown; labels in shares of the population's pool."""
    yield (
        "| labeler | audit | labels bought | and of the audited queries "
        "| corrected holds, all labels | few labels | width, all labels | few labels "
        "| λ, all labels | few labels | populations, intervals |"
    )
    yield "|---" * 11 + "|"
    for name, pairs in named.items():
        generator = np.random.default_rng(options.seed)
        rows: list[Corrected] = []
        for trial in range(options.trials):
            place = int(generator.integers(len(pairs)))
            rows += corrected(pairs[place], CHAINED, AUDITS * DRAWN, [options.seed, trial])
        for size in AUDITS:
            yield chain_row(name, [r for r in rows if r.audit == size], options.trials)


def chain_row(name: str, rows: Sequence[Corrected], populations: int) -> str:
    both = [[r.all_labels for r in rows], [r.few for r in rows]]

    def covered(found: Sequence[Powered]) -> float:
        pairs = zip(found, rows, strict=True)
        return float(np.mean([holds(powered.interval, row.truth) for powered, row in pairs]))

    holding = " | ".join(f"{covered(found):.1%}" for found in both)
    width = " | ".join(f"{np.median([p.width or 1.0 for p in found]):.2f}" for found in both)
    weight = " | ".join(f"{np.mean([p.weight for p in found]):.2f}" for found in both)
    bought, graded = np.mean([r.bought for r in rows]), np.mean([r.graded for r in rows])
    return (
        f"| {name} | {rows[0].audit} of {CHAINED} | {bought:.0%} | {graded:.0%} | {holding} "
        f"| {width} | {weight} | {populations}, {len(rows)} |"
    )


def chained(
    collection: Collection, folder: Path, runs: Sequence[Run], judged: Mapping[str, Judged]
) -> dict[str, Sequence[Chain]]:
    """By labeler, and GPT-4o forecast by the built-in one, if both are there."""
    cheap = judged.get(BUILTIN)
    named: dict[str, Sequence[Chain]] = {
        n: chains(collection, folder, runs, grades, None) for n, grades in judged.items()
    }
    if cheap and "GPT-4o" in judged:
        forecast = chains(collection, folder, runs, judged["GPT-4o"], cheap)
        named["GPT-4o, forecast by the built-in labeler"] = forecast
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--store", type=Path, help="the built-in labeler's grades are kept here")
    parser.add_argument("--labelers", nargs="+", default=[*MODELS, BUILTIN], help="which of them")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=10, help="pairs of rankers in each trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--labels", choices=["all", "decisive"], default="all")
    options = parser.parse_args()
    folder = options.data / "dl20"
    collection = Collection.read(folder)
    runs = runs_of(collection)
    judged = {
        name: certain(read_qrels(folder / file), name)
        for name, file in MODELS.items()
        if name in options.labelers
    }
    if options.store and BUILTIN in options.labelers:
        judged[BUILTIN] = builtin_grades(collection, folder, options.store)
    if options.labels == "decisive":
        for line in chain_table(chained(collection, folder, runs, judged), options):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        return
    people = values(runs, collection.queries, certain(collection.people, "people"))
    for run, row in zip(runs, people, strict=True):
        sys.stderr.write(f"{run.ranker}: {MEASURE} {row.mean():.4f}\n")
    found = {name: values(runs, collection.queries, grades) for name, grades in judged.items()}
    for line in table(people, found, options):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
