"""Runs, their order and their TREC file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.errors import InputError, StorageError
from relevance_eval.evaluators.run import Hit, Result, Run, order_hits, read_run, write_run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bm25.run"


def test_a_run_comes_back_with_ids_scores_and_order(path: Path) -> None:
    hits = (Hit("b", 12.345678901234567), Hit("a", 0.1 + 0.2), Hit("c", -1e-9))
    write_run(path, Run("bm25", {"q1": Result(hits, took=4), "q2": Result((Hit("a", 1.0),))}))
    found = read_run(path)
    assert found.ranker == "bm25"
    assert {q: r.hits for q, r in found.results.items()} == {"q1": hits, "q2": (Hit("a", 1.0),)}


def test_a_line_of_the_file_is_trecs(path: Path) -> None:
    write_run(path, Run("my ranker", {"q1": Result((Hit("a b", 2.5), Hit("c", 1.0)))}))
    assert path.read_text() == "".join(
        f"q1 Q0 {name} {rank} quoted:my%20ranker\n"
        for name, rank in (("quoted:a%20b", "1 2.5"), ("c", "2 1.0"))
    )


@pytest.mark.parametrize(
    "identifier",
    [
        "a b",
        "https://host/My%20Doc.pdf",
        "100%",
        "%25",
        "tab\tnew\nline\r",
        "a\u00a0b\u3000c",
        "ä/☃",
    ],
)
def test_any_document_id_survives_the_file(path: Path, identifier: str) -> None:
    write_run(path, Run("r", {"q": Result((Hit(identifier, 1.0),))}))
    assert [h.document_id for h in read_run(path).hits("q")] == [identifier]


@settings(derandomize=True, deadline=None)
@given(identifiers=st.sets(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1))
def test_no_two_document_ids_become_one(
    tmp_path_factory: pytest.TempPathFactory, identifiers: set[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "ids.run"
    write_run(path, Run("r", {"q": Result(tuple(Hit(i, 1.0) for i in identifiers))}))
    assert {h.document_id for h in read_run(path).hits("q")} == identifiers


def test_hits_are_ordered_by_score_not_by_the_rank_written(path: Path) -> None:
    path.write_text("q Q0 a 1 1.5 t\nq Q0 b 2 3e0 t\n\nq\tQ0\tc\t3\t-inf\tt\n")
    assert [h.document_id for h in read_run(path).hits("q")] == ["b", "a", "c"]


def test_equal_scores_are_ordered_by_falling_id() -> None:
    hits = [Hit("a", 1.0), Hit("c", 1.0), Hit("z", 0.5), Hit("b", 1.0), Hit("a2", 2.0)]
    assert [h.document_id for h in order_hits(hits)] == ["a2", "c", "b", "a", "z"]


def test_a_byte_order_mark_is_no_part_of_the_first_query(path: Path) -> None:
    path.write_bytes("\ufeffq1 Q0 a 1 2.0 t\r\nq1 Q0 b 2 1.0 t\r\n".encode())
    assert [h.document_id for h in read_run(path).hits("q1")] == ["a", "b"]


def test_a_run_knows_its_problems_and_has_no_hits_for_other_queries() -> None:
    run = Run("r", {"a": Result((Hit("x", 1.0),)), "b": Result((), problem="2 of 5 shards failed")})
    assert run.problems() == {"b": "2 of 5 shards failed"}
    assert run.hits("b") == run.hits("c") == ()


@pytest.mark.parametrize(
    ("line", "says", "remedy"),
    [
        ("q1 Q0 b 2 t", "5 columns where 6 are needed", "query Q0 document rank score tag"),
        ("q1 Q0 b c 2 1.0 t", "7 columns where 6", "query Q0 document rank score tag"),
        ("q1 Q0 b 2 high t", "the score 'high' is not a number", ""),
        ("q1 Q0 b 2 nan t", "not a number (NaN)", ""),
        ("q1 Q0 a 2 1.0 t", "'a' is ranked twice for query 'q1'", ""),
    ],
)
def test_a_line_that_is_no_hit_is_named(
    path: Path, explained: Callable[..., None], line: str, says: str, remedy: str
) -> None:
    path.write_text(f"q1 Q0 a 1 2.0 t\n{line}\nq1 Q0 c 3 0.5 t\n")
    with pytest.raises(InputError) as caught:
        read_run(path)
    explained(caught.value, code=2, where=f"{path}:2", says=says, remedy=remedy)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"\n \n", "the run holds no hits"),
        (b"q1 Q0 \xff\xfe 1 2.0 t\n", "not a text file in UTF-8"),
    ],
    ids=["missing", "empty", "binary"],
)
def test_a_file_that_is_no_run_is_named(
    path: Path, explained: Callable[..., None], content: bytes | None, says: str
) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_run(path)
    explained(caught.value, code=2, where=str(path), says=says)


def test_a_folder_is_no_run(tmp_path: Path, explained: Callable[..., None]) -> None:
    with pytest.raises(StorageError) as caught:
        read_run(tmp_path)
    explained(caught.value, code=5, where=str(tmp_path), says="directory", remedy="another folder")


def test_a_run_that_cannot_be_written_says_where(
    tmp_path: Path, make_run: Callable[..., Run], explained: Callable[..., None]
) -> None:
    path = tmp_path / "nowhere" / "a.run"
    with pytest.raises(StorageError) as caught:
        write_run(path, make_run("a", q="x"))
    explained(caught.value, code=5, where=str(path), says="No such file", remedy="another folder")


def test_an_id_of_another_tool_is_taken_as_it_stands(path: Path) -> None:
    path.write_text("q1 Q0 http://x/a%20b.pdf 1 2.5 other\n")
    assert read_run(path).hits("q1") == (Hit("http://x/a%20b.pdf", 2.5),)
