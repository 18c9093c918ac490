"""The store: reuse exactly when nothing changed, and nothing lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.errors import StorageError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

MakePairs = Callable[[int], list[Pair]]
PAIR = Pair(Query("q1", "vacation"), Document("d1", {"body": "days off"}))
JUDGED = Judgment("model-1", (0.1, 0.2, 0.3, 0.4))


def test_a_judgment_is_found_by_texts_whatever_the_ids(store: Judgments) -> None:
    store.put([(PAIR.key, JUDGED)])
    same = Pair(Query("other", "vacation"), Document("elsewhere", {"body": "days off"}))
    assert store.get([same], "model-1") == {PAIR.key: JUDGED}


@pytest.mark.parametrize(
    ("query", "body", "labeler"),
    [
        ("Vacation", "days off", "model-1"),
        ("vacation", "days off.", "model-1"),
        ("vacation", "days off", "model-2"),
    ],
    ids=["query", "content", "labeler"],
)
def test_a_judgment_is_not_reused_when_something_changed(
    store: Judgments, query: str, body: str, labeler: str
) -> None:
    store.put([(PAIR.key, JUDGED)])
    assert store.get([Pair(Query("q1", query), Document("d1", {"body": body}))], labeler) == {}


def test_judgments_outlive_the_connection(store_path: Path, make_pairs: MakePairs) -> None:
    pairs = make_pairs(450)  # more than one query's worth of parameters
    with Judgments(store_path) as store:
        store.put((p.key, Judgment("m", (1 / 3, 1 / 7, 0.0, 1 - 1 / 3 - 1 / 7))) for p in pairs)
    with Judgments(store_path) as store:
        found = store.get(pairs, "m")
        assert store.count() == len(found) == 450
    assert found[pairs[449].key].probabilities == (1 / 3, 1 / 7, 0.0, 1 - 1 / 3 - 1 / 7)


def test_a_grade_named_by_cut_points_is_kept(store: Judgments) -> None:
    judgment = Judgment.with_cuts("m", (0.4, 0.4, 0.2, 0.0), (0.4, 0.75, 1.5))
    store.put([(PAIR.key, judgment)])
    found = store.get([PAIR], "m")[PAIR.key]
    assert (found, found.grade) == (judgment, 2)


def test_a_pair_that_is_tried_again_has_the_grade_that_cut_points_name(store: Judgments) -> None:
    judgment = Judgment.with_cuts("m", (0.4, 0.4, 0.2, 0.0), (0.4, 0.75, 1.5))
    store.put([(PAIR.key, Judgment.failed("m", "timed out"))])
    store.put([(PAIR.key, judgment)])
    assert store.get([PAIR], "m")[PAIR.key].grade == 2


def test_a_new_judgment_replaces_the_old_one(store: Judgments) -> None:
    later = Judgment.certain("model-1", 0)
    store.put([(PAIR.key, JUDGED)])
    store.put([(PAIR.key, later)])
    assert (store.count(), store.get([PAIR], "model-1")) == (1, {PAIR.key: later})


def test_half_a_character_is_stored_and_found_again(store: Judgments) -> None:
    pair = Pair(Query("q1", "vacation \ud83d"), Document("d1", {"body": "days off \ud83d"}))
    store.put([(pair.key, Judgment.refused("model-1", "I will not \ud83d"))])
    found = store.get([pair], "model-1")
    assert found == {pair.key: Judgment.refused("model-1", "I will not \\ud83d")}


def test_a_failure_takes_the_place_of_no_answer(store: Judgments) -> None:
    """Two processes may have asked about one pair."""
    failure = Judgment.failed("model-1", "HTTP 429")
    store.put([(PAIR.key, failure)])
    store.put([(PAIR.key, JUDGED)])
    store.put([(PAIR.key, failure)])
    assert store.get([PAIR], "model-1") == {PAIR.key: JUDGED}


def test_failures_are_tried_again_and_refusals_are_answers(
    store: Judgments, make_pairs: MakePairs
) -> None:
    failed, refused = make_pairs(2)
    refusal = Judgment.refused("m", "no text")
    store.put([(failed.key, Judgment.failed("m", "timed out")), (refused.key, refusal)])
    assert store.get([failed, refused], "m") == {refused.key: refusal}


def test_a_person_wins_over_the_model_unless_people_are_left_aside(store: Judgments) -> None:
    store.put([(PAIR.key, JUDGED)])
    assert store.add_people("ann", [PAIR], {"q1": {"d1": 0}}) == 1
    assert store.get([PAIR], "model-1") == {PAIR.key: Judgment.certain("person:ann", 0)}
    assert store.get([PAIR], "model-1", people=False) == {PAIR.key: JUDGED}


def test_a_person_counts_for_every_labeler(store: Judgments) -> None:
    store.add_people("ann", [PAIR], {"q1": {"d1": 2}})
    assert store.get([PAIR], "never seen")[PAIR.key].grade == 2


def test_several_people_share(store: Judgments) -> None:
    store.add_people("ann", [PAIR], {"q1": {"d1": 3}})
    store.add_people("bob", [PAIR], {"q1": {"d1": 2}})
    found = store.get([PAIR], "m")[PAIR.key]
    assert found == Judgment("person:2 people", (0.0, 0.0, 0.5, 0.5))


def test_a_person_may_think_again(store: Judgments) -> None:
    store.add_people("ann", [PAIR], {"q1": {"d1": 3}})
    store.add_people("ann", [PAIR], {"q1": {"d1": 1}})
    assert store.get([PAIR], "m") == {PAIR.key: Judgment.certain("person:ann", 1)}


def test_grades_of_documents_without_a_text_are_not_stored(
    store: Judgments, make_pairs: MakePairs
) -> None:
    grades = {"q0": {"d0": 3, "gone": 1}, "q1": {"d0": 2}, "q9": {"d0": 1}}
    assert store.add_people("ann", make_pairs(2), grades) == 1
    assert store.count() == 1


def test_a_batch_is_written_whole_or_not_at_all(store: Judgments, make_pairs: MakePairs) -> None:
    good, bad = make_pairs(2)
    with pytest.raises(StorageError):
        store.put([(good.key, JUDGED), ((bad.key[0], None), JUDGED)])  # type: ignore[list-item]
    assert store.count() == 0
    store.put([(good.key, JUDGED)])
    assert store.count() == 1


def test_a_newer_store_is_refused_and_left_alone(
    store_path: Path, explained: Callable[..., None]
) -> None:
    with Judgments(store_path) as store:
        store.put([(PAIR.key, JUDGED)])
        store.database.execute("PRAGMA user_version = 7")
    with pytest.raises(StorageError) as caught:
        Judgments(store_path)
    says = "version 7, and this one knows 1"
    explained(caught.value, code=5, where=str(store_path), says=says, remedy="upgrade")
    other = sqlite3.connect(store_path)
    assert other.execute("PRAGMA user_version").fetchone() == (7,)
    other.close()


def test_a_file_that_is_no_store_is_told(store_path: Path, explained: Callable[..., None]) -> None:
    store_path.write_bytes(b"this is no database, only some text of mine\n" * 100)
    with pytest.raises(StorageError) as caught:
        Judgments(store_path)
    says, remedy = "file is not a database", "move the file away"
    explained(caught.value, code=5, where=str(store_path), says=says, remedy=remedy)


def test_a_damaged_store_is_told(
    store_path: Path, make_pairs: MakePairs, explained: Callable[..., None]
) -> None:
    pairs = make_pairs(300)
    with Judgments(store_path) as store:
        store.put((p.key, JUDGED) for p in pairs)
    content = store_path.read_bytes()
    store_path.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    with Judgments(store_path) as store, pytest.raises(StorageError) as caught:
        store.get(pairs, "model-1")
    says, remedy = "malformed", "move the file away"
    explained(caught.value, code=5, where=str(store_path), says=says, remedy=remedy)


@pytest.mark.parametrize("name", ["", "file/judgments.sqlite"])
def test_a_path_that_can_hold_no_store_is_told(
    name: str, tmp_path: Path, explained: Callable[..., None]
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(StorageError) as caught:
        Judgments(path)
    explained(caught.value, code=5, where=str(path), says="", remedy="name another folder")


def test_a_full_database_keeps_what_was_written_before(
    store: Judgments, store_path: Path, make_pairs: MakePairs, explained: Callable[..., None]
) -> None:
    first, second = make_pairs(1000)[:100], make_pairs(1000)[100:]
    store.put((p.key, JUDGED) for p in first)
    pages = int(store.database.execute("PRAGMA page_count").fetchone()[0])
    store.database.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageError) as caught:
        store.put((p.key, JUDGED) for p in second)
    explained(caught.value, code=5, where=str(store_path), says="full", remedy="free some space")
    assert set(store.get(first + second, "model-1")) == {p.key for p in first}
    store.database.execute("PRAGMA max_page_count = 100000")
    store.put((p.key, JUDGED) for p in second)
    assert store.count() == 1000


def test_a_store_locked_by_another_process_is_told(
    store: Judgments, store_path: Path, explained: Callable[..., None]
) -> None:
    store.database.execute("PRAGMA busy_timeout = 50")  # instead of 30 seconds
    other = sqlite3.connect(store_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as caught:
        store.put([(PAIR.key, JUDGED)])
    other.execute("ROLLBACK")
    other.close()
    remedy = "judgments written before this are kept"
    explained(caught.value, code=5, where=str(store_path), says="locked", remedy=remedy)
    store.put([(PAIR.key, JUDGED)])
    assert store.count() == 1


def test_a_new_store_waits_for_another_that_is_being_made(store_path: Path) -> None:
    other = sqlite3.connect(store_path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    release.start()
    with Judgments(store_path) as store:
        store.put([(PAIR.key, JUDGED)])
        assert store.count() == 1
    release.join()
    other.close()


NO_ROOM = """
import resource, sys
from pathlib import Path
from relevance_eval.errors import StorageError
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments

many = [((f"query {i}", "hash"), Judgment.certain("m", 1)) for i in range(2000)]
with Judgments(Path(sys.argv[1])) as store:
    store.put(many[:10])
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
    try:
        store.put(many)
    except StorageError as error:
        print(error.where, store.count())
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    store.put(many)
    print(store.count())
"""


def test_a_disk_that_is_full_until_space_is_freed(store_path: Path) -> None:
    pytest.importorskip("resource", reason="limits a file's size, which takes POSIX")
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, store_path], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{store_path} 10\n2000\n", "")


WRITER = """
import sys, time
from pathlib import Path
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments

path, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
with Judgments(path) as store:
    for i in range(100):
        store.put([((f"{name} {i} {j}", "hash"), Judgment.certain(name, 1)) for j in range(5)])
"""


def test_two_processes_write_at_once_from_the_first_moment(store_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, store_path, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [(*w.communicate(timeout=120), w.returncode) for w in writers] == [("", "", 0)] * 2
    with Judgments(store_path) as store:
        assert store.count() == 1000
