"""A random sample of queries: its draw, its file, and what shows that it is not random."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.errors import InputError, UsageError
from relevance_eval.evaluators.audit import (
    Audit,
    draw_audit,
    hash_queries,
    not_random,
    read_audit,
    write_audit,
)
from relevance_eval.evaluators.query import Query


def queries(count: int) -> list[Query]:
    """Every third is a question, the others are topics."""
    kinds = ("question", "topic", "topic")
    return [Query(f"q{n}", f"text {n}", {"kind": kinds[n % 3]}) for n in range(count)]


SET = queries(60)


def changed(audit: Audit, **fields: object) -> Audit:
    return audit.model_copy(update=fields)


def test_as_many_queries_are_drawn_as_were_asked_for_each_as_probable_as_another() -> None:
    audit = draw_audit(SET, 15, seed=3)
    assert len(audit.drawn) == 15
    assert set(audit.drawn.values()) == {15 / 60}
    assert audit.drawn.keys() < {q.id for q in SET}
    assert (audit.queries, audit.query_set) == (60, hash_queries(SET))


def test_over_many_seeds_each_query_is_drawn_as_often_as_another() -> None:
    drawn = Counter(i for seed in range(400) for i in draw_audit(SET, 12, seed=seed).drawn)
    assert all(45 <= drawn[q.id] <= 120 for q in SET)  # 80 expected, standard deviation 8


def test_over_many_seeds_inverse_probabilities_count_the_set() -> None:
    few, counted = SET[:12], Counter[str]()
    weights = {q.id: 1.0 + 2 * (q.tags["kind"] == "question") for q in few}
    for seed in range(1000):
        for i, chance in draw_audit(few, 4, seed=seed, weights=weights).drawn.items():
            counted[i] += round(1 / chance, 9)
    assert counted.total() / 1000 == pytest.approx(12, abs=0.6)  # standard deviation 0.18
    assert all(counted[q.id] / 1000 == pytest.approx(1, abs=0.25) for q in few)


def test_strata_give_in_proportion_to_their_size() -> None:
    audit = draw_audit(SET, 15, "kind", seed=1)
    questions = {q.id for q in SET if q.tags["kind"] == "question"}
    assert len(audit.drawn.keys() & questions) == 5
    assert {audit.drawn[i] for i in audit.drawn.keys() & questions} == {5 / 20}


def test_a_small_stratum_gives_two_and_one_of_a_single_query_gives_that() -> None:
    rare = [Query("r0", "rare", {"kind": "rare"}), Query("r1", "rarer", {"kind": "rare"})]
    found = draw_audit([*SET, *rare, Query("x", "untagged")], 10, "kind")
    assert {"r0": 1.0, "r1": 1.0, "x": 1.0}.items() <= found.drawn.items()
    assert len(found.drawn) == 10


def test_weights_make_some_queries_certain_and_all_sum_to_the_size() -> None:
    weights = {q.id: 1000.0 if q.id == "q7" else 1.0 for q in SET}
    chances = [draw_audit(SET, 10, seed=s, weights=weights).drawn for s in range(30)]
    assert all(drawn["q7"] == 1.0 for drawn in chances)
    assert {round(c, 9) for drawn in chances for i, c in drawn.items() if i != "q7"} == {
        round(9 / 59, 9)
    }


@given(st.permutations(SET), st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_the_order_of_the_set_does_not_matter(order: list[Query], seed: int) -> None:
    assert draw_audit(order, 12, "kind", seed) == draw_audit(SET, 12, "kind", seed)


def test_another_seed_draws_others() -> None:
    assert draw_audit(SET, 15, seed=0).drawn != draw_audit(SET, 15, seed=1).drawn


@pytest.mark.parametrize("weighted", [False, True])
def test_a_draw_is_random_after_its_file_was_read_again(tmp_path: Path, weighted: bool) -> None:
    weights = {q.id: 1.0 + n / 7 for n, q in enumerate(SET)} if weighted else None
    audit = draw_audit(SET, 15, None if weighted else "kind", 4, weights=weights)
    write_audit(tmp_path / "audit.json", audit)
    again = read_audit(tmp_path / "audit.json")
    assert again == audit
    assert not_random(again, SET[::-1]) is None


def test_an_audit_without_a_file_is_not_random() -> None:
    assert "no audit file" in (not_random(None, SET) or "")


def exchanged(audit: Audit) -> Audit:
    first, *rest = audit.drawn
    added = next(q.id for q in SET if q.id not in audit.drawn)
    return changed(audit, drawn={i: audit.drawn[first] for i in (*rest, added)})


@pytest.mark.parametrize(
    "touched",
    [
        exchanged,
        lambda a: changed(a, drawn={i: 0.5 for i in a.drawn}),
        lambda a: changed(a, drawn=dict(list(a.drawn.items())[:-1])),
        lambda a: changed(a, seed=a.seed + 1),
        lambda a: changed(a, size=a.size + 1),
    ],
    ids=["exchanged", "other chances", "left out", "other seed", "other size"],
)
def test_an_audit_that_was_changed_by_hand_is_recognised(touched: Callable[[Audit], Audit]) -> None:
    audit = draw_audit(SET, 15, seed=2)
    assert "chosen by hand" in (not_random(touched(audit), SET) or "")


def test_an_audit_of_another_set_says_how_many_of_its_queries_are_unknown() -> None:
    audit = draw_audit(SET, 60, seed=2)
    reason = not_random(audit, queries(40))
    assert reason is not None
    assert "another set of 60 queries" in reason
    assert "this one has 40, and 20 of those drawn are not in this one" in reason


def test_a_query_whose_text_changed_makes_another_set() -> None:
    other = [Query("q0", "other text", SET[0].tags), *SET[1:]]
    assert "another set" in (not_random(draw_audit(SET, 10), other) or "")


def test_two_of_each_stratum_are_enough() -> None:
    kinds = {q.id: q.tags["kind"] for q in SET}
    audit = draw_audit(SET, 4, "kind")
    assert set(Counter(kinds[i] for i in audit.drawn).values()) == {2}
    assert not_random(audit, SET) is None


def test_an_audit_that_no_draw_can_have_made_is_told() -> None:
    audit = changed(draw_audit(SET, 15, "kind"), strata="band")
    assert "cannot have been drawn" in (not_random(audit, SET) or "")


@pytest.mark.parametrize(
    ("size", "strata", "weights", "says", "remedy"),
    [
        (1, None, None, "an audit of 1 cannot be drawn from 60 queries", "2 to 60"),
        (61, None, None, "an audit of 61", "2 to 60"),
        (10, "band", None, "no query has the tag 'band'", "kind"),
        (3, "kind", None, "2 strata need an audit of 4 or more, not 3", "fewer values"),
        (10, None, {"q0": 1.0}, "a weight above 0 is needed", "never be drawn"),
        (10, None, {q.id: 0.0 for q in SET}, "a weight above 0 is needed", "never be drawn"),
        (10, None, {q.id: 1.0 for q in queries(61)}, "for no other", "never be drawn"),
        (10, "kind", {q.id: 1.0 for q in SET}, "not by both", ""),
    ],
)
def test_a_draw_that_cannot_be_made_is_told(
    size: int, strata: str | None, weights: dict[str, float] | None, says: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        draw_audit(SET, size, strata, weights=weights)
    assert says in caught.value.message
    assert remedy in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "the file"),
        (json.dumps({"schema": "relevance-eval/audit/2"}), "schema"),
        ("\ud800", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
    ids=["cut off", "no object", "newer", "not text", "deep"],
)
def test_a_file_that_is_no_audit_is_told(
    tmp_path: Path, explained: Callable[..., None], text: str, says: str
) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError) as caught:
        read_audit(path)
    remedy = "" if says == "not JSON" else "not by hand"
    explained(caught.value, code=2, where=str(path), says=says, remedy=remedy)


@pytest.mark.parametrize(
    ("key", "value"), [("seed", -1), ("drawn", {"q0": 0}), ("query_set", "x"), ("more", 1)]
)
def test_a_field_that_is_wrong_is_named(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "audit.json"
    write_audit(path, draw_audit(SET, 10))
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(InputError, match=key):
        read_audit(path)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_audit(tmp_path / "none.json")
