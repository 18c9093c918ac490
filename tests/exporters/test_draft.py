"""Kinds of queries that a document can have, and typing errors."""

from __future__ import annotations

from collections import Counter

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.queries.draft import acronyms, file_stem, kinds_of, misspelt, slots_of
from relevance_eval.exporters.settings import Kind

KINDS: tuple[Kind, ...] = ("topic", "question", "author", "file_name", "folder", "acronym", "typo")
FULL = Document(
    "full",
    {
        "title": "Selka firmware",
        "author": "Ida Holm",
        "file_name": "selka_fw.pdf",
        "folder_path": "/Devices/",
        "body": "The OTA update.",
    },
)


def test_a_document_has_the_kinds_that_its_fields_allow() -> None:
    assert kinds_of(FULL) == set(KINDS)
    assert kinds_of(Document("bare", {"body": "about meters"})) == {"topic", "question", "typo"}
    assert "folder" not in kinds_of(Document("root", {"folder_path": "/", "body": "x"}))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("/a/b\\Plan_v2.1.docx", "Plan_v2.1"),
        ("notes", "notes"),
        ("index.md", ""),
        ("Scan 0042.pdf", ""),
        ("README", ""),
        ("", ""),
    ],
)
def test_a_file_is_known_by_a_name_that_tells_something(name: str, stem: str) -> None:
    assert file_stem(Document("d", {"file_name": name})) == stem


def test_acronyms_are_written_ones_then_initials_of_names() -> None:
    body = "GDPR, DH-217, GDPR again. HELD until held. The Office of Digital Services decides."
    assert acronyms(Document("d", {"body": body})) == ("GDPR", "DH-217", "ODS")
    assert acronyms(Document("d", {"title": "IMPORTANT: read this", "body": "Dear all"})) == ()


def test_slots_are_shared_out_evenly_and_depend_on_the_document_alone() -> None:
    assert slots_of(FULL, KINDS, 7, seed=0) == KINDS
    assert Counter(slots_of(FULL, KINDS, 9, seed=0)).most_common(3)[2][1] == 1
    many = [Document(f"d{n}", FULL.fields) for n in range(200)]
    drawn = Counter(kind for d in many for kind in slots_of(d, KINDS, 2, seed=0))
    assert set(drawn) == set(KINDS)
    assert max(drawn.values()) < 2 * min(drawn.values())
    assert slots_of(many[7], KINDS, 2, seed=0) == slots_of(many[7], KINDS, 2, seed=0)
    assert any(slots_of(d, KINDS, 2, seed=0) != slots_of(d, KINDS, 2, seed=1) for d in many)
    assert slots_of(Document("d", {"body": "x"}), ("author",), 3, seed=0) == ()


def test_a_typing_error_is_one_edit_inside_a_long_word() -> None:
    texts = [f"{word} of the firmware" for word in ("meters", "release", "gateway", "battery")]
    for text in texts * 5:
        for seed in range(20):
            wrong = misspelt(text, seed)
            assert wrong is not None
            assert wrong != text
            assert len(wrong) - len(text) in (-1, 0, 1)
            assert [w[0] for w in wrong.split()] == [w[0] for w in text.split()]
            assert " of the " in wrong
    assert len({misspelt(texts[0], seed) for seed in range(40)}) > 5
    assert misspelt(texts[0], 3) == misspelt(texts[0], 3)


@pytest.mark.parametrize("text", ["", "a b", "vpn", "2026 10", "oooo"])
def test_a_text_without_a_word_to_misspell_has_no_typing_error(text: str) -> None:
    wrong = misspelt(text, 0)
    assert wrong is None or wrong in ("ooo", "ooooo")
