"""Query sets: what can be evaluated comes in, what cannot is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relevance_eval.errors import InputError
from relevance_eval.evaluators.jsonl import write_rows
from relevance_eval.evaluators.query import (
    MAX_QUERY_CHARACTERS,
    Query,
    check_queries,
    read_queries,
    repeated,
    write_queries,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queries.jsonl"


def test_queries_come_back_with_their_tags_in_order(path: Path) -> None:
    queries = [
        Query("q2", "vacation policy", {"band": "head", "kind": "topic"}),
        Query("q1", "Änderungsantrag  2024?"),
        Query("q3", "x" * MAX_QUERY_CHARACTERS),
    ]
    write_queries(path, queries)
    assert read_queries(path) == queries


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["vpn", "leave"], 0),
        (["vpn setup", "VPN  setup ", "leave", "vpn\tsetup"], 2),
        (["Straße", "STRASSE"], 1),
        ([], 0),
    ],
)
def test_a_query_that_asks_again_is_counted(texts: list[str], expected: int) -> None:
    assert repeated(Query(str(n), text) for n, text in enumerate(texts)) == expected


def test_a_file_stays_as_it_was_until_the_new_one_is_whole(path: Path) -> None:
    write_rows(path, [{"id": "a", "text": "before"}])

    def rows() -> Iterator[dict[str, str]]:
        yield {"id": "a", "text": "after"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rows(path, rows())
    assert read_queries(path) == [Query("a", "before", {})]
    write_rows(path, [{"id": "a", "text": "after"}])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_tags_are_the_plain_values_of_a_row(path: Path) -> None:
    write_rows(path, [{"id": 1, "text": "a", "weight": 0.5, "band": "tail", "more": {"x": 1}}])
    assert read_queries(path) == [Query("1", "a", {"weight": "0.5", "band": "tail"})]


@pytest.mark.parametrize(
    ("row", "says", "remedy"),
    [
        ({"id": "b", "text": " \t"}, "query 'b' is empty", "remove this line"),
        ({"id": "b", "text": "x" * 100_000}, "100,000 characters; 4,096 is the limit", "shorten"),
        ({"id": "a", "text": "c"}, "'a' is used twice, first at PATH:1", "its own id"),
        ({"id": "b c", "text": "c"}, "'b c' is empty or holds white space", "rename it"),
        ({"id": "", "text": "c"}, "'' is empty or holds white space", "rename it"),
        ({"id": "b\x1b[2J", "text": "c"}, "[2J' holds characters that cannot be", "rename it"),
        ({"id": "b"}, "the field 'text' is missing", ""),
        ({"text": "c"}, "the field 'id' is missing", ""),
    ],
    ids=[
        "empty",
        "100 kB",
        "twice",
        "white space",
        "no id",
        "escape",
        "text missing",
        "id missing",
    ],
)
def test_a_query_that_cannot_be_evaluated_is_named(
    path: Path, explained: Callable[..., None], row: dict[str, str], says: str, remedy: str
) -> None:
    write_rows(path, [{"id": "a", "text": "b"}, row, {"id": "z", "text": "z"}])
    with pytest.raises(InputError) as caught:
        read_queries(path)
    says = says.replace("PATH", str(path))
    explained(caught.value, code=2, where=f"{path}:2", says=says, remedy=remedy)
    assert len(str(caught.value)) < 1000


def test_a_file_without_queries_is_wrong_input(path: Path, explained: Callable[..., None]) -> None:
    path.write_text("\n\n")
    with pytest.raises(InputError) as caught:
        read_queries(path)
    explained(caught.value, code=2, where=str(path), says="holds no queries")


def test_queries_from_elsewhere_are_checked_with_the_places_they_have(
    explained: Callable[..., None],
) -> None:
    queries = [Query("a", "one"), Query("a", "two")]
    with pytest.raises(InputError) as caught:
        check_queries(queries, ["set:1", "set:2"])
    says = "first at set:1"
    explained(caught.value, code=2, where="set:2", says=says, remedy="its own id")
