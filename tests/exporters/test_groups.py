"""What the built-in labeler's encoder is tuned on: which queries, documents and grades."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from relevance_eval.exporters.builtin.corpora import Corpus
from relevance_eval.exporters.builtin.groups import articles, questions, soft_targets, things

GRADES = {f"d{n}": grade for n, grade in enumerate([0, 0, 0, 0, 1, 1, 2, 3])}


def corpus(qrels: dict[str, dict[str, int]], titles: dict[str, str] | None = None) -> Corpus:
    names = dict.fromkeys(name for grades in qrels.values() for name in grades)
    documents = {n: {"title": (titles or {}).get(n, "a title"), "body": f"text {n}"} for n in names}
    return Corpus("made", documents, {query: f"asks {query}" for query in qrels}, qrels)


def bodies(documents) -> list[str]:
    return [fields["body"] for fields in documents]


def test_a_person_counts_three_fifths_and_the_models_the_rest() -> None:
    people = {"q": {"d1": 3, "d2": 0, "d3": 1}}
    models = [{"q": {"d1": 2, "d2": 0}}, {"q": {"d1": 1}}, {}]

    targets = soft_targets("q", ["d1", "d2", "d3"], people, models)

    expected = [[0, 0.2, 0.2, 0.6], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert targets == pytest.approx(np.array(expected))


def test_only_the_named_queries_are_asked_and_all_of_them_before_one_comes_again() -> None:
    made = corpus({f"q{n}": GRADES for n in range(5)})
    groups = islice(questions(made, ["q0", "q2", "q3"], [], 4, np.random.default_rng(0)), 6)

    asked = [group.query for group in groups]

    assert sorted(asked[:3]) == sorted(asked[3:]) == ["asks q0", "asks q2", "asks q3"]


def test_documents_are_of_all_grades_as_evenly_as_they_come() -> None:
    made = corpus({"q": GRADES})
    rng = np.random.default_rng(0)

    (four,) = islice(questions(made, ["q"], [], 4, rng), 1)
    (six,) = islice(questions(made, ["q"], [], 6, rng), 1)
    (most,) = islice(questions(made, ["q"], [], 20, rng), 1)

    assert four.expected.tolist() == [3, 2, 1, 0]
    assert sorted(six.expected.tolist()) == [0, 0, 1, 1, 2, 3]
    assert sorted(bodies(most.documents)) == sorted(f"text {name}" for name in GRADES)


def test_a_question_about_a_paragraph_has_the_others_of_its_article_as_grade_0() -> None:
    qrels = {"q1": {"p1": 3}, "q2": {"p2": 1}, "q3": {"p3": 3}, "q4": {"other": 3}}
    titles = {"p1": "Weirs", "p2": "Weirs", "p3": "Weirs", "other": "Alone"}

    groups = next(articles(corpus(qrels, titles), 3, 2, np.random.default_rng(0)))

    assert sorted(group.query for group in groups) == ["asks q1", "asks q2", "asks q3"]
    for group in groups:
        asked = group.query.removeprefix("asks q")
        for fields, grade in zip(group.documents, group.expected, strict=True):
            own = {"1": 3, "2": 1, "3": 3}[asked]
            assert grade == (own if fields["body"] == f"text p{asked}" else 0)


def test_an_answer_comes_before_answers_to_other_questions_about_the_thing() -> None:
    made = corpus({"q": {"a": 1, "b": 3, "c": 1, "d": 1}, "alone": {"e": 3}})

    groups = list(islice(things(made, 3, np.random.default_rng(0)), 5))

    assert {group.query for group in groups} == {"asks q"}
    assert all(group.expected.tolist() == [3, 1, 1] for group in groups)
    assert all(bodies(group.documents)[0] == "text b" for group in groups)
