"""Significant terms of the real node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import MissingIndexError
from relevance_eval.plugin.significance import significant_terms

BODY = {"body": {"type": "text"}}


@pytest.fixture
def subjects(make_index: Callable[..., str]) -> str:
    """Documents on meters and on holidays, and many on neither, all with common words."""
    texts = {
        "m0": "the firmware for a meter and the radio",
        "m1": "new firmware in the old meter and a valve",
        "m2": "a meter with the firmware and its case",
        "h0": "the carnival and a holiday in the spring",
        "h1": "a holiday with the carnival and people",
        "h2": "one carnival in the town and the holiday",
    }
    texts |= {f"o{n}": f"the number {n} and a note in the file" for n in range(12)}
    return make_index({i: {"body": text} for i, text in texts.items()}, **BODY)


def best(terms: Mapping[str, float], text: str) -> set[str]:
    """The two best of the terms that the text holds."""
    return set([term for term in terms if term in text.split()][:2])


def test_the_words_of_a_subject_are_found_and_those_of_all_are_not(
    es: Elasticsearch, subjects: str
) -> None:
    steps: list[tuple[int, int]] = []
    found = significant_terms(
        es, subjects, ["m0", "h1"], "body", progress=lambda *step: steps.append(step)
    )
    assert best(found["m0"], "the firmware for a meter and the radio") == {"firmware", "meter"}
    assert best(found["h1"], "a holiday with the carnival and people") == {"carnival", "holiday"}
    assert all(score > 0 for score in found["m0"].values())
    assert steps[-1] == (2, 2)


@pytest.mark.parametrize("field", ["name", "unknown"])
def test_a_field_without_analyzed_text_has_no_terms(
    es: Elasticsearch, subjects: str, field: str
) -> None:
    assert significant_terms(es, subjects, ["m0"], field) == {"m0": {}}


def test_a_single_document_has_no_terms(es: Elasticsearch, make_index: Callable[..., str]) -> None:
    index = make_index({"only": {"body": "firmware of the meter"}}, **BODY)
    assert significant_terms(es, index, ["only"], "body") == {"only": {}}


def test_an_index_that_is_missing(es: Elasticsearch) -> None:
    with pytest.raises(MissingIndexError):
        significant_terms(es, "test-none", ["a"], "body")
