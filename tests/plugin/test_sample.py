"""Sampling the real node: a seed fixes the order, and every folder, kind and age has its share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, InputError, MissingIndexError, ServerError
from relevance_eval.evaluators.document import DEFAULT_FIELDS
from relevance_eval.plugin import sample
from relevance_eval.plugin.sample import Sample, sample_documents
from relevance_eval.plugin.searches import Load

Complains = Callable[..., Any]
Indices = Callable[..., str]
Answers = Callable[[Callable[[Mapping[str, Any]], Mapping[str, Any]]], Elasticsearch]
Responses = Callable[..., dict[str, Any]]

DATED = {"created": {"type": "date"}, "modified": {"type": "date"}}
LONG = "A body of some length."


def document(folder: str = "", name: str = "", **others: Any) -> dict[str, Any]:
    known = {"folder_path": folder, "file_name": name}
    return {"body": LONG, **{k: v for k, v in known.items() if v}, **others}


@pytest.fixture
def sampled(es: Elasticsearch) -> Callable[..., Sample]:
    def run(index: str, count: int, seed: int = 0, **options: Any) -> Sample:
        chosen: dict[str, Any] = {"fields": DEFAULT_FIELDS, "shortest": 10, **options}
        return sample_documents(es, index, count, seed=seed, **chosen)

    return run


def ids(found: Sample) -> list[str]:
    return [d.id for d in found.documents]


def test_a_seed_fixes_the_sample_and_a_smaller_one_is_its_beginning(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    index = make_index({f"d{n}": document(f"/f{n % 4}", f"x{n}.pdf") for n in range(24)}, shards=2)
    found = sampled(index, 12)
    assert len(set(ids(found))) == 12
    assert ids(sampled(index, 12)) == ids(found)
    assert ids(sampled(index, 5)) == ids(found)[:5]
    assert ids(sampled(index, 12, seed=1)) != ids(found)
    assert set(ids(sampled(index, 99))) == {f"d{n}" for n in range(24)}
    assert (found.held, found.short) == (24, 0)


def test_a_copy_of_the_index_gives_the_same_sample(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    documents = {f"d{n}": document(f"/f{n % 3}") for n in range(12)}
    backwards = dict(reversed(documents.items()))
    one, two = make_index(documents), make_index(backwards, shards=3)
    assert ids(sampled(one, 6)) == ids(sampled(two, 6))


def test_a_small_folder_is_drawn_from_as_often_as_a_large_one(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    folders = ["/all/large"] * 30 + ["/all/small"] * 3 + ["/all/other/deep"] * 3 + [""] * 3
    index = make_index({f"d{n}": document(folder) for n, folder in enumerate(folders)})
    found = sampled(index, 8)
    assert found.count("folder") == {"large": 2, "none": 2, "other": 2, "small": 2}
    assert sampled(index, 39).count("folder")["large"] == 30


def test_the_folder_that_nearly_all_are_in_tells_nothing(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    folders = ["/pages"] + ["/pages/a"] * 6 + ["/pages/b/c"] * 6
    index = make_index({f"d{n}": document(folder) for n, folder in enumerate(folders)})
    assert sampled(index, 13).count("folder") == {"a": 6, "b": 6, "pages": 1}


def test_kinds_and_ages_come_in_turn_within_a_folder(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    names = ["report.PDF"] * 9 + ["notes.md"] * 2 + ["no extension"] * 1
    years = [2001 + n for n in range(12)]
    index = make_index(
        {
            f"d{n}": document("/f", name, modified=f"{year}-01-01")
            for n, (name, year) in enumerate(zip(names, years, strict=True))
        },
        **DATED,
    )
    found = sampled(index, 5)
    assert found.count("kind") == {"pdf": 3, "md": 1, "none": 1}
    every = sampled(index, 12)
    assert every.count("age") == {"middle third": 4, "newest third": 4, "oldest third": 4}
    assert every.strata["d0"].age == "oldest third"
    assert every.strata["d11"].age == "newest third"


def test_a_date_of_change_is_the_age_before_other_dates(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    rows = {
        f"d{n}": document(created=f"200{n}-01-01", modified=f"200{9 - n}-01-01") for n in range(9)
    }
    index = make_index(rows, **DATED)
    assert sampled(index, 9).strata["d0"].age == "newest third"
    assert sampled(index, 9, date="created").strata["d0"].age == "oldest third"


def test_a_document_without_a_date_has_no_age(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    index = make_index({"a": document(), "b": document(modified="2020-02-02")}, **DATED)
    assert sampled(index, 2).strata["a"].age == "none"


def test_short_documents_are_left_out_and_counted(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    index = make_index({"long": document(), "short": {"body": "x"}, "none": {"title": "A title"}})
    found = sampled(index, 3)
    assert (ids(found), found.short, found.held) == (["long"], 2, 3)


def test_without_a_configured_body_all_fields_are_read(
    make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    index = make_index({"a": {"title": "A title that is long enough"}, "b": {"title": "b"}})
    assert ids(sampled(index, 3, fields={"title": "title"})) == ["a"]


def test_a_single_document_is_a_sample(make_index: Indices, sampled: Callable[..., Sample]) -> None:
    found = sampled(make_index({"only": document("/f", "a.md")}), 10)
    assert (ids(found), found.count("folder")) == (["only"], {"f": 1})


def test_of_a_large_index_a_random_part_is_looked_at(
    make_index: Indices, sampled: Callable[..., Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "CANDIDATES", 12)
    monkeypatch.setattr(sample, "PAGE", 4)
    index = make_index({f"d{n}": document() for n in range(40)})
    found = sampled(index, 40)
    assert (len(set(ids(found))), found.held) == (12, 40)
    assert ids(sampled(index, 40)) == ids(found)
    assert set(ids(sampled(index, 40, seed=1))) != set(ids(found))


def test_no_point_in_time_stays_open(
    es: Elasticsearch, make_index: Indices, sampled: Callable[..., Sample]
) -> None:
    index = make_index({"a": document()})
    sampled(index, 1)
    stats = es.indices.stats(index=index, metric="search")["indices"][index]["total"]
    assert stats["search"]["open_contexts"] == 0


def test_an_index_without_documents(
    make_index: Indices, sampled: Callable[..., Sample], complains: Complains
) -> None:
    index = make_index({})
    remedy = "load the documents first"
    with complains(InputError, "no documents", code=2, where=f"index {index}", remedy=remedy):
        sampled(index, 1)


def test_an_index_that_is_missing(sampled: Callable[..., Sample], complains: Complains) -> None:
    says, where = "no such index [test-none]", "index test-none"
    with complains(MissingIndexError, says, code=2, where=where, remedy="load the documents"):
        sampled("test-none", 1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"body": "content", "title": "headline"}, "body = 'content', title = 'headline'")],
)
def test_an_index_without_any_of_the_roles_is_named_with_them(
    make_index: Indices,
    sampled: Callable[..., Sample],
    complains: Complains,
    fields: Mapping[str, str],
    named: str,
) -> None:
    index = make_index({"a": document(), "b": document()})
    with complains(ConfigError, named, code=2, where=f"index {index}", remedy="say in [documents]"):
        sampled(index, 1, fields=fields)


def test_an_index_of_short_documents_alone(
    make_index: Indices, sampled: Callable[..., Sample], complains: Complains
) -> None:
    index = make_index({"a": {"body": "x"}, "b": {"body": "y"}})
    says, remedy = "none of 2 documents has 10 characters of body", "lower shortest"
    with complains(InputError, says, code=2, where=f"index {index}", remedy=remedy):
        sampled(index, 1)


def test_an_id_in_two_indices_is_refused(
    make_index: Indices, sampled: Callable[..., Sample], complains: Complains
) -> None:
    alias = f"test-{uuid.uuid4().hex[:12]}"
    for _ in "ab":
        make_index({"twice": document()}, alias=alias)
    with complains(ConfigError, "the id 'twice' is in ", code=2, remedy="share no ids"):
        sampled(alias, 1)


def titled(client: Elasticsearch) -> Sample:
    """A sample of index `i`, read with one retry that does not wait."""
    load = Load(retries=1, pause=0)
    return sample_documents(client, "i", 9, fields={"title": "title"}, seed=0, load=load)


def test_shards_that_fail_are_asked_again(
    msearches: Answers, response: Responses, incomplete: tuple[dict[str, Any], str]
) -> None:
    answers = [response("a", "b"), response("a", "b"), incomplete[0]]
    assert sorted(ids(titled(msearches(lambda body: answers.pop())))) == ["a", "b"]


def test_shards_that_fail_to_the_last_make_no_smaller_sample(
    msearches: Answers, incomplete: tuple[dict[str, Any], str], complains: Complains
) -> None:
    answer, says = incomplete
    with complains(ServerError, says, code=5, where="sampling documents"):
        titled(msearches(lambda body: answer))
