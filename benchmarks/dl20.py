"""A student of GPT-4o's grades against people, on queries that neither training nor tuning saw.

TREC 2020 Deep Learning: the queries are cut into folds; for each, a student is trained on the other
folds with GPT-4o's grades alone, calibrated on a held-out part of those, exported to int8, and then
grades the fold. People's grades are used to measure, and for nothing else.

    python benchmarks/dl20.py --data ../shared/data --work /tmp/dl20
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from relevance_eval.evaluators.agreement import Agreement, agree
from relevance_eval.evaluators.document import Document, read_corpus
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import Qrels, read_qrels
from relevance_eval.evaluators.query import Query, read_queries
from relevance_eval.exporters.export import export
from relevance_eval.exporters.settings import ExportSettings, TrainSettings
from relevance_eval.exporters.train import train

LOG = logging.getLogger("dl20")
TEACHER = "gpt-4o"
WARM = {"squad2": 1200, "medquad": 600, "pubmedqa": 500}
"""Collections that the student is warmed up on, and how many of their queries."""


class Collection:
    """Documents, queries and grades of one folder."""

    def __init__(self, folder: Path):
        self.name = folder.name
        self.documents = read_corpus(folder / "corpus.jsonl")
        self.queries = {q.id: q for q in read_queries(folder / "queries.jsonl")}
        self.people = self.known(read_qrels(folder / "qrels.txt"))

    def known(self, grades: Qrels) -> dict[str, dict[str, int]]:
        return {
            q: {d: g for d, g in row.items() if d in self.documents}
            for q, row in grades.items()
            if q in self.queries
        }

    def examples(self, grades: Mapping[str, Mapping[str, int]], labeler: str) -> list[Example]:
        return [
            example(self.queries[q], self.documents[d], grade, labeler)
            for q, row in grades.items()
            for d, grade in row.items()
        ]


def example(query: Query, document: Document, grade: int, labeler: str) -> Example:
    return Example(Pair(query, document), "qrels", judgment=Judgment.certain(labeler, grade))


def warm_examples(data: Path, seed: int) -> list[Example]:
    """Judged pairs of other collections, and for each query a random document as grade 0."""
    found: list[Example] = []
    for name, count in WARM.items():
        collection, draw = Collection(data / name), random.Random(seed)
        ids = list(collection.documents)
        for query_id in draw.sample(sorted(collection.people), count):
            grades = dict(list(collection.people[query_id].items())[:3])
            grades |= {d: 0 for d in draw.sample(ids, 1) if d not in grades}
            query = collection.queries[query_id]
            renamed = Query(f"{name}-{query.id}", query.text)
            found += [example(renamed, collection.documents[d], g, name) for d, g in grades.items()]
    return found


def thinned(row: Mapping[str, int], limit: int, seed: int) -> dict[str, int]:
    """At most `limit` documents of a query, those of higher grades first: most have grade 0."""
    drawn = random.Random(seed).sample(sorted(row), len(row))
    return {d: row[d] for d in sorted(drawn, key=lambda d: -row[d])[:limit]}


def fold_of(query_id: str, folds: int, seed: int) -> int:
    """By hash, so that a query's fold does not depend on the other queries."""
    return int(hashlib.sha256(f"{seed} {query_id}".encode()).hexdigest(), 16) % folds


def progress(name: str) -> Callable[[int, int], None]:
    """A line a minute."""
    written = [time.monotonic()]

    def report(done: int, total: int) -> None:
        if time.monotonic() - written[0] > 60:
            written[0] = time.monotonic()
            LOG.info("%s: %d of %d", name, done, total)

    return report


def student(examples: Sequence[Example], settings: TrainSettings, folder: Path, seed: int) -> Path:
    """Trains unless the folder holds the student already; returns the folder."""
    if not (folder / "training.json").exists():
        LOG.info("training %s on %d pairs", folder.name, len(examples))
        train(
            examples,
            settings,
            folder,
            seed=seed,
            progress=progress(folder.name),
            notice=LOG.info,
        )
    return folder


def graded(labeler: Path | str, pairs: Sequence[Pair]) -> dict[str, dict[str, Judgment]]:
    judged: dict[str, dict[str, Judgment]] = {}
    for position, judgment in load_labeler(str(labeler)).label(pairs):
        if judgment.graded:
            pair = pairs[position]
            judged.setdefault(pair.query.id, {})[pair.document.id] = judgment
    return judged


def held_out(
    collection: Collection,
    teacher: Mapping[str, Mapping[str, int]],
    start: str,
    options: argparse.Namespace,
) -> dict[str, dict[str, Judgment]]:
    """What students say of the queries of the fold that each has not seen."""
    judged: dict[str, dict[str, Judgment]] = {}
    settings = TrainSettings(base=start, epochs=options.epochs, max_tokens=128, holdout=0.2)
    for fold in range(options.folds):
        mine = {q for q in collection.people if fold_of(q, options.folds, options.seed) == fold}
        seen = {
            q: thinned(row, options.pairs, options.seed)
            for q, row in teacher.items()
            if q not in mine
        }
        folder = options.work / f"fold-{fold}"
        student(collection.examples(seen, TEACHER), settings, folder, options.seed)
        labeler = options.work / f"labeler-{fold}"
        if not labeler.exists():
            export(folder, ExportSettings(precision=options.precision), labeler)
        pairs = [
            Pair(collection.queries[q], collection.documents[d])
            for q in sorted(mine)
            for d in collection.people[q]
        ]
        judged |= graded(labeler, pairs)
    return judged


def table(rows: Mapping[str, Agreement]) -> Iterable[str]:
    yield "| labeler | quadratic kappa | kappa | relevant or not | pairwise | nDCG@10 |"
    yield "|---|---|---|---|---|---|"
    for name, found in rows.items():
        figures = (
            found.quadratic_kappa,
            found.kappa,
            found.relevant_kappa,
            found.pairwise_accuracy,
            found.ndcg,
        )
        cells = (f"{f.mean:.3f} [{f.low:.3f}, {f.high:.3f}]" for f in figures)
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--work", type=Path, required=True, help="students are kept here")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=120, help="learned from, of each query")
    parser.add_argument("--precision", default="int8-weights")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    collection = Collection(options.data / "dl20")
    teacher = collection.known(read_qrels(options.data / "dl20" / "judged-by-gpt-4o.txt"))
    warm = student(
        warm_examples(options.data, options.seed),
        TrainSettings(epochs=1, max_tokens=128, holdout=0.05, evaluations=4),
        options.work / "warm",
        options.seed,
    )
    pairs = [e.pair for e in collection.examples(collection.people, "people")]
    rows = {
        "GPT-4o": {
            q: {d: Judgment.certain(TEACHER, g) for d, g in row.items()}
            for q, row in teacher.items()
        },
        "student": held_out(collection, teacher, str(warm), options),
        "built-in": graded("builtin", pairs),
    }
    found = {name: agree(collection.people, judged) for name, judged in rows.items()}
    print("\n".join(table(found)))  # noqa: T201
    (options.work / "dl20.json").write_text(
        json.dumps({name: asdict(each) for name, each in found.items()}, indent=2)
    )


if __name__ == "__main__":
    sys.exit(main())
