"""From queries and documents to token ids, by the labeler's own template."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.labelers.manifest import Manifest

__all__ = ["TextTokens"]

SPECIAL = re.compile(r"\[\w+\]|<[^<>\s]+>")
"""A text that is one special token and nothing else."""
GAP = re.compile(r"\s{32,}")
"""A run of white space as spreadsheets and pages leave it; shorter ones stay as they are."""
CHARACTERS_PER_TOKEN = 12
"""No more than cap x this many characters of a field are tokenized: megabytes cost little."""


class TextTokens:
    """Token ids of queries and documents, without special tokens, each part cut to its cap.

    Raises LabelerError if `tokenizer.json` cannot be read.
    """

    def __init__(self, path: Path, manifest: Manifest):
        try:
            library = cast(Any, Tokenizer)  # only some versions of it have whole types
            self.tokenizer: Any = library.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise LabelerError(f"not a tokenizer: {error}", where=str(path)) from None
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        # a document that holds "[SEP]" or "<|im_end|>" must not end what the model reads
        self.tokenizer.encode_special_tokens = True
        self.manifest = manifest
        self.separator = self.plain("\n")
        self.prefix = lru_cache(self.plain)

    def query(self, text: str) -> list[int]:
        return self.capped("query", text)

    def document(self, document: Document) -> list[int]:
        """The template's fields in order; empty if the document has none of them."""
        ids: list[int] = []
        for role, label in self.manifest.fields:
            text = document.fields.get(role)
            if text:
                ids += self.separator if ids else []
                ids += self.prefix(label) if label else []
                ids += self.capped(role, text)
        return ids

    def capped(self, part: str, text: str) -> list[int]:
        cap = self.manifest.max_tokens.get(part, 64)
        most = cap * CHARACTERS_PER_TOKEN
        if len(text) > most:  # blanks, hardly ever tokens, would take up these characters
            text = GAP.sub(" ", text)
        return self.plain(text[:most])[:cap]

    def plain(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def framing(self, text: str) -> list[int]:
        """Token ids of words of our own, in which special tokens are what they say.

        Raises LabelerError for a special token that the vocabulary lacks.
        """
        self.tokenizer.encode_special_tokens = False
        try:
            ids = self.plain(text)
        finally:
            self.tokenizer.encode_special_tokens = True
        return [self.special(text)] if SPECIAL.fullmatch(text) else ids

    def special(self, token: str) -> int:
        """The id of a special token. Raises LabelerError if the vocabulary lacks it."""
        found: int | None = self.tokenizer.token_to_id(token)
        if found is None:
            raise LabelerError(f"the tokenizer has no {token}", where=self.manifest.name)
        return found
