"""A query before the screens, and which kinds of it a document can have."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.settings import Kind

__all__ = ["ASKED", "Draft", "acronyms", "file_stem", "kinds_of", "misspelt", "seeded", "slots_of"]

ASKED: Mapping[Kind, str] = {
    "topic": "two to five words on what it is about",
    "question": "a short question that the document answers",
    "author": "its author's name, or a part of it, with a word or two on the subject",
    "file_name": "what somebody remembers of its file's name, without the ending",
    "folder": "the name of its folder or team, with a word or two on the subject",
    "acronym": "an acronym such as {acronym}, with a word or two on the subject",
}
"""What a query of each kind is, as a model is told; a typing error is put into a topic query."""
ACRONYM = re.compile(r"\b(?=[A-Z0-9&-]*[A-Z][A-Z0-9&-]*[A-Z])[A-Z][A-Z0-9&-]{1,9}\b")
LONGEST_ACRONYM = 5
"""Letters of one without digits: a longer word in capitals is more often meant to be loud."""
NAME = re.compile(r"\b[A-Z][a-z]+(?:[ -](?:of|and|for|the|[A-Z][a-z]+))*[ -][A-Z][a-z]+\b")
SMALL = {"of", "and", "for", "the", "The"}
INITIALS = 3
"""Capitalized words from which a name has an acronym that somebody might type."""
READ = 20_000
NAMELESS = re.compile(r"(?i)(index|readme|untitled|default|document|page|file|new|scan)?[\W\d_]*")
EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
SHORTEST_MISSPELT = 4


@dataclass(frozen=True)
class Draft:
    """A query that the screens have not seen.

    Attributes:
        slot: place among the queries wanted of its document, from 1.
        text: as typed.
        meant: `text` without the typing error that was put in; None where there is none.
    """

    slot: int
    kind: Kind
    text: str
    meant: str | None = None

    @property
    def intended(self) -> str:
        return self.meant or self.text


def seeded(seed: int, *parts: str) -> random.Random:
    """Random numbers that depend on the seed and these texts alone."""
    text = "\n".join((str(seed), *parts)).encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.sha256(text).digest()[:8]))


def slots_of(document: Document, kinds: Sequence[Kind], count: int, seed: int) -> tuple[Kind, ...]:
    """The kinds of the `count` queries wanted of a document, in the order of `kinds`.

    Each kind that the document can have comes as often as another, give or take one; which come
    once more depends on the seed and the document's id, not on the documents beside it.
    """
    known = kinds_of(document)
    possible: list[Kind] = [kind for kind in kinds if kind in known]
    if not possible:
        return ()
    whole, rest = divmod(count, len(possible))
    more = seeded(seed, "kinds", document.id).sample(possible, rest)
    return tuple(kind for kind in possible for _ in range(whole + (kind in more)))


def kinds_of(document: Document) -> set[Kind]:
    """What one can know of the document, and search it by."""
    kinds: set[Kind] = {"topic", "question", "typo"}
    if document.fields.get("author"):
        kinds.add("author")
    if file_stem(document):
        kinds.add("file_name")
    if document.fields.get("folder_path", "").strip("/\\ "):
        kinds.add("folder")
    if acronyms(document):
        kinds.add("acronym")
    return kinds


def file_stem(document: Document) -> str:
    """The file's name without folders and extension; empty for one that names nothing."""
    name = re.split(r"[/\\]", document.fields.get("file_name", "").partition("\n")[0].strip())[-1]
    stem = EXTENSION.sub("", name)
    return "" if NAMELESS.fullmatch(stem) else stem


def acronyms(document: Document) -> tuple[str, ...]:
    """Acronyms in title and body, most frequent first, then the initials of names in them."""
    text = "\n".join(document.fields.get(role, "")[:READ] for role in ("title", "body"))
    plain = set(re.findall(r"\b[a-z]+\b", text))
    written = Counter(a for a in ACRONYM.findall(text) if is_acronym(a, plain))
    names = Counter(initials(match) for match in NAME.findall(text))
    ordered = sorted(written, key=lambda a: (-written[a], a))
    made = sorted((n for n in names if n and n not in written), key=lambda n: (-names[n], n))
    return (*ordered, *made)


def is_acronym(word: str, plain: set[str]) -> bool:
    """Not a word that the document holds in small letters too, or that is merely loud."""
    digits = any(c.isdigit() for c in word)
    return word.lower() not in plain and (digits or len(word) <= LONGEST_ACRONYM)


def initials(name: str) -> str:
    letters = "".join(word[0] for word in re.split(r"[ -]", name) if word not in SMALL)
    return letters if len(letters) >= INITIALS else ""


def misspelt(text: str, seed: int) -> str | None:
    """The text with one letter swapped with the next, dropped, or doubled; None if it has no word
    of four letters or more. The first letter of a word stays: people rarely miss it."""
    random = seeded(seed, "typo", text)
    spans = [m.span() for m in re.finditer(r"[^\W\d_]+", text)]
    long = [(start, end) for start, end in spans if end - start >= SHORTEST_MISSPELT]
    if not long:
        return None
    start, end = random.choice(long)
    places = list(range(start + 1, end - 1))
    random.shuffle(places)
    edits = random.sample(("swap", "drop", "double"), 3)
    tries = (edited(text, place, edit) for edit in edits for place in places)
    return next((tried for tried in tries if tried != text), None)


def edited(text: str, place: int, edit: str) -> str:
    before, letter, after = text[:place], text[place], text[place + 1 :]
    if edit == "swap":
        return before + after[0] + letter + after[1:]
    return before + (letter * 2 if edit == "double" else "") + after
