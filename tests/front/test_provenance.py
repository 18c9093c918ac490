"""Same or changed: which of queries, judge, corpus, index and rankers differ between results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from relevance_eval.changed import Changes, State, changes_between
from relevance_eval.cli.compare import compare
from relevance_eval.config import Config
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.project import Project
from relevance_eval.provenance import asked_hash, hits_hash, queries_hash, unordered
from relevance_eval.saved import newest, read_saved


@pytest.fixture
def compared(
    folder: Path, compare_words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Path]:
    """Compares a.run and b.run by people's grades, in this process; returns the result folder."""

    def run() -> Path:
        monkeypatch.chdir(folder)
        words = [*compare_words[1:], "--qrels", "qrels.txt"]
        done = CliRunner().invoke(compare, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return newest(folder / ".relevance-eval" / "results")

    return run


def changes(old: Path, new: Path) -> Changes:
    return changes_between(read_saved(old), read_saved(new))


def changed(found: Changes) -> set[str]:
    return {a.name for a in found.aspects if a.state is State.CHANGED}


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rewrite_origin(folder: Path, **keys: object) -> None:
    path = folder / "comparison.json"
    found = json.loads(path.read_text())
    found["result"]["made_of"] |= keys
    path.write_text(json.dumps(found))


def comparable(found: Changes) -> dict[tuple[str, str], bool]:
    return {(p.ranker, p.measure): p.comparable for p in found.pairings}


def test_the_same_again_is_the_same(compared: Callable[[], Path]) -> None:
    found = changes(compared(), compared())
    assert changed(found) == set()
    assert set(comparable(found).values()) == {True}
    assert list(found.conclusion) == ["Nothing that is known of has changed."]


def test_another_run_is_another_ranker(compared: Callable[[], Path], folder: Path) -> None:
    old = compared()
    rewrite(folder / "b.run", "q1 Q0 vpn-old 1 1.0", "q1 Q0 vpn-old 1 3.0")
    found = changes(old, compared())
    assert changed(found) == {"ranker b"}
    (aspect,) = (a for a in found.aspects if a.name == "ranker b")
    assert aspect.detail == "other hits for 1 queries"
    assert found.conclusion[-1] == "Only rankers changed: what differs comes from them."


def test_with_other_documents_found_an_ideal_is_another_and_ranks_of_hits_are_not(
    compared: Callable[[], Path], folder: Path
) -> None:
    old = compared()
    rewrite(folder / "b.run", "q1 Q0 vpn-old 1 1.0", "q1 Q0 vpn-old 1 3.0")
    found = changes(old, compared())
    assert not comparable(found)["a", "EnDCG@10"]
    assert not comparable(found)["a", "nDCG@10"]
    assert comparable(found)["a", "RR"]
    assert comparable(found)["b", "P@5"]
    assert "the ideal of EnDCG@10 and nDCG@10 is another" in found.conclusion[0]


def add_query(folder: Path) -> None:
    with (folder / "queries.jsonl").open("a") as lines:
        lines.write('{"id": "q3", "text": "soup"}\n')
    with (folder / "a.run").open("a") as lines:
        lines.write("q3 Q0 menu 1 1.0 a\n")


def test_another_text_or_another_query_is_another_set(
    compared: Callable[[], Path], folder: Path
) -> None:
    old = compared()
    rewrite(folder / "queries.jsonl", "vpn setup", "vpn setup at home")
    add_query(folder)
    found = changes(old, compared())
    assert changed(found) == {"queries"}
    assert found.aspects[0].detail == "2 in both, 0 gone, 1 new, 1 with another text"
    assert set(comparable(found).values()) == {False}
    assert found.conclusion[0].startswith("Queries changed: no mean of one comparison")


def test_one_more_query_is_another_set(compared: Callable[[], Path], folder: Path) -> None:
    old = compared()
    add_query(folder)
    assert changed(changes(old, compared())) == {"queries"}


def test_other_graded_pairs_are_another_ideal(compared: Callable[[], Path], folder: Path) -> None:
    """A grade of what no ranker found is a part of the ideal, and of nothing else."""
    old = compared()
    with (folder / "qrels.txt").open("a") as lines:
        lines.write("q2 0 vpn 3\n")
    found = changes(old, compared())
    assert changed(found) == {"graded pairs"}
    (aspect,) = (a for a in found.aspects if a.name == "graded pairs")
    assert aspect.detail == "4 in both, 1 in one alone"
    assert not comparable(found)["a", "EnDCG@10"]
    assert comparable(found)["a", "RR"]
    assert "Nothing that is known of has changed." not in found.conclusion


def test_estimates_by_a_part_of_the_labels_go_beside_nothing(
    compared: Callable[[], Path],
) -> None:
    old, new = compared(), compared()
    path = new / "comparison.json"
    saved = json.loads(path.read_text())
    saved["result"]["labels"]["skipped"] = 2
    path.write_text(json.dumps(saved))
    found = changes(old, new)
    assert set(comparable(found).values()) == {False}
    assert found.conclusion[0].startswith(
        "One of the two, or both, did without a part of the labels"
    )
    assert len(found.conclusion) == 1


def test_other_tags_leave_the_means_comparable(compared: Callable[[], Path], folder: Path) -> None:
    old = compared()
    rewrite(folder / "queries.jsonl", '"vpn setup"', '"vpn setup", "band": "head"')
    found = changes(old, compared())
    assert changed(found) == set()
    assert found.aspects[0].detail == "2 queries, 1 with other tags"


def test_other_grades_are_another_judge(compared: Callable[[], Path], folder: Path) -> None:
    old = compared()
    rewrite(folder / "qrels.txt", "q2 0 menu 0", "q2 0 menu 1")
    found = changes(old, compared())
    assert changed(found) == {"judge"}
    assert "1 of 4 pairs that both graded have another grade" in found.aspects[1].detail


def test_another_text_of_a_document_is_another_corpus(
    compared: Callable[[], Path], folder: Path
) -> None:
    old = compared()
    rewrite(folder / "corpus.jsonl", "Soup on Mondays.", "Soup every day.")
    found = changes(old, compared())
    assert changed(found) == {"corpus"}
    assert found.conclusion[-1] == (
        "Corpus changed: what differs comes from there, not from a ranker."
    )


def test_the_grade_of_a_document_that_changed_tells_nothing_of_the_judge(
    compared: Callable[[], Path], folder: Path
) -> None:
    old = compared()
    rewrite(folder / "corpus.jsonl", "Soup on Mondays.", "Soup every day.")
    rewrite(folder / "qrels.txt", "q2 0 menu 0", "q2 0 menu 1")
    assert changed(changes(old, compared())) == {"corpus"}


def test_where_other_fields_are_read_nothing_is_said_of_the_corpus(
    compared: Callable[[], Path], configured: Callable[[str], Path]
) -> None:
    old = compared()
    configured("[documents]\ntitle = 'title'\n")
    found = changes(old, compared())
    assert changed(found) == {"fields"}
    assert ("corpus", State.UNKNOWN, "other fields were read") in {
        (a.name, a.state, a.detail) for a in found.aspects
    }


def test_another_gain_or_margin_is_told_apart(
    compared: Callable[[], Path], configured: Callable[[str], Path]
) -> None:
    old = compared()
    configured("[compare]\nmargin = 0.05\n")
    wider = compared()
    assert changed(changes(old, wider)) == {"deciding"}
    assert set(comparable(changes(old, wider)).values()) == {True}
    configured("[compare]\ngain = 'exponential'\n")
    found = changes(old, compared())
    assert changed(found) == {"measures"}
    assert found.conclusion[0].startswith("Measures changed: no mean of one comparison")


def test_a_ranker_that_asks_the_same_and_finds_something_else_shows_another_index(
    compared: Callable[[], Path], folder: Path
) -> None:
    old = compared()
    rewrite(folder / "b.run", "q1 Q0 vpn-old 1 1.0", "q1 Q0 vpn-old 1 3.0")
    new = compared()
    for path in (old, new):
        rewrite_origin(path, rankers={"a": "asks this", "b": "asks that"})
    found = changes(old, new)
    assert changed(found) == {"corpus"}
    (corpus,) = (a for a in found.aspects if a.name == "corpus")
    assert corpus.detail == "b asked the same and found something else"


def test_a_ranker_that_asks_something_else_has_changed_though_it_finds_the_same(
    compared: Callable[[], Path],
) -> None:
    old, new = compared(), compared()
    rewrite_origin(old, rankers={"a": "asks this", "b": "asks that"})
    rewrite_origin(new, rankers={"a": "asks this", "b": "asks more"})
    found = changes(old, new)
    assert changed(found) == {"ranker b"}
    assert found.aspects[-1].detail == "asks something else, the same hits"


def test_settings_of_an_index_are_compared_where_they_are_known(
    compared: Callable[[], Path],
) -> None:
    old, new = compared(), compared()
    assert {a.state for a in changes(old, new).aspects if a.name == "index settings"} == {
        State.UNKNOWN
    }
    rewrite_origin(old, indices={"documents": "one"})
    rewrite_origin(new, indices={"documents": "two"})
    assert changed(changes(old, new)) == {"index settings"}


def test_a_comparison_of_before_hashes_is_said_to_be_unknown(
    compared: Callable[[], Path],
) -> None:
    old, new = compared(), compared()
    path = old / "comparison.json"
    found = json.loads(path.read_text())
    del found["result"]["made_of"]
    path.write_text(json.dumps(found))
    unknown = {a.name for a in changes(old, new).aspects if a.state is State.UNKNOWN}
    assert unknown == {"fields", "measures", "deciding", "index settings"}
    assert "does not tell how it was measured" in changes(old, new).conclusion[0]


# hashes


def test_the_order_of_a_set_changes_no_hash() -> None:
    queries = [Query("q1", "a", {"x": "1", "y": "2"}), Query("q2", "b")]
    turned = [Query("q2", "b"), Query("q1", "a", {"y": "2", "x": "1"})]
    assert queries_hash(queries) == queries_hash(turned)
    assert unordered(["a", "b"]) == unordered(["b", "a"])
    assert unordered(["a", "b"]) != unordered(["ab"])


def test_hits_are_hashed_by_their_order_and_not_by_their_scores() -> None:
    def run(*hits: Hit) -> Run:
        return Run("a", {"q1": Result(hits), "q2": Result(())})

    first = hits_hash(run(Hit("x", 2.0), Hit("y", 1.0)))
    assert hits_hash(run(Hit("x", 9.0), Hit("y", 1.5))) == first
    assert hits_hash(run(Hit("y", 2.0), Hit("x", 1.0))) != first


def project(base: Path, **ranker: object) -> Project:
    rankers = {"r": {"template": "r.json"} | ranker, "s": {"template": "s.json"}}
    rankers["f"] = {"fuse": ["r", "s"]}
    return Project(Config.model_validate({"rankers": rankers}), base)


def test_a_ranker_is_known_by_what_it_asks(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"query": {"match": {"title": "{{query}}"}}}')
    (tmp_path / "s.json").write_text('{"query": {"match": {"body": "{{query}}"}}}')
    first = {n: asked_hash(project(tmp_path), n) for n in ("r", "s", "f")}
    assert len(set(first.values())) == 3
    assert asked_hash(project(tmp_path), "r.run") is None
    assert asked_hash(project(tmp_path, index="other"), "r") != first["r"]
    assert asked_hash(project(tmp_path, timeout="2s"), "f") != first["f"]
    (tmp_path / "r.json").write_text('{ "query": {"match": {"title": "{{query}}"}} }\n')
    assert asked_hash(project(tmp_path), "r") == first["r"]
    (tmp_path / "r.json").write_text('{"query": {"match": {"title^2": "{{query}}"}}}')
    assert asked_hash(project(tmp_path), "r") != first["r"]
    assert asked_hash(project(tmp_path), "f") != first["f"]
    assert asked_hash(project(tmp_path), "s") == first["s"]
