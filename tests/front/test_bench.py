"""The figures of a labeler on this machine: what is counted, and that it adds up; not how fast."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.bench import Bench, Lengths, estimate, estimate_pool, sample_pairs, timed
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.invented import invented_pairs

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Complaint = Callable[..., str]
FEW = ("--pairs", "3", "--rounds", "3")
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")


def held(*, once: bool) -> Bench:
    """Twenty pairs of five documents, in rounds of 2, 1 and 4 seconds."""
    lengths = Lengths(5, 6.0, 7.0, 8.0, 9, 140)
    return Bench(20, 4, 5, 0, once, (2.0, 1.0, 4.0), lengths)


def pairs_of(documents: int, queries: int) -> list[Pair]:
    """Every query with every document."""
    texts = [Document(f"d{i}", {"body": f"text {i}"}) for i in range(documents)]
    return [Pair(Query(f"q{j}", f"query {j}"), text) for j in range(queries) for text in texts]


def test_rates_are_medians_with_their_ends() -> None:
    found = held(once=True)
    labels, documents = found.labels_per_second, found.documents_per_second
    assert documents is not None
    assert (labels.median, labels.least, labels.most) == (10.0, 5.0, 20.0)
    assert (documents.median, documents.least, documents.most) == (2.5, 1.25, 5.0)
    assert found.tokens_per_second.median == 70.0
    assert held(once=False).documents_per_second is None


def test_an_estimate_goes_by_documents_where_each_is_encoded_once() -> None:
    pool = pairs_of(documents=50, queries=3)
    by_document = estimate(held(once=True), pool, rankers=2, depth=10)
    by_pair = estimate(held(once=False), pool, rankers=2, depth=10)
    assert (by_pair.queries, by_pair.pool, by_pair.documents) == (3, 150, 50)
    assert not by_pair.assumed
    assert by_document.minutes.median == pytest.approx(50 / 5 * 2 / 60)
    assert by_pair.minutes.median == pytest.approx(150 / 20 * 2 / 60)
    assert by_pair.minutes.least == pytest.approx(150 / 20 * 1 / 60)
    assert by_pair.minutes.most == pytest.approx(150 / 20 * 4 / 60)


@pytest.mark.parametrize("rankers", [1, 2, 5])
def test_an_assumed_pool_grows_with_the_root_of_the_rankers(rankers: int) -> None:
    guess = estimate_pool(held(once=False), queries=150, rankers=rankers, depth=10)
    assert guess.pool == guess.documents == math.ceil(1500 * math.sqrt(rankers))
    assert guess.assumed
    assert guess.minutes.median == pytest.approx(guess.pool / 20 * 2 / 60)


def test_a_sample_holds_whole_documents_and_is_the_same_for_a_seed() -> None:
    pool = pairs_of(documents=30, queries=4)
    drawn = sample_pairs(pool, 10, seed=3)
    assert len(drawn) == 12  # three documents of four pairs each
    assert len({p.document.id for p in drawn}) == 3
    assert drawn == sample_pairs(pool, 10, seed=3) != sample_pairs(pool, 10, seed=4)
    assert sample_pairs(pool, 1000, seed=3) == pool


def test_invented_texts_are_the_same_for_a_seed_and_of_the_stated_lengths() -> None:
    made = invented_pairs(300, seed=1)
    assert made == invented_pairs(300, seed=1) != invented_pairs(300, seed=2)
    words = sorted(len(p.document.fields["body"].split()) for p in made)
    assert words[0] >= 20
    assert words[-1] <= 1000
    assert 150 < words[150] < 260
    assert {len(p.query.text.split()) for p in made} <= set(range(2, 9))
    assert len({p.document.content_hash for p in made}) == 300


def test_the_built_in_labeler_counts_the_tokens_that_it_reads() -> None:
    labeler = load_labeler("builtin")
    documents = [Document("a", {"body": "soup"}), Document("b", {})]
    pairs = [Pair(Query("q", "soup"), document) for document in documents]
    told: list[tuple[int, int]] = []
    found = timed(labeler, pairs, 2, lambda done, total: told.append((done, total)))
    assert (found.pairs, found.queries, found.documents, found.ungraded) == (2, 1, 2, 1)
    assert found.lengths.longest == 3  # [CLS] soup [SEP]
    assert len(found.seconds) == 2
    assert told == [(0, 2), (1, 2)]


def test_runs_are_counted_and_not_assumed(answer: Answer, folder: Path) -> None:
    found = answer("bench", "a.run", "b.run", *FILES, *FEW, cwd=folder)
    assert found["texts"]["source"] == "runs"
    assert found["texts"]["mix"] is None
    assert found["texts"]["pairs"] == found["texts"]["documents"] == 3
    guess = found["comparison"]
    assert (guess["queries"], guess["rankers"], guess["depth"]) == (2, 2, 10)
    assert (guess["pool"], guess["documents"], guess["assumed"]) == (4, 4, False)
    assert found["labels_per_second"] == found["documents_per_second"]
    assert not (folder / ".relevance-eval").exists()  # nothing is stored


def test_without_anything_it_says_what_it_assumes(cli: Cli, answer: Answer, tmp_path: Path) -> None:
    found = answer("bench", *FEW, "--for-rankers", "4", "--seed", "5", cwd=tmp_path)
    assert set(found) == {
        *("labeler", "machine", "texts", "rounds", "seconds", "labels_per_second"),
        *("documents_per_second", "tokens_per_second", "comparison"),
    }
    texts = found["texts"]
    assert (texts["source"], texts["seed"], texts["tokens_of"]) == ("invented", 5, "document")
    assert texts["quartiles"] == sorted(texts["quartiles"])
    assert texts["tokens"] > texts["quartiles"][-1]
    assert found["rounds"] == len(found["seconds"]) == 3
    for name in ("labels_per_second", "documents_per_second", "tokens_per_second"):
        rate = found[name]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]
    assert found["labels_per_second"]["max"] == pytest.approx(3 / min(found["seconds"]), rel=1e-2)
    guess = found["comparison"]
    assert (guess["queries"], guess["rankers"], guess["pool"]) == (150, 4, 3000)
    assert guess["assumed"]
    machine = found["machine"]
    assert machine["provider"] == "CPU"
    assert machine["threads"] >= 1 <= machine["cores"]
    assert machine["memory_mb"] > 50
    said = cli("bench", *FEW, "-q", cwd=tmp_path).stdout
    assert "labels" in said
    assert "assumed:" in said


def test_a_name_that_would_move_the_cursor_is_shown_without(cli: Cli, tmp_path: Path) -> None:
    builtin = str(resources.files("relevance_eval.builtin_labeler"))
    manifest = Path(shutil.copytree(builtin, tmp_path / "mine")) / "labeler.json"
    content = json.loads(manifest.read_bytes()) | {"name": "mine\x1b[2J\nlabels 9"}
    manifest.write_text(json.dumps(content))
    said = cli("bench", *FEW, "--labeler", "mine", "-q", cwd=tmp_path).stdout
    assert said.splitlines()[0] == "labeler: mine [2J labels 9"


def test_an_estimate_is_asked_for_or_counted_and_not_both(
    complaint: Complaint, folder: Path
) -> None:
    said = complaint("bench", "a.run", *FILES, "--for-queries", "9", cwd=folder)
    assert "counted, not estimated" in said


def test_a_labeler_that_is_elsewhere_has_no_speed_here(complaint: Complaint, folder: Path) -> None:
    assert "people is no model on this machine" in complaint(
        "bench", "--labeler", "people", cwd=folder
    )
