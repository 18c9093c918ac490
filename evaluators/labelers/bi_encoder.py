"""Grades from the encodings of query and document: each text is encoded once, however many pairs
it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelers.features import TextEncoding, pair_features, text_encoding
from relevance_eval.evaluators.labelers.framing import NO_QUERY, NO_TEXT
from relevance_eval.evaluators.labelers.manifest import LabelerFolder
from relevance_eval.evaluators.labelers.session import Input, Session
from relevance_eval.evaluators.labelers.text import TextTokens
from relevance_eval.evaluators.pair import Pair

__all__ = ["BiEncoder"]


class BiEncoder:
    """A sentence encoder in ONNX and an ordinal head; implements the Labeler protocol.

    Raises LabelerError if the files do not fit together.
    """

    def __init__(self, folder: LabelerFolder, threads: int = 0):
        self.name = folder.manifest.name
        self.fingerprint = folder.fingerprint
        self.cuts = folder.manifest.cuts
        self.head = folder.manifest.ordinal_head()
        self.tokens = TextTokens(folder.path / "tokenizer.json", folder.manifest)
        self.session = Session(folder.path / "model.onnx", folder.manifest.output, threads)
        self.opening = [self.tokens.special("[CLS]")]
        self.closing = [self.tokens.special("[SEP]")]

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        """Documents are encoded batch by batch, and all their pairs graded before the next."""
        texts = list(dict.fromkeys(p.query.text for p in pairs))
        encoded = self.encode([self.tokens.query(t) for t in texts])
        queries = {texts[i]: encoding for i, encoding in encoded}
        positions: dict[str, list[int]] = {}
        for position, pair in enumerate(pairs):
            positions.setdefault(pair.document.content_hash, []).append(position)
        groups = list(positions.values())
        contents = [self.tokens.document(pairs[group[0]].document) for group in groups]
        for place, ids in enumerate(contents):
            if not ids:
                refusal = Judgment.refused(self.fingerprint, NO_TEXT)
                yield from ((position, refusal) for position in groups[place])
        for place, encoding in self.encode(contents):
            for position in groups[place]:
                yield position, self.judge(queries.get(pairs[position].query.text), encoding)

    def encode(self, texts: Sequence[Sequence[int]]) -> Iterator[tuple[int, TextEncoding]]:
        """Yields (position, encoding) for each text that is not empty, shortest first."""
        filled = [i for i, ids in enumerate(texts) if ids]
        inputs = [self.input(texts[i]) for i in filled]
        for batch, states in self.session.outputs(inputs):
            if states.ndim != 3:
                raise LabelerError(
                    f"the output has {states.ndim} axes where batch, tokens and width are needed",
                    where=self.name,
                    remedy="name the output of token states in labeler.json",
                )
            for row, i in enumerate(batch):
                ids = np.asarray(inputs[i].ids, dtype=np.int64)
                yield filled[i], text_encoding(ids, states[row, : len(ids)])

    def input(self, ids: Sequence[int]) -> Input:
        framed = [*self.opening, *ids, *self.closing]
        return Input(framed, [0] * len(framed))

    def judge(self, query: TextEncoding | None, document: TextEncoding) -> Judgment:
        if query is None:
            return Judgment.refused(self.fingerprint, NO_QUERY)
        features = pair_features(self.head.features, query, document)
        probabilities = self.head.probabilities(features[np.newaxis])[0]
        if not np.isfinite(probabilities).all():
            return Judgment.failed(self.fingerprint, "the model's answer is not a number")
        return Judgment.with_cuts(self.fingerprint, probabilities.tolist(), self.cuts)
