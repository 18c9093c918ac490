"""From the collections to what the encoders see in their pairs."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.features import TextEncoding
from relevance_eval.exporters.builtin.bm25 import Bm25
from relevance_eval.exporters.builtin.calibrate import query_folds
from relevance_eval.exporters.builtin.corpora import Corpus, read_corpus
from relevance_eval.exporters.builtin.encoder import base_folder, encode, load_encoder
from relevance_eval.exporters.builtin.encoders import FOLDS, Encoders
from relevance_eval.exporters.builtin.pairs import (
    Collection,
    Pairs,
    Triple,
    candidate_pairs,
    features_of,
    load_collection,
    save_collection,
)
from relevance_eval.exporters.builtin.rendering import Renderer

__all__ = ["GRADED", "Reader"]

_LOG = logging.getLogger(__name__)
GRADED = ("dl20", "liveqa")
"""Collections with grades 0-3 by people: for the encoder, the head, and held-out figures."""
_POOL = 40  # best documents of BM25 and of the cosine that join the judged ones


class Reader:
    """Reads collections and turns their pairs into features, with the published encoder and with
    the tuned ones.

    Args:
        data: the collections.
        work: features of pairs are kept there, and not computed again.
        seed: of the folds and of the tuning.
    """

    def __init__(self, data: Path, work: Path, seed: int) -> None:
        self.data, self.work, self.seed = data, work, seed
        self.renderer = Renderer.from_file(base_folder() / "tokenizer.json")
        self.encoders = Encoders(data, work, GRADED, self.renderer, seed)

    def corpus(self, name: str) -> Corpus:
        return read_corpus(self.data / name)

    def frozen(self, name: str, pooled: bool) -> Collection:
        """Judged pairs as the published encoder sees them; if pooled, with candidates that count
        as grade 0."""
        return self._kept(name, lambda: self._frozen(name, pooled))

    def held_out(self, name: str, part: Collection) -> Collection:
        """The same pairs, each as the encoder sees it that never saw a query of its fold."""

        def made() -> Collection:
            features = np.empty_like(part.pairs.features)
            for fold in range(FOLDS):
                rows = np.flatnonzero(part.of_pair() == fold)
                triples = [part.triples[row] for row in rows]
                own = self._pairs(self.corpus(name), triples, self.encoders.of_fold(fold))
                features[rows] = own.features
            return replace(part, pairs=replace(part.pairs, features=features))

        return self._kept(f"{name}-held-out", made)

    def shipped(self, name: str, part: Collection) -> Collection:
        """The same pairs as the shipped encoder sees them."""

        def made() -> Collection:
            pairs = self._pairs(self.corpus(name), part.triples, self.encoders.shipped())
            return replace(part, pairs=pairs)

        return self._kept(f"{name}-shipped", made)

    def _frozen(self, name: str, pooled: bool) -> Collection:
        corpus, encoder = self.corpus(name), load_encoder(base_folder())
        bm25 = Bm25({key: " ".join(doc.values()) for key, doc in corpus.documents.items()})
        judged = {document: None for _, document, _ in corpus.pairs()}
        queries = self._queries(corpus, corpus.qrels, encoder)
        documents = self._documents(corpus, corpus.documents if pooled else judged, encoder)
        triples: list[Triple] = (
            candidate_pairs(corpus, bm25, queries, documents, _POOL) if pooled else corpus.pairs()
        )
        lexical = bm25.pair_scores([(corpus.queries[q], document) for q, document, _ in triples])
        fold = query_folds(len(corpus.qrels), FOLDS, self.seed)
        return Collection(triples, features_of(triples, queries, documents), lexical, fold)

    def _pairs(self, corpus: Corpus, triples: Sequence[Triple], encoder: BertModel) -> Pairs:
        queries = self._queries(corpus, {query: None for query, _, _ in triples}, encoder)
        documents = self._documents(corpus, {name: None for _, name, _ in triples}, encoder)
        return features_of(triples, queries, documents)

    def _queries(
        self, corpus: Corpus, names: Iterable[str], encoder: BertModel
    ) -> dict[str, TextEncoding]:
        return encode(encoder, {n: self.renderer.query(corpus.queries[n]) for n in names})

    def _documents(
        self, corpus: Corpus, names: Iterable[str], encoder: BertModel
    ) -> dict[str, TextEncoding]:
        texts = {name: self.renderer.document(corpus.documents[name]) for name in names}
        _LOG.info("encoding %d documents of %s", len(texts), corpus.name)
        return encode(encoder, texts)

    def _kept(self, name: str, make: Callable[[], Collection]) -> Collection:
        path = self.work / f"{name}-seed-{self.seed}.npz"
        if not path.exists():
            save_collection(path, make())
        return load_collection(path)
