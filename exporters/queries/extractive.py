"""Queries made of a document's own words, where no language model is at hand."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.queries.draft import Draft, acronyms, file_stem, misspelt, seeded
from relevance_eval.exporters.queries.vocabulary import Vocabulary, chunks, stem, words
from relevance_eval.exporters.settings import Kind

__all__ = ["EXTRACTIVE", "extract", "key_phrase", "key_terms", "short_title"]

EXTRACTIVE = "extractive"
"""Who wrote these queries, in their tag `by`."""
READ = 20_000
"""Characters of a body that terms are looked for in."""
TERMS = 8
FEWEST = 3
"""Terms of the index below which the document's own frequencies decide."""
LINKS = re.compile(r"\]\([^)\s]*\)|https?://\S+|\{\{.*?\}\}|<[^<>\n]*>")
"""Addresses and markup, whose words are not the document's."""
SENTENCE = re.compile(r"[.!?;:,()\[\]|\n]+(?=\s|$)|\n")


def extract(
    document: Document,
    slots: Sequence[Kind],
    vocabulary: Vocabulary,
    terms: Mapping[str, float],
    seed: int,
) -> list[Draft]:
    """A query for each slot that the document's words suffice for.

    Args:
        slots: kinds wanted; a question cannot be made of a document's words.
        terms: scores of the index's significant terms for this document; may be empty.
    """
    keys = key_terms(document, vocabulary, terms)
    writer = Writer(document, keys, vocabulary, terms, seed)
    made: Counter[Kind] = Counter()
    drafts: list[Draft] = []
    for slot, kind in enumerate(slots, start=1):
        variants = writer.variants(kind)
        place = made[kind] + (slots.count("topic") if kind == "typo" else 0)
        made[kind] += 1
        if not variants or (kind != "typo" and place >= len(variants)):
            continue
        text = variants[place % len(variants)]
        wrong = misspelt(text, seed) if kind == "typo" else None
        if wrong:
            drafts.append(Draft(slot, kind, wrong, meant=text))
        elif kind != "typo":
            drafts.append(Draft(slot, kind, text))
    return drafts


class Writer:
    """Texts of each kind for one document, the best first."""

    def __init__(
        self,
        document: Document,
        keys: Sequence[str],
        vocabulary: Vocabulary,
        terms: Mapping[str, float],
        seed: int,
    ):
        self.document = document
        self.keys = keys
        self.vocabulary = vocabulary
        self.terms = terms
        self.random = seeded(seed, "extract", document.id)
        self.size = self.random.randint(2, 4)

    def variants(self, kind: Kind) -> list[str]:
        ways: dict[Kind, Callable[[], list[str]]] = {
            "topic": self.topics,
            "typo": self.topics,
            "author": self.authors,
            "file_name": self.file_names,
            "folder": self.folders,
            "acronym": self.acronyms,
        }
        found = ways[kind]() if kind in ways else []
        return list(dict.fromkeys(text for text in found if text))

    def topics(self) -> list[str]:
        title = short_title(self.document, self.vocabulary, self.size)
        phrase = key_phrase(self.document, self.vocabulary, self.keys)
        return [
            with_words(title, self.keys, 2) if len(chunks(title)) < 2 else title,
            with_words(phrase, self.keys, 3),
            " ".join(self.keys[:3]),
        ]

    def authors(self) -> list[str]:
        first = re.split(r"[,;&\n]", self.document.fields.get("author", ""))[0].strip().lower()
        parts = first.split()
        if not parts:
            return []
        surname = parts[-1] if parts[-1].isalpha() and len(parts[-1]) > 2 else first
        named = [surname, first] if self.random.random() < 0.5 else [first, surname]
        return self.each_with_keys(named)

    def file_names(self) -> list[str]:
        stemmed = file_stem(self.document)
        spaced = " ".join(words(stemmed))
        return [stemmed, spaced] if self.random.random() < 0.5 else [spaced, stemmed]

    def folders(self) -> list[str]:
        path = re.split(r"[/\\]", self.document.fields.get("folder_path", "").partition("\n")[0])
        names = [" ".join(words(part)) for part in path if words(part)]
        return self.each_with_keys([names[-1]] * 2) if names else []

    def acronyms(self) -> list[str]:
        return self.each_with_keys(acronyms(self.document)[:2])

    def each_with_keys(self, starts: Sequence[str]) -> list[str]:
        """Each of the texts with other terms of the subject."""
        return [
            with_words(start, self.keys[place:], len(chunks(start)) + 1 + place)
            for place, start in enumerate(starts)
        ]


