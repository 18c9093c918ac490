"""Pairs to grade: the enterprise collection's own mix of lengths, and pairs of one length."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from relevance_eval.collected import collect
from relevance_eval.evaluators.document import Document, read_corpus, write_documents
from relevance_eval.evaluators.labelers.load import folder_of
from relevance_eval.evaluators.labelers.manifest import open_folder
from relevance_eval.evaluators.pair import Pair, pool
from relevance_eval.evaluators.query import read_queries
from relevance_eval.evaluators.run import read_run, write_run
from relevance_eval.project import open_project, untold

__all__ = ["LONGEST", "Text", "of_length", "read_texts", "real_pairs", "sample", "write_texts"]

ENTERPRISE = Path(__file__).resolve().parents[2] / "fixtures" / "enterprise"
LONGEST = 512
"""Tokens of a pair that the network reads."""
FRAME = 3
"""Special tokens around a pair."""
FILLER = "the"
"""One token, whatever stands before it."""


@dataclass(frozen=True, slots=True)
class Text:
    """A query and a document as every tool gets them: plain text."""

    query: str
    document: str


def real_pairs(work: Path) -> list[Pair]:
    """The pool of the collection's five rankers to depth 10, pulled once and kept in `work`."""
    base = work / "project"
    runs = base / "runs"
    project_file = base / "relevance-eval.toml"
    if not runs.is_dir():
        shutil.copytree(ENTERPRISE, base, dirs_exist_ok=True)
        project = open_project(project_file)
        pulled = collect(project, list(project.config.rankers), project.queries(), untold)
        write_documents(base / "pulled.jsonl", pulled.documents.values())
        part = base / "runs.part"
        part.mkdir(exist_ok=True)
        for run in pulled.runs:
            write_run(part / f"{run.ranker}.run", run)
        part.rename(runs)
    found = [read_run(path) for path in sorted(runs.glob("*.run"))]
    documents = read_corpus(base / "pulled.jsonl")
    return pool(found, read_queries(base / "queries.jsonl"), documents, 10)


def sample(pairs: Sequence[Pair], least: int, seed: int) -> list[Pair]:
    """Pairs of whole queries, drawn until there are `least`: some tools take a query at a time."""
    by_query: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_query.setdefault(pair.query.id, []).append(pair)
    order = np.random.default_rng(seed).permutation(sorted(by_query))
    drawn: list[Pair] = []
    for query in order:
        if len(drawn) >= least:
            break
        drawn += by_query[query]
    return drawn


class Shown:
    """A document as the built-in labeler's template shows it, as text."""

    def __init__(self) -> None:
        folder = open_folder(folder_of("builtin", Path()))
        self.manifest = folder.manifest
        self.tokenizer = Tokenizer.from_file(str(folder.path / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def text(self, pair: Pair) -> Text:
        return Text(pair.query.text, self.document(pair.document))

    def document(self, document: Document) -> str:
        roles = [(role, label) for role, label in self.manifest.fields if role in document.fields]
        parts = [
            label + self.cut(document.fields[role], self.manifest.max_tokens[role])
            for role, label in roles
        ]
        return "\n".join(parts)

    def cut(self, text: str, tokens: int) -> str:
        """The longest beginning of at most so many tokens that ends between words."""
        found = self.tokenizer.encode(text, add_special_tokens=False)
        if len(found.ids) <= tokens:
            return text
        last = found.words[tokens]
        end = next(i for i, word in enumerate(found.words) if word == last)
        return text[: found.offsets[end - 1][1]]

    def length(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)


def of_length(pairs: Iterable[Pair], tokens: int) -> list[Text]:
    """The pairs cut, or gone on with, to this many tokens, special ones counted.

    A document that is too short goes on from its beginning. Nothing is left to truncate or pad,
    so that each tool computes exactly the same.
    """
    shown = Shown()
    texts: list[Text] = []
    for pair in pairs:
        query = shown.cut(pair.query.text, tokens // 2)
        room = tokens - FRAME - shown.length(query)
        whole = shown.document(pair.document)
        while shown.length(whole) < room:
            whole += "\n" + whole
        document = shown.cut(whole, room)
        document += f" {FILLER}" * (room - shown.length(document))
        texts.append(Text(query, document))
    return texts


def write_texts(path: Path, texts: Iterable[Text]) -> None:
    path.write_text(json.dumps([asdict(text) for text in texts]), encoding="utf-8")


def read_texts(path: Path) -> list[Text]:
    return [Text(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
