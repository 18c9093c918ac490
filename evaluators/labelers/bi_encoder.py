"""Grades from the encodings of query and document: each text is encoded once, however many pairs
it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.labelers.encodings import Encodings
from relevance_eval.evaluators.labelers.features import TextEncoding, pair_features, text_encoding
from relevance_eval.evaluators.labelers.framing import NO_QUERY, NO_TEXT
from relevance_eval.evaluators.labelers.manifest import LabelerFolder
from relevance_eval.evaluators.labelers.session import Input, Session
from relevance_eval.evaluators.labelers.text import TextTokens
from relevance_eval.evaluators.pair import Pair

__all__ = ["BiEncoder"]


class BiEncoder:
    """A sentence encoder in ONNX and an ordinal head; implements the Labeler protocol.

    Args:
        exact: not by OpenVINO, also where that is faster.

    Raises LabelerError if the files do not fit together.
    """

    def __init__(self, folder: LabelerFolder, threads: int = 0, exact: bool = False):
        self.name = folder.manifest.name
        self.cuts = folder.manifest.cuts
        self.head = folder.manifest.ordinal_head()
        self.tokens = TextTokens(folder.path / "tokenizer.json", folder.manifest)
        self.session = Session(folder.model, folder.manifest.output, threads, exact)
        self.arithmetic = self.session.arithmetic
        self.fingerprint = folder.fingerprint_in(self.arithmetic)
        self.read = Encodings()
        before, _, after = folder.manifest.frame
        self.opening, self.closing = self.tokens.framing(before), self.tokens.framing(after)
        self.first = folder.manifest.pooling == "first"
        prefixes = folder.manifest.prefixes or {}
        # A space at the end would be a token of its own to tokenizers that mark where words begin.
        self.before_query = self.tokens.plain(prefixes.get("query", "").rstrip())
        self.before_document = self.tokens.plain(prefixes.get("document", "").rstrip())

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        for position, found in self.features(pairs):
            yield position, self.judge(found)

    def features(
        self, pairs: Sequence[Pair]
    ) -> Iterator[tuple[int, npt.NDArray[np.float64] | str]]:
        """Yields (position, the features that the head sees, float64 [features]; or why the pair
        cannot be read).

        Documents are encoded batch by batch, and all their pairs yielded before the next.
        """
        texts = list(dict.fromkeys(p.query.text for p in pairs))
        encoded = self.encode([self.query(t) for t in texts])
        queries = {texts[i]: encoding for i, encoding in encoded}
        positions: dict[str, list[int]] = {}
        for position, pair in enumerate(pairs):
            positions.setdefault(pair.document.content_hash, []).append(position)
        groups = list(positions.values())
        contents = [self.document(pairs[group[0]]) for group in groups]
        for place, ids in enumerate(contents):
            if not ids:
                yield from ((position, NO_TEXT) for position in groups[place])
        for place, document in self.encode(contents):
            for position in groups[place]:
                query = queries.get(pairs[position].query.text)
                if query is None:
                    yield position, NO_QUERY
                else:
                    yield position, pair_features(self.head.features, query, document)

    def query(self, text: str) -> list[int]:
        """Token ids with the prefix; none of a text that has none of its own."""
        ids = self.tokens.query(text)
        return [*self.before_query, *ids] if ids else []

    def document(self, pair: Pair) -> list[int]:
        ids = self.tokens.document(pair.document)
        return [*self.before_document, *ids] if ids else []

    def encode(self, texts: Sequence[Sequence[int]]) -> Iterator[tuple[int, TextEncoding]]:
        """Yields (position, encoding) for each text that is not empty: those that were read lately,
        then the others, shortest first."""
        unread: list[int] = []
        for i, ids in enumerate(texts):
            known = self.read.get(ids)
            if known is not None:
                yield i, known
            elif ids:
                unread.append(i)
        inputs = [self.input(texts[i]) for i in unread]
        for batch, states in self.session.outputs(inputs):
            if states.ndim != 3:
                raise LabelerError(
                    f"the output has {states.ndim} axes where batch, tokens and width are needed",
                    where=self.name,
                    remedy="name the output of token states in labeler.json",
                )
            for row, i in enumerate(batch):
                encoding = self.encoding(inputs[i].ids, states[row])
                self.read.put(texts[unread[i]], encoding)
                yield unread[i], encoding

    def encoding(self, ids: Sequence[int], states: npt.NDArray[np.float32]) -> TextEncoding:
        """Of one text's ids from its states, shape [tokens and padding, width]."""
        found = text_encoding(np.asarray(ids, dtype=np.int64), states[: len(ids)])
        return replace(found, embedding=found.states[0]) if self.first else found

    def input(self, ids: Sequence[int]) -> Input:
        framed = [*self.opening, *ids, *self.closing]
        return Input(framed, [0] * len(framed))

    def judge(self, found: npt.NDArray[np.float64] | str) -> Judgment:
        if isinstance(found, str):
            return Judgment.refused(self.fingerprint, found)
        probabilities = self.head.probabilities(found[np.newaxis])[0]
        if not np.isfinite(probabilities).all():
            return Judgment.failed(self.fingerprint, "the model's answer is not a number")
        return Judgment.with_cuts(self.fingerprint, probabilities.tolist(), self.cuts)
