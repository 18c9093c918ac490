"""Labelling buys what is missing, loses nothing, and counts right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from relevance_eval.errors import StorageError
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelling import Labelling, label
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

MakePairs = Callable[[int], list[Pair]]


class Grader:
    """A labeler that grades by the document's number; some it fails or refuses, and it may break.

    It answers the last pair first, as one that sorts by length might.
    """

    name = "grader"

    def __init__(
        self,
        fingerprint: str = "grader-1",
        *,
        fails: str = "",
        refuses: str = "",
        leaves_out: str = "",
        breaks_after: int | None = None,
        error: type[BaseException] = RuntimeError,
    ):
        self.fingerprint = fingerprint
        self.fails = fails.split()
        self.refuses = refuses.split()
        self.leaves_out = leaves_out.split()
        self.breaks_after = breaks_after
        self.error = error
        self.asked: list[str] = []

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        self.asked += [p.document.id for p in pairs]
        for done, position in enumerate(reversed(range(len(pairs)))):
            if done == self.breaks_after:
                raise self.error("broke half-way")
            if pairs[position].document.id not in self.leaves_out:
                yield position, self.judge(pairs[position].document.id)

    def judge(self, document_id: str) -> Judgment:
        if document_id in self.fails:
            return Judgment.failed(self.fingerprint, "timed out")
        if document_id in self.refuses:
            return Judgment.refused(self.fingerprint, "no text")
        return Judgment.certain(self.fingerprint, int(document_id[1:]) % 4)


def counts(labelling: Labelling) -> dict[str, int]:
    names = ("reused", "bought", "failed", "refused", "unasked")
    found = {name: getattr(labelling, name) for name in names}
    assert labelling.needed == sum(found.values()) == len(labelling.judgments)
    return {name: count for name, count in found.items() if count}


def test_each_pair_gets_its_own_judgment(store: Judgments, make_pairs: MakePairs) -> None:
    pairs = make_pairs(6)
    found = label(pairs, Grader(), store)
    assert counts(found) == {"bought": 6}
    assert [found.judgments[p.key].grade for p in pairs] == [0, 1, 2, 3, 0, 1]
    assert found.by_id(pairs)["q3"]["d3"].grade == 3


def test_a_second_call_buys_only_what_is_new(store: Judgments, make_pairs: MakePairs) -> None:
    first = label(make_pairs(4), Grader(), store)
    again = Grader()
    second = label(make_pairs(6), again, store)
    assert again.asked == ["d4", "d5"]
    assert counts(second) == {"reused": 4, "bought": 2}
    assert first.judgments.items() <= second.judgments.items()


def test_a_labeler_with_nothing_to_do_is_not_called(
    store: Judgments, make_pairs: MakePairs
) -> None:
    label(make_pairs(4), Grader(), store)
    assert counts(label(make_pairs(4), Grader(breaks_after=0), store)) == {"reused": 4}


def test_another_labeler_buys_its_own(store: Judgments, make_pairs: MakePairs) -> None:
    label(make_pairs(4), Grader(), store)
    assert counts(label(make_pairs(4), Grader("grader-2"), store)) == {"bought": 4}


def test_pairs_of_the_same_text_are_bought_once(store: Judgments, make_pairs: MakePairs) -> None:
    (pair,) = make_pairs(1)
    copy = Pair(Query("q7", pair.query.text), pair.document)
    grader = Grader()
    found = label([pair, copy, pair], grader, store)
    assert (grader.asked, counts(found)) == (["d0"], {"bought": 1})
    assert set(found.by_id([pair, copy])) == {"q0", "q7"}


def test_failures_are_bought_again_and_refusals_are_not(
    store: Judgments, make_pairs: MakePairs
) -> None:
    pairs = make_pairs(5)
    found = label(pairs, Grader(fails="d1 d2", refuses="d3"), store)
    assert counts(found) == {"bought": 2, "failed": 2, "refused": 1}
    assert found.judgments[pairs[1].key].reason == "timed out"
    assert set(found.by_id(pairs)) == {"q0", "q4"}
    again = Grader()
    assert counts(label(pairs, again, store)) == {"reused": 2, "bought": 2, "refused": 1}
    assert sorted(again.asked) == ["d1", "d2"]


def test_what_a_labeler_leaves_out_is_no_failure_and_is_bought_later(
    store: Judgments, make_pairs: MakePairs
) -> None:
    pairs = make_pairs(5)
    found = label(pairs, Grader(leaves_out="d1 d4", fails="d2"), store)
    assert counts(found) == {"bought": 2, "failed": 1, "unasked": 2}
    assert set(found.by_id(pairs)) == {"q0", "q3"}
    assert store.count() == 3
    assert counts(label(pairs, Grader(), store)) == {"reused": 2, "bought": 3}


class PaidGrader(Grader):
    """Looks into the store before each of its answers."""

    def __init__(self, store: Judgments):
        super().__init__()
        self.store = store
        self.proven = False
        self.spent: list[int] = []

    def judge(self, document_id: str) -> Judgment:
        self.spent.append(self.store.count())
        return super().judge(document_id)


def test_what_was_paid_for_is_written_before_the_next_answer(
    store: Judgments, make_pairs: MakePairs
) -> None:
    grader = PaidGrader(store)
    label(make_pairs(6), grader, store)
    assert grader.spent == [0, 1, 2, 3, 4, 5]


class SlowGrader(PaidGrader):
    """While it answers its first pair, another command labels the same."""

    def __init__(self, store: Judgments, other: threading.Thread):
        super().__init__(store)
        self.other = other

    def judge(self, document_id: str) -> Judgment:
        if not self.spent:
            self.other.start()
            self.other.join(0.5)  # it waits, or would have bought everything by now
        return super().judge(document_id)


def test_two_commands_at_once_pay_for_no_label_twice(
    store: Judgments, store_path: Path, make_pairs: MakePairs
) -> None:
    found: list[Labelling] = []

    def late() -> None:
        with Judgments(store_path) as own:
            found.append(label(make_pairs(8), PaidGrader(own), own))

    other = threading.Thread(target=late)
    assert counts(label(make_pairs(6), SlowGrader(store, other), store)) == {"bought": 6}
    other.join()
    assert counts(found[0]) == {"reused": 6, "bought": 2}


def test_what_is_there_already_waits_for_nobody(
    store: Judgments, store_path: Path, make_pairs: MakePairs
) -> None:
    label(make_pairs(4), PaidGrader(store), store)
    with Judgments(store_path) as other, other.turn(Grader().fingerprint):
        assert counts(label(make_pairs(4), PaidGrader(store), store)) == {"reused": 4}


def test_peoples_grades_are_reused_first_unless_left_aside(
    store: Judgments, make_pairs: MakePairs
) -> None:
    pairs = make_pairs(3)
    label(pairs, Grader(), store)
    store.add_people("ann", pairs, {"q0": {"d0": 3}})
    found = label(pairs, Grader(), store)
    assert (found.by_people, found.judgments[pairs[0].key].grade) == (1, 3)
    aside = label(pairs, Grader(), store, people=False)
    assert (aside.by_people, aside.judgments[pairs[0].key].grade) == (0, 0)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("answered", [0, 3, 300])
def test_a_labeler_that_breaks_half_way_loses_nothing(
    store: Judgments, make_pairs: MakePairs, error: type[BaseException], answered: int
) -> None:
    pairs = make_pairs(400)
    with pytest.raises(error, match="broke half-way"):
        label(pairs, Grader(breaks_after=answered, error=error), store)
    assert store.count() == answered
    again = Grader()
    assert label(pairs, again, store).bought == len(again.asked) == 400 - answered


def test_a_full_store_keeps_the_batches_written_before(
    store: Judgments, store_path: Path, make_pairs: MakePairs, explained: Callable[..., None]
) -> None:
    pairs = make_pairs(1000)
    store.database.execute("PRAGMA max_page_count = 60")
    with pytest.raises(StorageError) as caught:
        label(pairs, Grader(), store)
    explained(caught.value, code=5, where=str(store_path), says="full", remedy="free some space")
    kept = store.count()
    assert 0 < kept < 1000
    store.database.execute("PRAGMA max_page_count = 100000")
    assert counts(label(pairs, Grader(), store)) == {"reused": kept, "bought": 1000 - kept}


def test_progress_rises_to_the_number_of_labels_bought(
    store: Judgments, make_pairs: MakePairs
) -> None:
    label(make_pairs(50), Grader(), store)
    heard: list[tuple[int, int]] = []
    label(make_pairs(650), Grader(), store, lambda done, total: heard.append((done, total)))
    done = [d for d, _ in heard]
    assert {total for _, total in heard} == {600}
    assert done == sorted(done)
    assert len(done) >= 3
    assert done[-1] == 600


def test_labelling_nothing_is_nothing(store: Judgments) -> None:
    found = label([], Grader(breaks_after=0), store)
    assert (found.needed, found.judgments, found.by_id([])) == (0, {}, {})
