"""Real runs and grades of collections, for benchmarks of decisions and of labelers.

Some twenty rankers, near twins among them, ask an embedded Elasticsearch for the judged queries of
four public collections (Cranfield, CACM, CISI, Vaswani) and for those of the enterprise collection.
The built-in labeler grades the whole pool to depth 10 once. Runs and grades are kept in a working
folder: a second call needs neither Elasticsearch nor a label.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rankers import EMBEDDER, FUSED, INDEX, VECTOR, templates

from relevance_eval.collected import Collected, collect
from relevance_eval.errors import InputError
from relevance_eval.evaluators.document import Document, read_corpus, write_documents
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import Labelling, label
from relevance_eval.evaluators.pair import Pair, pool
from relevance_eval.evaluators.qrels import read_qrels
from relevance_eval.evaluators.query import Query, read_queries, write_queries
from relevance_eval.evaluators.run import Run, read_run, write_run
from relevance_eval.project import Task, open_project

__all__ = [
    "COLLECTIONS",
    "DEPTH",
    "ENTERPRISE",
    "Prepared",
    "is_pulled",
    "prepare",
    "project_files",
    "pull_runs",
    "ranker_names",
    "say",
    "task_of",
]

ENTERPRISE = Path(__file__).resolve().parents[1] / "fixtures" / "enterprise"
COLLECTIONS = ("cranfield", "enterprise", "cacm", "cisi", "vaswani")
WITHOUT_TITLES = frozenset({"dl20", "vaswani"})
ENTERPRISE_RANKERS = ("bm25", "fields", "recent")
"""The collection's own, beside those that all collections have."""
DEPTH = 10
PULLED = "pulled"
"""Written last when runs are pulled: the hash of the project that they were pulled by."""
CONFIGURATION = """
[elasticsearch]
url = "embedded"
index = "documents"
heap = "512m"

[load]
documents = "corpus.jsonl"
mapping = "index.json"
embedder = "bge"

[compare]
depth = {depth}
"""


@dataclass(frozen=True)
class Prepared:
    """Everything that decisions about one collection are made of.

    Attributes:
        queries: those that people judged, in the collection's order.
        runs: one a ranker, to depth 10.
        documents: those in the runs, by id.
        pairs: the whole pool, by query, then by document id.
        judged: query id to document id to the built-in labeler's judgment, out of the store; a
            pair that was not graded is left out.
    """

    queries: Sequence[Query]
    runs: Sequence[Run]
    documents: Mapping[str, Document]
    pairs: Sequence[Pair]
    judged: Mapping[str, Mapping[str, Judgment]]


def prepare(name: str, data: Path, work: Path) -> Prepared:
    """Runs, pool and grades of one collection; what `work` holds already is not made again.

    Leaves in `work/name`: `runs/RANKER.run`, `queries.jsonl`, `documents.jsonl`,
    `judgments.sqlite`, and `done` when all of it is there.

    Args:
        name: one of COLLECTIONS.
        data: the folder of the public collections; the enterprise collection is the project's.
        work: the folder in which collections are kept, each in a folder of its own.

    Raises:
        InputError: a collection that is not there, or a ranker without an answer to some query.
        StorageError: `work` cannot be written.
        EmbeddedNodeError, ServerError: Elasticsearch does not start, or refuses a ranker.
    """
    folder = work / name
    files = project_files(name)
    if not is_pulled(folder, files):
        source = ENTERPRISE if name == "enterprise" else data / name
        pull_runs(name, source, folder, files)
    queries = read_queries(folder / "queries.jsonl")
    documents = read_corpus(folder / "documents.jsonl")
    runs = [read_run(folder / "runs" / f"{ranker}.run") for ranker in ranker_names(name)]
    pairs = pool(runs, queries, documents, DEPTH)
    labelling = graded(name, pairs, folder)
    (folder / "done").write_text(f"{len(pairs)} pairs\n", encoding="utf-8")
    return Prepared(queries, runs, documents, pairs, labelling.by_id(pairs))


# the project


def ranker_names(name: str) -> list[str]:
    own = ENTERPRISE_RANKERS if name == "enterprise" else ()
    return [*templates(titles=name not in WITHOUT_TITLES), *own, *FUSED]


