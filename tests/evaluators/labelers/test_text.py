"""How a labeler sees texts: its own template, each part cut to its cap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.document import Document, document_from
from relevance_eval.evaluators.labelers.manifest import open_folder
from relevance_eval.evaluators.labelers.text import TextTokens

WORDS = {word: [0.0] for word in ("vpn", "setup", "old", "new")}
ABOUT = 2004  # the word that the template writes before a title


@pytest.fixture
def tokens(write_folder: Callable[..., Path]) -> TextTokens:
    folder = open_folder(write_folder(WORDS))
    return TextTokens(folder.path / "tokenizer.json", folder.manifest)


def test_fields_come_in_the_order_of_the_template_with_what_stands_before(
    tokens: TextTokens,
) -> None:
    document = Document("d", {"body": "new old", "title": "vpn setup", "author": "old"})
    assert tokens.document(document) == [ABOUT, 2000, 2001, 2003, 2002]


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"body": "vpn"}, [2000]),
        ({"title": "vpn"}, [ABOUT, 2000]),
        ({"author": "vpn"}, []),
        ({}, []),
        ({"title": "vpn " * 9, "body": "old " * 9}, [ABOUT, *[2000] * 3, *[2002] * 6]),
    ],
)
def test_each_field_is_cut_to_its_cap(
    tokens: TextTokens, fields: dict[str, str], ids: list[int]
) -> None:
    assert tokens.document(Document("d", fields)) == ids


@pytest.mark.parametrize("gap", [" ", "\n\n", " \t\n" * 10_000])
def test_white_space_takes_the_place_of_no_word(tokens: TextTokens, gap: str) -> None:
    document = Document("d", {"body": f"{gap}vpn{gap}setup"})
    assert tokens.document(document) == [2000, 2001]
    assert tokens.query(f"{gap}vpn{gap}setup") == [2000, 2001]


def test_a_query_is_cut_to_its_cap(tokens: TextTokens) -> None:
    assert tokens.query("vpn setup old new vpn") == [2000, 2001, 2002, 2003]


def test_megabytes_are_cut_before_they_are_tokenized(tokens: TextTokens) -> None:
    """The word beyond the part that is looked at would be within the cap."""
    nothing = "\u200b"  # which is no token and no white space
    assert tokens.query(nothing * 4 * 12 + "vpn") == []
    assert tokens.query("vpn" + nothing * 5_000_000 + "setup") == [2000]


@pytest.mark.parametrize(
    ("text", "ids"),
    [("vpn\x00\x07setup", [100]), ("\u200bVPN\u200b", [2000]), ("🦙", [100]), ("\x00", [])],
)
def test_control_characters_and_emoji(tokens: TextTokens, text: str, ids: list[int]) -> None:
    assert tokens.query(text) == ids


def test_control_characters_of_a_document_part_its_words(tokens: TextTokens) -> None:
    assert tokens.document(document_from("d", {"body": "vpn\x07setup"})) == [2000, 2001]


def test_a_special_token_that_the_vocabulary_lacks(
    tokens: TextTokens, complains: Callable[..., Any]
) -> None:
    assert tokens.special("[CLS]") == 101
    with complains(LabelerError, "the tokenizer has no [BOS]", code=2, where="tiny"):
        tokens.special("[BOS]")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe"])
def test_a_tokenizer_that_is_broken(
    write_folder: Callable[..., Path], complains: Callable[..., Any], content: bytes
) -> None:
    folder = open_folder(write_folder(WORDS))
    path = folder.path / "tokenizer.json"
    path.write_bytes(content)
    with complains(LabelerError, "not a tokenizer", code=2, where=str(path)):
        TextTokens(path, folder.manifest)
