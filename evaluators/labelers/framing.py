"""From a pair to the token ids that a model reads together: the same in training and labelling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relevance_eval.evaluators.labelers.manifest import Manifest
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.evaluators.labelers.text import TextTokens
from relevance_eval.evaluators.pair import Pair

__all__ = ["NO_QUERY", "NO_TEXT", "PairFrame"]

NO_TEXT = "the document has no text in the fields that this labeler reads"
NO_QUERY = "the query has no text that this labeler reads"


class PairFrame:
    """Sets query and document into the manifest's frame: what stands before, between and after.

    The frame may hold special tokens, the query and the document cannot: what looks like one in
    them is plain text.

    Raises LabelerError if `tokenizer.json` cannot be read, or lacks a token of the frame.
    """

    def __init__(self, tokenizer: Path, manifest: Manifest):
        self.tokens = TextTokens(tokenizer, manifest)
        before, between, after = (self.tokens.framing(part) for part in manifest.frame)
        self.before, self.between, self.after = before, between, after

    def input(self, pair: Pair) -> Input | str:
        """What the model reads, or why there is nothing to read."""
        query = self.tokens.query(pair.query.text)
        document = self.tokens.document(pair.document)
        if not document:
            return NO_TEXT
        return self.framed(query, document) if query else NO_QUERY

    def framed(self, query: Sequence[int], document: Sequence[int]) -> Input:
        """Segment 0 to the end of `between`, 1 from there: as BERT numbers a pair."""
        first = [*self.before, *query, *self.between]
        second = [*document, *self.after]
        return Input(first + second, [0] * len(first) + [1] * len(second))
