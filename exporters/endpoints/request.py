"""What a language model is asked, as a chat completion has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Message", "Request"]

BYTES_PER_TOKEN = 3
"""Of UTF-8: a little fewer than text has on average, so that a reservation is seldom too small."""
TOKENS_PER_MESSAGE = 8


@dataclass(frozen=True)
class Message:
    """What one side says."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """What is asked of the model.

    Attributes:
        max_tokens: of the answer.
        temperature: 0 to 2.
        schema: JSON schema of the answer, an object's, sent as `response_format`; None for free
            text.
        logprobs: likeliest tokens wanted for each place of the answer, 0 to 20; 0 for none.
        seed: of the sampling, for servers that take one.
    """

    messages: Sequence[Message]
    max_tokens: int
    temperature: float
    schema: Mapping[str, Any] | None = None
    logprobs: int = 0
    seed: int | None = None

    @property
    def input_tokens(self) -> int:
        """An estimate that is seldom too low."""
        written = sum(len(m.content.encode("utf-8", "replace")) for m in self.messages)
        written += len(json.dumps(self.schema)) if self.schema else 0
        return written // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(self.messages)

    def body(self, model: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The body of a chat completion, without the optional parameters named."""
        wanted: dict[str, Any] = {"temperature": self.temperature}
        if self.schema:
            named = {"name": "answer", "strict": True, "schema": dict(self.schema)}
            wanted["response_format"] = {"type": "json_schema", "json_schema": named}
        if self.logprobs:
            wanted["top_logprobs"] = self.logprobs
        if self.seed is not None:
            wanted["seed"] = self.seed
        kept = {name: value for name, value in wanted.items() if name not in without}
        if "top_logprobs" in kept:
            kept["logprobs"] = True
        limit = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
        messages = [asdict(m) for m in self.messages]
        return {"model": model, "messages": messages, limit: self.max_tokens, **kept}
