"""Turning queries and documents into token ids, by the project's document template."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

__all__ = ["FIELDS", "MAX_TOKENS", "Renderer"]

FIELDS: tuple[tuple[str, str], ...] = (
    ("title", "title: "),
    ("author", "author: "),
    ("file_name", "file: "),
    ("folder_path", "path: "),
    ("body", ""),
)
"""The fields of a document in rendering order, each with its label."""

MAX_TOKENS: Mapping[str, int] = {
    "query": 64,
    "title": 32,
    "author": 8,
    "file_name": 16,
    "folder_path": 16,
    "body": 192,
}
"""Cap of each text in wordpieces, without its label and the special tokens."""

_CHARACTERS_PER_TOKEN = 12  # text beyond cap * 12 characters is never tokenized


@dataclass(frozen=True)
class Renderer:
    """Renders texts with one tokenizer; `body_cap` may shorten bodies for training."""

    tokenizer: Tokenizer
    body_cap: int = MAX_TOKENS["body"]

    @classmethod
    def from_file(cls, path: Path, body_cap: int = MAX_TOKENS["body"]) -> Renderer:
        """Load tokenizer.json without any padding or truncation that is set in it."""
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(tokenizer, body_cap)

    def query(self, text: str) -> NDArray[np.int64]:
        """Token ids of a query, int64 [T], T <= 66."""
        return self._wrap(self._ids(text, MAX_TOKENS["query"]))

    def document(self, fields: Mapping[str, str], drop: Sequence[str] = ()) -> NDArray[np.int64]:
        """Token ids of a document, int64 [T], T <= 274, without the fields in `drop`.

        Label and text of a field are tokenized apart; only the text counts to its cap.
        """
        ids: list[int] = []
        for field, label in FIELDS:
            text = fields.get(field, "")
            if not text or field in drop:
                continue
            cap = self.body_cap if field == "body" else MAX_TOKENS[field]
            if label:
                ids += self._ids(label, len(label))
            ids += self._ids(text, cap)
        return self._wrap(ids)

    def _ids(self, text: str, cap: int) -> list[int]:
        cut = text[: cap * _CHARACTERS_PER_TOKEN]
        return self.tokenizer.encode(cut, add_special_tokens=False).ids[:cap]

    def _wrap(self, ids: Sequence[int]) -> NDArray[np.int64]:
        first = self.tokenizer.token_to_id("[CLS]")
        last = self.tokenizer.token_to_id("[SEP]")
        if first is None or last is None:
            raise ValueError("the tokenizer has no [CLS] and [SEP]")
        return np.array([first, *ids, last], dtype=np.int64)
