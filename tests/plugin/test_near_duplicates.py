"""What counts as a copy of a document, and what does not."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.plugin.near_duplicates import Content, is_near_duplicate, similarity

VOCABULARY = [f"word{n}" for n in range(2000)]


def content(body: str, **fields: str) -> Content:
    return Content(Document("d", {"body": body, **fields}))


def text(words: int, seed: int = 0) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=words)


def changed(words: list[str], count: int) -> list[str]:
    places = set(random.Random(1).sample(range(len(words)), count))
    return ["other" if n in places else word for n, word in enumerate(words)]


def jaccard(one: list[str], other: list[str]) -> float:
    a, b = (set(zip(w, w[1:], w[2:], strict=False)) for w in (one, other))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("changes", [0, 1, 2, 10, 50])
def test_short_texts_have_the_exact_similarity_of_their_shingles(changes: int) -> None:
    one = text(300)
    other = changed(one, changes)
    found = similarity(content(" ".join(one)), content(" ".join(other)))
    assert found == pytest.approx(jaccard(one, other), abs=1e-12)


@pytest.mark.parametrize("changes", [0, 30, 100, 400, 1500])
def test_long_texts_have_it_within_four_standard_errors(changes: int) -> None:
    one = text(3000)
    other = changed(one, changes)
    found = similarity(content(" ".join(one)), content(" ".join(other)))
    assert found == pytest.approx(jaccard(one, other), abs=4 * 0.5 / 512**0.5)
    assert (found == 1) == (changes == 0)


def test_a_part_of_a_long_text_is_no_copy_of_it() -> None:
    whole = text(3000)
    part = content(" ".join(whole[:300]))
    assert similarity(part, content(" ".join(whole))) < 0.2


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("The pension fund.", "the PENSION, fund", True),
        ("vpn", "vpn", True),
        ("vpn", "vpn setup", False),
        ("vpn setup", "setup vpn", False),
        ("休暇の申請方法について", "休暇の申請方法について。", True),
        ("休暇の申請方法について", "経費の精算手順について", False),
        ("...", "???", False),
        ("...", "...", True),
    ],
)
def test_case_and_punctuation_make_no_difference_and_order_does(
    one: str, other: str, alike: bool
) -> None:
    assert is_near_duplicate(content(one), [content(other)], 0.8) is alike


def test_a_copy_under_another_name_is_a_copy() -> None:
    one = content("Twenty weeks of leave.", author="Ida Holm", file_name="leave.docx")
    other = content("Twenty weeks of leave!", author="Jon Berg", folder_path="/old/2019")
    assert is_near_duplicate(other, [content("Soup on Mondays."), one], 0.8)


def test_documents_without_title_and_body_are_compared_by_what_they_have() -> None:
    one, other, third = (
        Content(Document("d", {"file_name": name})) for name in ("a b c.pdf", "a b c pdf", "d e f")
    )
    assert is_near_duplicate(other, [one], 0.8)
    assert not is_near_duplicate(third, [one, other], 0.8)


def test_the_threshold_is_the_lowest_similarity_that_counts() -> None:
    one, other = content("a b c d e"), content("a b c d f")  # 2 of 4 shingles
    assert similarity(one, other) == 0.5
    assert is_near_duplicate(one, [other], 0.5)
    assert not is_near_duplicate(one, [other], 0.51)


def test_another_process_finds_the_same_hashes() -> None:
    program = (
        "from relevance_eval.plugin.near_duplicates import shingle_hashes;"
        "print(shingle_hashes('Twenty weeks of leave, 休暇').tolist())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("body", ["a" * 20_000, "a " * 10_000, "\x00\ud800 \u202e" * 5000])
def test_hostile_texts_are_compared_in_no_time(body: str) -> None:
    started = time.perf_counter()
    assert similarity(content(body), content("a b c")) < 0.5
    assert time.perf_counter() - started < 1
