"""What a chat completion says, read from JSON that may be anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

__all__ = ["Position", "Reply", "Token", "one_line", "read_reply", "reply_of"]


class Token(NamedTuple):
    """A token that might have stood at a place, and the natural logarithm of its probability."""

    text: str
    logprob: float


class Position(NamedTuple):
    """A place in the answer: the token that stands there, and the likeliest for it."""

    token: str
    top: tuple[Token, ...]


@dataclass(frozen=True)
class Reply:
    """A model's answer. One of no use is a reply too: the caller counts it.

    Attributes:
        text: of the answer; empty if there is none.
        positions: of the answer's tokens, from the first, with their likeliest tokens; empty if
            the server gives no log-probabilities.
        refusal: why the model or a content filter will not answer, or None.
        problem: why the answer is of no use otherwise (not JSON, no choice, cut), or None.
        input_tokens, output_tokens: as the server counts them; None where it does not.
    """

    text: str = ""
    positions: tuple[Position, ...] = ()
    refusal: str | None = None
    problem: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def top(self) -> tuple[tuple[Token, ...], ...]:
        """The likeliest tokens of each place."""
        return tuple(position.top for position in self.positions)


def read_reply(content: str | bytes) -> Reply:
    """The answer in a response's body; a body that is none becomes a reply with a problem."""
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return Reply(problem="the server's answer is not JSON")
    return reply_of(body)


def reply_of(body: Any) -> Reply:
    usage = mapping(mapping(body).get("usage"))
    tokens: dict[str, Any] = {
        "input_tokens": count(usage.get("prompt_tokens")),
        "output_tokens": count(usage.get("completion_tokens")),
    }
    choices = listing(mapping(body).get("choices"))
    if not choices:
        return Reply(problem="the server's answer has no choice", **tokens)
    choice = mapping(choices[0])
    message = mapping(choice.get("message"))
    text, refusal = message.get("content"), message.get("refusal")
    if choice.get("finish_reason") == "content_filter":
        refusal = refusal or "a content filter stopped the answer"
    if isinstance(refusal, str) and refusal:
        return Reply(refusal=one_line(refusal), **tokens)
    if not isinstance(text, str) or not text.strip():
        cut = choice.get("finish_reason") == "length"
        problem = "the answer was cut before it began" if cut else "the answer is empty"
        return Reply(problem=problem, **tokens)
    places = listing(mapping(choice.get("logprobs")).get("content"))
    return Reply(text=text, positions=tuple(position_of(mapping(p)) for p in places), **tokens)


def position_of(place: Mapping[str, Any]) -> Position:
    tops = [mapping(t) for t in listing(place.get("top_logprobs"))]
    return Position(
        token_text(place),
        tuple(
            Token(token_text(t), logprob)
            for t in tops
            if (logprob := logarithm(t.get("logprob"))) is not None
        ),
    )


def logarithm(value: Any) -> float | None:
    """A finite number; None for what is none, or is too large to be one."""
    try:
        found = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def token_text(token: Mapping[str, Any]) -> str:
    """By its bytes where the server gives them: some write a token's name instead of its text."""
    codes = listing(token.get("bytes"))
    if codes and all(isinstance(c, int) and 0 <= c < 256 for c in codes):
        return bytes(codes).decode("utf-8", "replace")
    text = token.get("token")
    return text if isinstance(text, str) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """A count of tokens; None for what is none."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None


def one_line(text: str, width: int = 200) -> str:
    """Words of a server, which may be anything, half a character too, for a message."""
    whole = text[: 4 * width].encode("utf-8", "replace").decode()
    return " ".join(whole.split())[:width]