def with_words(text: str, keys: Sequence[str], count: int) -> str:
    """The text, filled up to `count` chunks by terms that it does not hold yet."""
    held = {stem(word) for word in words(text)}
    new = [key for key in keys if not {stem(word) for word in words(key)} <= held]
    return " ".join([text, *new[: max(0, count - len(chunks(text)))]]).strip()


def short_title(document: Document, vocabulary: Vocabulary, count: int) -> str:
    """The rarest words of the title in their order, `count` or fewer, and never all of them."""
    found = list(dict.fromkeys(chunk.lower() for chunk in chunks(document.fields.get("title", ""))))
    weights = {chunk: vocabulary.chunk_weight(chunk) for chunk in found}
    telling = [chunk for chunk in found if weights[chunk] > 0]
    few = min(count, max(1, len(telling) - 1))
    rarest = sorted(telling, key=lambda chunk: (-weights[chunk], found.index(chunk)))[:few]
    return " ".join(chunk for chunk in telling if chunk in rarest)


def key_terms(document: Document, vocabulary: Vocabulary, terms: Mapping[str, float]) -> list[str]:
    """Words of the document that tell what it is about, as written most often, best first.

    By the index's significant terms, scored with ln(1 + times in the document); by frequency and
    rarity in the sample where the index names fewer than three of its words.
    """
    spelt: dict[str, Counter[str]] = {}
    for chunk in chunks(body_of(document)):
        if not any(c.isalpha() for c in chunk) or len(chunk) < 3 or len(chunk) > 30:
            continue
        if vocabulary.chunk_weight(chunk) > 0 and len(words(chunk)) == 1:
            spelt.setdefault(stem(words(chunk)[0]), Counter())[chunk.lower()] += 1
    scores = {stem(term): score for term, score in sorted(terms.items())}
    times = {key: math.log(1 + found.total()) for key, found in spelt.items()}
    ranked = {key: times[key] * scores[key] for key in spelt if key in scores}
    if len(ranked) < FEWEST:
        ranked = {key: times[key] * vocabulary.weight(key) for key in spelt}
    best = sorted(ranked, key=lambda key: (-ranked[key], key))[:TERMS]
    return [min(spelt[key], key=lambda s: (-spelt[key][s], s)) for key in best]


def key_phrase(document: Document, vocabulary: Vocabulary, keys: Sequence[str]) -> str:
    """Two neighbouring words of the body of which one at least is a key term and both tell
    something: the pair that is there most often, by the first key terms before others. Empty if
    there is none."""
    places = {key: place for place, key in enumerate(keys)}
    found: Counter[str] = Counter()
    for part in SENTENCE.split(body_of(document)):
        row = [chunk.lower() for chunk in chunks(part)]
        for one, two in pairwise(row):
            near = min(places.get(one, TERMS), places.get(two, TERMS))
            telling = min(vocabulary.chunk_weight(one), vocabulary.chunk_weight(two))
            if near < TERMS and telling > 0 and one != two and len(one) + len(two) <= 40:
                found[f"{one} {two}"] += 1
    if not found:
        return ""
    return min(
        found,
        key=lambda phrase: (-found[phrase], min(places.get(w, TERMS) for w in phrase.split())),
    )


def body_of(document: Document) -> str:
    """The body, or all fields of a document without one; no addresses, no markup."""
    text = document.fields.get("body") or "\n".join(document.fields.values())
    return LINKS.sub(" ", text[:READ])
