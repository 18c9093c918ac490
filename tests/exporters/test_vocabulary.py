"""How much a word tells."""

from __future__ import annotations

import math

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.queries.vocabulary import Vocabulary, chunks, stem, words


def test_words_are_letters_and_digits_in_one_case() -> None:
    assert words("OTA_policy-v2.1 Straße ﬁle") == ["ota", "policy", "v2", "1", "strasse", "file"]


def test_chunks_keep_what_joins_their_parts() -> None:
    assert chunks("the B-2291 (gauge_pages), v2.1.") == ["the", "B-2291", "gauge_pages", "v2.1"]


@pytest.mark.parametrize(
    ("form", "other"),
    [("meters", "meter"), ("waves", "wave"), ("updating", "updates"), ("policies", "policy")],
)
def test_forms_of_a_word_share_a_stem(form: str, other: str) -> None:
    assert stem(form) == stem(other)


@pytest.mark.parametrize("word", ["is", "pass", "ring", "the", "2026"])
def test_a_short_word_is_its_own_stem(word: str) -> None:
    assert stem(word) == word


def test_a_word_weighs_by_the_documents_that_hold_it() -> None:
    sample = [Document(str(n), {"body": "common " + ("rare" if n == 0 else "")}) for n in range(4)]
    vocabulary = Vocabulary(sample)
    assert vocabulary.weight("common") == pytest.approx(math.log(2))
    assert vocabulary.weight("rare") == pytest.approx(math.log(5))
    assert vocabulary.weight("unseen") == pytest.approx(math.log(9))
    assert vocabulary.weight("the") == vocabulary.weight("x") == 0
    assert vocabulary.chunk_weight("common_rare") == vocabulary.weight("rare")
    assert vocabulary.chunk_weight("…") == 0
