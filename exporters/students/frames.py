"""How a base model wants to be shown a pair: its frame, its grade tokens, its share of tokens."""

# Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer

from relevance_eval.errors import LabelerError, UsageError
from relevance_eval.evaluators.judgment import GRADES

__all__ = ["FIELDS", "Frame", "chat_frame", "grade_tokens", "pair_frame", "positions", "shares"]

Frame = tuple[str, str, str]
"""What stands before the query, between query and document, and after the document."""

FIELDS = [
    ("title", "title: "),
    ("author", "author: "),
    ("file_name", "file: "),
    ("folder_path", "path: "),
    ("body", ""),
]
"""The fields of a document in the order shown, each with its label."""
CAPS = {"query": 48, "title": 32, "author": 8, "file_name": 16, "folder_path": 16}
LEAST_BODY = 16
BODY = 0.4
"""Share of the text that is the body's at least, where there is little room."""
SCALE = (
    "You grade search results. Read the query and the document, and answer with one digit: "
    "0 irrelevant, 1 related, 2 highly relevant, 3 perfectly relevant."
)
QUERY, DOCUMENT = "QUERYSTANDSHERE", "DOCUMENTSTANDSHERE"
ASKED = f"Query: {QUERY}\nDocument: {DOCUMENT}"


def shares(max_tokens: int, overhead: int) -> dict[str, int]:
    """Caps of the query and of each field, that add up to max_tokens with the overhead.

    The body has what the others leave; where that is little, all of them shrink alike.

    Args:
        overhead: tokens of the frame, the labels, and the separators.

    Raises:
        UsageError: nothing is left for the text.
    """
    room = max_tokens - overhead
    least = len(CAPS) + LEAST_BODY
    if room < least:
        raise UsageError(
            f"max_tokens = {max_tokens} leaves {room} for query and document, "
            f"of which {overhead} are the frame's; {least} are needed",
            where="[training.train] max_tokens",
            remedy=f"set {overhead + least} or more",
        )
    part = min(1.0, (1 - BODY) * room / sum(CAPS.values()))
    caps = {name: max(1, int(cap * part)) for name, cap in CAPS.items()}
    return caps | {"body": room - sum(caps.values())}


def pair_frame(tokenizer: Tokenizer) -> Frame:
    """The special tokens that the tokenizer itself sets around a pair, as text.

    One that knows single texts only has what it sets after a text between the two as well.

    Raises LabelerError if it sets none.
    """
    both = specials(tokenizer, "a", "b")
    if not any(both):
        before, _, after = specials(tokenizer, "a", None)
        both = before, after, after
    if not any(both):
        raise LabelerError(
            "the tokenizer sets no special tokens around a pair, as an encoder's does",
            remedy='choose an encoder as the base, or kind = "decoder"',
        )
    return both


def specials(tokenizer: Tokenizer, first: str, second: str | None) -> Frame:
    """Special tokens before the first text, between the two, and at the end."""
    encoding = tokenizer.encode(first, second)
    found: list[list[str]] = [[], [], []]
    place = 0
    for token, text in zip(encoding.tokens, encoding.sequence_ids, strict=True):
        if text is None:
            found[place].append(token)
        else:
            place = 1 if text == 0 and second is not None else 2
    before, between, after = ("".join(tokens) for tokens in found)
    return before, between, after


def chat_frame(chat: Any) -> Frame:
    """The frame of a causal model: its chat template up to the answer, or plain words.

    Args:
        chat: a tokenizer of `transformers`.

    Raises:
        LabelerError: the template does not show query and document once, in this order.
    """
    text = f"{SCALE}\n{ASKED}\nGrade:"
    if getattr(chat, "chat_template", None):
        text = rendered(chat)
    elif chat.bos_token and chat.bos_token_id in chat("a")["input_ids"]:
        text = chat.bos_token + text
    before, _, rest = text.partition(QUERY)
    between, _, after = rest.partition(DOCUMENT)
    if text.count(QUERY) != 1 or text.count(DOCUMENT) != 1 or not after:
        raise LabelerError("the chat template does not show query and document once, in order")
    return before, between, after


def rendered(chat: Any) -> str:
    """Some templates know no system's turn: what it would say then opens the user's."""
    apart = [{"role": "system", "content": SCALE}, {"role": "user", "content": ASKED}]
    at_once = [{"role": "user", "content": f"{SCALE}\n\n{ASKED}"}]
    options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True}
    try:
        text = chat.apply_chat_template(apart, **options)
    except Exception:  # a template raises what it likes
        text = ""
    return text if SCALE in text else chat.apply_chat_template(at_once, **options)


def grade_tokens(tokenizer: Tokenizer, frame: Frame) -> tuple[Frame, tuple[int, ...]]:
    """The one token of each grade after the frame, and the frame, perhaps ending in a space.

    Raises LabelerError if the tokenizer has no such tokens.
    """
    before, between, after = frame
    for end, space in ((after, ""), (after, " "), (after + " ", "")):
        ids = tuple(next_token(tokenizer, end, f"{space}{grade}") for grade in GRADES)
        if None not in ids and len(set(ids)) == len(GRADES):
            return (before, between, end), tuple(i for i in ids if i is not None)
    raise LabelerError(
        "the tokenizer has no single token for each of the grades 0 to 3",
        remedy="choose another base model for the decoder",
    )


def next_token(tokenizer: Tokenizer, before: str, text: str) -> int | None:
    """The token that `text` adds, if it is one and leaves the tokens before it as they were."""
    start = tokenizer.encode(before, add_special_tokens=False).ids
    whole = tokenizer.encode(before + text, add_special_tokens=False).ids
    return whole[-1] if whole[:-1] == start else None


def positions(config: Mapping[str, Any]) -> int | None:
    """The longest input that the model's position embeddings allow; None if it does not say."""
    limit = config.get("max_position_embeddings")
    if not isinstance(limit, int):
        return None
    return limit - 2 if "roberta" in str(config.get("model_type")) else limit