def project_files(name: str, depth: int = DEPTH) -> dict[str, str]:
    """Path to text of all that a project of this collection is made of, but its documents.

    Args:
        depth: hits that each ranker is asked for.
    """
    bodies = templates(titles=name not in WITHOUT_TITLES)
    texts = {ranker: json.dumps(body, indent=2) for ranker, body in bodies.items()}
    if name == "enterprise":
        texts |= {r: (ENTERPRISE / "rankers" / f"{r}.json").read_text() for r in ENTERPRISE_RANKERS}
    files = {f"rankers/{ranker}.json": text for ranker, text in texts.items()}
    sections = [CONFIGURATION.format(depth=depth), section("embedders.bge", EMBEDDER)]
    for ranker in texts:
        values = {"template": f"rankers/{ranker}.json"}
        embedder = {"embedder": "bge"} if ranker == VECTOR else {}
        sections.append(section(f"rankers.{ranker}", values | embedder))
    sections += [section(f"rankers.{ranker}", values) for ranker, values in FUSED.items()]
    files["relevance-eval.toml"] = "\n".join(sections)
    files["index.json"] = json.dumps(INDEX, indent=2)
    return files


def section(name: str, values: Mapping[str, str | int | list[str]]) -> str:
    """A table of TOML, whose strings, whole numbers and lists of strings are written as JSON's."""
    *path, last = name.split(".", 1)
    head = ".".join([*path, json.dumps(last)])
    return f"[{head}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items())


def digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def is_pulled(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether runs of exactly these rankers are there, to the end."""
    marker = folder / PULLED
    return marker.is_file() and marker.read_text(encoding="utf-8") == digest(files)


def pull_runs(name: str, source: Path, folder: Path, files: Mapping[str, str]) -> None:
    """Makes the project, asks all rankers, and writes what they returned."""
    (folder / PULLED).unlink(missing_ok=True)
    base = folder / "project"
    for path, text in files.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_text(text, encoding="utf-8")
    corpus = base / "corpus.jsonl"
    corpus.unlink(missing_ok=True)
    corpus.symlink_to((source / "corpus.jsonl").resolve())
    judged = read_qrels(source / "qrels.txt")
    queries = [q for q in read_queries(source / "queries.jsonl") if q.id in judged]
    project = open_project(base / "relevance-eval.toml")
    collected = collect(project, ranker_names(name), queries, task_of(name))
    check_answers(collected)
    write_runs(collected, folder)
    (folder / PULLED).write_text(digest(files), encoding="utf-8")
    say(f"{name}: pulled {len(collected.runs)} rankers for {len(queries)} queries")


def check_answers(collected: Collected) -> None:
    """Raises InputError for a ranker with a problem: a run with holes is no run to decide by."""
    for run in collected.runs:
        for query, problem in run.problems().items():
            raise InputError(f"no whole answer: {problem}", where=f"{run.ranker}, query {query}")


def write_runs(collected: Collected, folder: Path) -> None:
    runs = folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in runs.glob("*.run"):
        old.unlink()
    for run in collected.runs:
        write_run(runs / f"{run.ranker}.run", run)
    write_queries(folder / "queries.jsonl", collected.queries)
    write_documents(folder / "documents.jsonl", collected.documents.values())


# the grades


def graded(name: str, pairs: Sequence[Pair], folder: Path) -> Labelling:
    """The built-in labeler's grades of the whole pool; those that the store has are reused."""
    with task_of(name)("labelling") as progress, Judgments(folder / "judgments.sqlite") as store:
        labelling = label(pairs, load_labeler("builtin"), store, progress, people=False)
    say(
        f"{name}: {labelling.needed} distinct pairs, {labelling.reused} reused, "
        f"{labelling.bought} bought, {labelling.failed + labelling.refused} without a grade"
    )
    return labelling


# progress


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def task_of(name: str) -> Task:
    """Tells what is begun, and a line every 15 seconds while it goes on."""

    @contextmanager
    def task(what: str) -> Generator[Callable[[int, int], None]]:
        say(f"{name}: {what}")
        told = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told > 15:
                told = time.monotonic()
                say(f"{name}: {what}: {done} of {total}")

        yield progress

    return task
