"""A text of strangers inside a prompt: it cannot end, nor speak for anybody else."""

from __future__ import annotations

import hashlib
import re
from itertools import count

__all__ = ["fenced", "harmless"]

OPENS = re.compile(r"<(?=[\w/|｜!])|\[(?=/?\w+\])")
"""What begins a special token or a turn in the chat templates of models: `<|im_end|>`, `</s>`,
`<start_of_turn>`, `[/INST]`, `[gMASK]`. Servers read such a token wherever it stands in a message.
"""
HEX = 12


def harmless(text: str) -> str:
    """The text with a space after whatever opens markup, so that no special token is left of it."""
    return OPENS.sub(r"\g<0> ", text)


def fenced(text: str) -> str:
    """The text, made harmless, between two equal lines that it cannot hold.

    The lines are made from the text's own hash: whoever writes a text cannot know them, since
    writing them into it changes them. The same text has the same fence.
    """
    inside = harmless(text)
    marks = (mark(inside, attempt) for attempt in count())
    line = next(m for m in marks if m not in inside)
    return f"=== {line} ===\n{inside}\n=== {line} ==="


def mark(text: str, attempt: int) -> str:
    digest = hashlib.sha256(f"{attempt} {text}".encode("utf-8", "replace"))
    return digest.hexdigest()[:HEX]
