"""Queries made of a document's own words."""

from __future__ import annotations

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.queries.draft import Draft
from relevance_eval.exporters.queries.extractive import extract, key_phrase, key_terms, short_title
from relevance_eval.exporters.queries.vocabulary import Vocabulary, words
from relevance_eval.exporters.settings import Kind

FIRMWARE = Document(
    "firmware",
    {
        "title": "Rolling out the firmware of Selka meters, step by step",
        "author": "Ida Holm, Per Aas",
        "file_name": "rollout_selka_fw.md",
        "folder_path": "/Devices/Run_books/",
        "body": "The [battery gauge](https://x.example/static/page) reads low. A battery gauge "
        "that reads low stops the rollout wave. The OTA gateway knows the battery gauge; the wave "
        "waits.",
    },
)
NOTES = [Document(f"n{n}", {"title": "step by step", "body": "of the step"}) for n in range(9)]
VOCABULARY = Vocabulary([FIRMWARE, *NOTES])
TERMS = {"battery": 4.0, "gauge": 3.0, "wave": 2.0, "absent": 9.0}


def texts(*kinds: Kind, document: Document = FIRMWARE, seed: int = 0) -> list[Draft]:
    return extract(document, kinds, VOCABULARY, TERMS, seed)


def test_the_terms_of_the_index_come_first_if_the_document_holds_them() -> None:
    assert key_terms(FIRMWARE, VOCABULARY, TERMS)[:3] == ["battery", "gauge", "wave"]


def test_frequency_and_rarity_decide_where_the_index_names_too_few() -> None:
    found = key_terms(FIRMWARE, VOCABULARY, {"wave": 1.0})
    assert found[:2] == ["battery", "gauge"]
    assert not {"https", "static", "example", "step"} & set(found)


def test_a_phrase_is_two_neighbouring_words_that_come_most_often() -> None:
    assert key_phrase(FIRMWARE, VOCABULARY, ["wave", "battery"]) == "battery gauge"
    assert key_phrase(FIRMWARE, VOCABULARY, ["absent"]) == ""


def test_a_title_is_shortened_to_its_rarest_words_in_their_order() -> None:
    assert short_title(FIRMWARE, VOCABULARY, 3) == "rolling firmware selka"
    assert "step" not in words(short_title(FIRMWARE, VOCABULARY, 4))


@pytest.mark.parametrize("title", ["Analytics", "VPN setup", "The plan for 2027"])
def test_a_title_is_never_copied_whole(title: str) -> None:
    document = Document("d", {"title": title, "body": FIRMWARE.fields["body"]})
    for seed in range(10):
        for draft in texts("topic", "topic", "topic", document=document, seed=seed):
            assert words(draft.text) != words(title)


def test_each_kind_says_what_it_is_called_after() -> None:
    author, name, folder, acronym = texts("author", "file_name", "folder", "acronym")
    assert author.text in ("holm battery", "ida holm battery")
    assert name.text in ("rollout_selka_fw", "rollout selka fw")
    assert folder.text == "run books battery"
    assert acronym.text == "OTA battery"
    assert [d.slot for d in (author, name, folder, acronym)] == [1, 2, 3, 4]


def test_a_word_is_not_put_to_itself() -> None:
    document = Document("d", {**FIRMWARE.fields, "folder_path": "/Devices/Batteries"})
    (folder,) = texts("folder", document=document)
    assert folder.text == "batteries gauge"


def test_a_typing_error_tells_what_was_meant_and_is_of_another_topic() -> None:
    topic, typo = texts("topic", "typo")
    assert typo.meant
    assert typo.text != typo.meant != topic.text


def test_two_of_a_kind_differ_and_a_third_may_be_wanting() -> None:
    found = texts("author", "author", "author")
    assert [d.slot for d in found] == [1, 2]
    assert found[0].text != found[1].text


def test_a_question_cannot_be_made_of_words() -> None:
    assert texts("question") == []


def test_the_seed_chooses_among_forms() -> None:
    assert texts("file_name") == texts("file_name")
    assert len({texts("file_name", seed=seed)[0].text for seed in range(12)}) == 2


@pytest.mark.parametrize("body", ["…", "1 2 3", "", "\n" * 50, "of the and"])
def test_a_document_without_words_of_weight_has_no_topic(body: str) -> None:
    assert texts("topic", "typo", document=Document("d", {"body": body})) == []
