"""Which blocks the encoder sees, and the texts behind them."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.exporters.builtin.calibrate import query_folds
from relevance_eval.exporters.builtin.corpora import Corpus, Qrels, read_corpus, read_qrels
from relevance_eval.exporters.builtin.encoder import Lower, load_encoder, lower_states
from relevance_eval.exporters.builtin.finetune import Settings, finetune
from relevance_eval.exporters.builtin.rendering import Renderer
from relevance_eval.exporters.builtin.steps import (
    Block,
    TextKey,
    article_blocks,
    entity_blocks,
    judged_blocks,
    lone_blocks,
)

__all__ = ["GRADED", "Library", "Recipe", "train_encoder"]

_LOG = logging.getLogger(__name__)
GRADED = ("dl20", "liveqa")
"""Collections with grades 0-3 by people: for training, the head, and held-out figures."""
_OTHERS = ("squad2", "medquad", "pubmedqa")
_TEACHERS = ("gpt-4o", "llama3.2", "mistral")
_FIELD_DROPS = 0.1  # chance that a title or other field is left out of a training text
EVERYTHING = -1
"""As a fold: hold nothing out."""


@dataclass(frozen=True)
class Recipe:
    """What one training run consists of.

    share: weight of the teachers' grades in the targets of dl20, 0 to 1. articles, entities,
    lone: blocks of squad2, medquad and pubmedqa. folds: parts that the queries are cut into.
    """

    settings: Settings = field(default_factory=Settings)
    share: float = 0.4
    articles: int = 40
    entities: int = 30
    lone: int = 12
    folds: int = 2


class Library:
    """The collections and the lower states of their texts, each computed once.

    data: the folder of the collections. base: the encoder's folder.
    """

    def __init__(self, data: Path, base: Path) -> None:
        self.data = data
        self.encoder = load_encoder(base)
        self.renderer = Renderer.from_file(base / "tokenizer.json")
        self._corpora: dict[str, Corpus] = {}
        self._lower: dict[TextKey, Lower] = {}

    def corpus(self, name: str) -> Corpus:
        """The collection of that name, read once."""
        if name not in self._corpora:
            self._corpora[name] = read_corpus(self.data / name)
        return self._corpora[name]

    def teachers(self) -> list[Qrels]:
        """What the three language models answered for dl20."""
        return [read_qrels(self.data / "dl20" / f"judged-by-{name}.txt") for name in _TEACHERS]

    def lower(self, keys: Sequence[TextKey]) -> Mapping[TextKey, Lower]:
        """The lower states of the texts, with all their fields."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._lower]
        if missing:
            ids = [self._ids(key, ()) for key in missing]
            self._lower.update(zip(missing, lower_states(self.encoder, ids), strict=True))
        return {key: self._lower[key] for key in keys}

    def forget(self, collection: str) -> None:
        """Free the memory of one collection's texts."""
        self._lower = {key: value for key, value in self._lower.items() if key[0] != collection}

    def varied(self, keys: Sequence[TextKey], rng: np.random.Generator) -> dict[TextKey, Lower]:
        """Lower states for training: of the collections other than GRADED, each field but the
        body is dropped with a chance of 0.1."""
        store = dict(self.lower([key for key in keys if key[0] in GRADED]))
        others = [key for key in keys if key[0] not in GRADED]
        ids = [self._ids(key, self._drops(key, rng)) for key in others]
        store.update(zip(others, lower_states(self.encoder, ids), strict=True))
        return store

    def _drops(self, key: TextKey, rng: np.random.Generator) -> list[str]:
        if key[1] == "q":
            return []
        fields = self.corpus(key[0]).documents[key[2]]
        return [name for name in fields if name != "body" and rng.random() < _FIELD_DROPS]

    def _ids(self, key: TextKey, drop: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        corpus = self.corpus(key[0])
        if key[1] == "q":
            return self.renderer.query(corpus.queries[key[2]])
        return self.renderer.document(corpus.documents[key[2]], drop)


def split(corpus: Corpus, fold: int, folds: int, seed: int) -> tuple[list[str], list[str]]:
    """The queries to train on and those held out as `fold` (none for EVERYTHING)."""
    names = list(corpus.qrels)
    of_query = query_folds(len(names), folds, seed)
    train = [name for name, own in zip(names, of_query, strict=True) if own != fold]
    held_out = [name for name, own in zip(names, of_query, strict=True) if own == fold]
    return train, held_out


def _blocks(
    library: Library, recipe: Recipe, fold: int, seed: int, rng: np.random.Generator
) -> list[Block]:
    """All training blocks, in random order, without the held-out fold's queries."""
    blocks: list[Block] = []
    for name in GRADED:
        corpus = library.corpus(name)
        train, _ = split(corpus, fold, recipe.folds, seed)
        teachers = library.teachers() if name == "dl20" else []
        share = recipe.share if name == "dl20" else 0.0
        blocks += judged_blocks(corpus, train, teachers, share, rng)
    articles, entities, lone = (library.corpus(name) for name in _OTHERS)
    blocks += article_blocks(articles, recipe.articles, rng)
    blocks += entity_blocks(entities, recipe.entities, rng)
    blocks += lone_blocks(lone, recipe.lone, 12, rng)
    return [blocks[index] for index in rng.permutation(len(blocks))]


def train_encoder(library: Library, recipe: Recipe, fold: int, seed: int, work: Path) -> BertModel:
    """The encoder trained without `fold`; kept in `work` and taken from there if present."""
    folder = work / f"encoder-{'final' if fold == EVERYTHING else fold}"
    if (folder / "config.json").exists():
        _LOG.info("taking the encoder of %s", folder)
        return load_encoder(folder)
    rng = np.random.default_rng(seed)
    blocks = _blocks(library, recipe, fold, seed, rng)
    keys = list(dict.fromkeys(k for b in blocks for k in [*b.queries, *b.documents]))
    _LOG.info("fold %d: %d blocks, %d texts", fold, len(blocks), len(keys))
    store = library.varied(keys, rng)
    model = finetune(library.encoder, blocks, store, recipe.settings, seed)
    model.save_pretrained(str(folder))
    return model
