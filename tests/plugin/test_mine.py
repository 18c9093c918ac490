"""Mining on the real node: windows, what is dropped and why, and draws that stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, MissingIndexError, RequestError, UsageError
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.guard import Guard
from relevance_eval.plugin.mine import Mining, mine
from relevance_eval.plugin.mining_report import Drop
from relevance_eval.plugin.rankers import FusedRanker, Ranker, Target, TemplateRanker
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.settings import MineSettings

Complains = Callable[..., Any]
Indices = Callable[..., str]
Rankers = Callable[..., TemplateRanker]
Mined = Callable[..., Mining]

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
BY_SIZE = {
    "query": {
        "function_score": {
            "query": {"match_all": {}},
            "field_value_factor": {"field": "size"},
            "boost_mode": "replace",
        }
    }
}
"""Every document, its size for a score."""


def words(number: int) -> str:
    return f"{NUMBERS[number // 10]} {NUMBERS[number % 10]} apart vpn"


@pytest.fixture
def forty(make_index: Indices) -> str:
    """d00 to d39; by size, d00 has rank 1 and score 100, d39 rank 40 and score 61."""
    return make_index({f"d{n:02}": {"title": words(n), "size": 100 - n} for n in range(40)})


@pytest.fixture
def by_size(forty: str, make_ranker: Rankers) -> TemplateRanker:
    return make_ranker("size", forty, BY_SIZE)


@pytest.fixture
def mined(es: Elasticsearch) -> Mined:
    """Mines for queries that are all about the positives given, or d00."""

    def run(
        index: str,
        rankers: Sequence[Ranker] = (),
        *,
        windows: Sequence[tuple[int, int, int]] = ((1, 10, 3), (11, 30, 2)),
        queries: Sequence[str] = ("q1",),
        positives: Mapping[str, tuple[str, ...]] | None = None,
        fields: Mapping[str, str] | None = None,
        guard: Guard | None = None,
        seed: int = 0,
        text: str = "vpn",
        progress: Callable[[int, int], None] = lambda done, total: None,
        embedders: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Mining:
        asked = [Query(i, text, {"seed": "d00"}) for i in queries]
        parts = [{"first": f, "last": last, "take": take} for f, last, take in windows]
        return mine(
            es,
            asked,
            positives or {q.id: ("d00",) for q in asked},
            MineSettings.model_validate({"windows": parts, "random": 0, **settings}),
            target=Target(index),
            rankers=rankers,
            fields=fields or {"title": "title"},
            load=Load(retries=0),
            embedders=embedders,
            guard=guard,
            seed=seed,
            progress=progress,
        )

    return run


def negatives(mining: Mining, query: str = "q1", origin: str = "") -> list[str]:
    return [
        e.pair.document.id
        for e in mining.examples
        if e.pair.query.id == query and e.origin not in ("seed", "qrels") and origin in e.origin
    ]


def dropped(mining: Mining) -> dict[Drop, int]:
    return {drop: count for drop, count in mining.report.dropped.items() if count}


def test_each_window_gives_its_number_of_documents_from_its_ranks(
    forty: str, by_size: TemplateRanker, mined: Mined
) -> None:
    found = mined(forty, [by_size])
    seed, *others = found.examples
    assert seed == Example(
        Pair(Query("q1", "vpn", {"seed": "d00"}), seed.pair.document), "seed", "d00"
    )
    assert [e.origin for e in others] == ["size 1-10"] * 3 + ["size 11-30"] * 2
    for e in others:
        assert e.rank == int(e.pair.document.id[1:]) + 1
        assert e.score == 101 - e.rank
        assert e.seed == "d00"
        assert e.pair.document.fields == {"title": words(e.rank - 1)}
    ranks = [e.rank or 0 for e in others]
    assert ranks == sorted(set(ranks))
    assert all(1 < rank <= 10 for rank in ranks[:3])
    assert all(11 <= rank <= 30 for rank in ranks[3:])


def test_a_window_that_is_asked_for_all_gives_all_but_the_positives(
    forty: str, by_size: TemplateRanker, mined: Mined
) -> None:
    known = {"q1": ("d00", "d03")}
    found = mined(forty, [by_size], windows=[(1, 10, 50)], positives=known)
    assert negatives(found) == [f"d{n:02}" for n in range(10) if n not in (0, 3)]
    (window,) = [w for w in found.report.windows if w.origin == "size 1-10"]
    assert (window.wanted, window.found, window.kept) == (50, 10, 8)
    assert dropped(found) == {Drop.POSITIVE: 2}
    assert [e.origin for e in found.examples][:2] == ["seed", "qrels"]


def test_the_same_seed_draws_the_same_whatever_else_is_mined(
    forty: str, by_size: TemplateRanker, mined: Mined
) -> None:
    many = [f"q{n}" for n in range(50)]
    alone = mined(forty, [by_size], queries=["q7"], random=2)
    among = mined(forty, [by_size], queries=many, random=2)
    assert negatives(alone, "q7") == negatives(among, "q7")
    assert mined(forty, [by_size], queries=many, random=2).examples == among.examples
    assert len({tuple(negatives(among, q)) for q in many}) > 40
    other = mined(forty, [by_size], queries=["q7"], random=2, seed=1)
    assert negatives(other, "q7") != negatives(alone, "q7")


def test_every_rank_of_a_window_is_as_likely(
    forty: str, by_size: TemplateRanker, mined: Mined
) -> None:
    """400 queries draw 2 of ranks 2 to 11: 80 times each, give or take 4 standard deviations."""
    many = [f"q{n}" for n in range(400)]
    found = mined(forty, [by_size], queries=many, windows=[(2, 11, 2)])
    drawn = [e.rank for e in found.examples if e.rank]
    counts = [drawn.count(rank) for rank in range(2, 12)]
    assert sum(counts) == 800
    assert all(48 <= count <= 112 for count in counts)


def test_random_documents_come_from_the_whole_index(forty: str, mined: Mined) -> None:
    many = [f"q{n}" for n in range(60)]
    found = mined(forty, windows=[], queries=many, random=3)
    drawn = {q: negatives(found, q, "random") for q in many}
    assert all(len(set(ids)) == 3 and "d00" not in ids for ids in drawn.values())
    assert len({i for ids in drawn.values() for i in ids}) == 39
    assert all(e.rank is e.score is None for e in found.examples)


@pytest.mark.parametrize(
    ("margin", "kept"),
    [
        (0.0, ["d00", "d01", "d03", "d04", "d05", "d06", "d07", "d08"]),
        (0.05, ["d07", "d08"]),  # 95 % of the better positive's 98 is 93.1
        (0.06, ["d08"]),
    ],
)
def test_the_margin_is_a_share_of_the_best_positives_score(
    forty: str, by_size: TemplateRanker, mined: Mined, margin: float, kept: list[str]
) -> None:
    known = {"q1": ("d02", "d09")}
    found = mined(forty, [by_size], windows=[(1, 10, 10)], positives=known, margin=margin)
    assert negatives(found) == kept
    assert dropped(found).get(Drop.MARGIN, 0) == 8 - len(kept)
    assert found.report.unranked == {"size": 0}


def test_without_a_positive_among_the_hits_there_is_no_margin_and_the_report_says_so(
    forty: str, by_size: TemplateRanker, mined: Mined
) -> None:
    known = {"q1": ("d39",), "q2": ("d00",)}
    found = mined(
        forty,
        [by_size],
        windows=[(1, 10, 10)],
        queries=["q1", "q2"],
        positives=known,
        margin=0.9,
        random=1,
    )
    assert len(negatives(found, "q1", "size")) == 10
    assert len(negatives(found, "q2", "size")) == 0
    assert found.report.unranked == {"size": 1}


def test_copies_of_positives_and_of_other_negatives_are_dropped_and_replaced(
    make_index: Indices, make_ranker: Rankers, mined: Mined
) -> None:
    text = "Install the client of the network and ask the desk for a token of your own today"
    texts = {
        "d00": text,
        "equal": text,
        "near": text.replace("today", "now").upper(),
        "other": "Twenty weeks of leave, shared as the two of you like it",
        "twin": "Twenty weeks of leave, shared as the two of you like it.",
        "third": "Soup on Mondays",
        "empty": "",
    }
    index = make_index({i: {"title": t, "size": 9 - n} for n, (i, t) in enumerate(texts.items())})
    ranker = make_ranker("size", index, BY_SIZE)
    found = mined(index, [ranker], windows=[(1, 10, 2)])
    kept = negatives(found)
    assert len(kept) == 2
    assert "third" in kept
    assert len({"other", "twin"} & set(kept)) == 1
    everything = mined(index, [ranker], windows=[(1, 10, 10)])
    assert dropped(everything) == {
        Drop.POSITIVE: 1,
        Drop.COPY_OF_POSITIVE: 2,
        Drop.COPY_OF_CANDIDATE: 1,
        Drop.NO_TEXT: 1,
    }
    apart = mined(index, [ranker], windows=[(1, 10, 10)], near_duplicate=1.0)
    assert dropped(apart)[Drop.COPY_OF_POSITIVE] == 1


def test_a_document_of_two_rankers_is_taken_once(
    forty: str, by_size: TemplateRanker, make_ranker: Rankers, mined: Mined
) -> None:
    again = make_ranker("again", forty, BY_SIZE)
    found = mined(forty, [by_size, again], windows=[(1, 10, 5)])
    kept = negatives(found)
    assert len(kept) == len(set(kept)) == 9
    assert dropped(found) == {Drop.POSITIVE: 2, Drop.REPEATED: 5}


class Even:
    """Grades even numbers 3 and odd ones 0, gives no answer about d05, and counts its labels."""

    name = "even"
    fingerprint = "even"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        for place, pair in enumerate(pairs):
            number = int(pair.document.id[1:])
            self.asked.append(pair.document.id)
            if number == 5:
                yield place, Judgment.failed(self.fingerprint, "no answer")
            else:
                yield place, Judgment.certain(self.fingerprint, 0 if number % 2 else 3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Judgments]:
    with Judgments(tmp_path / "judgments.sqlite") as opened:
        yield opened


def test_what_the_guard_takes_out_is_replaced_from_the_same_window(
    forty: str, by_size: TemplateRanker, mined: Mined, store: Judgments
) -> None:
    even = Even()
    found = mined(forty, [by_size], windows=[(1, 20, 9), (21, 40, 4)], guard=Guard(even, store))
    first = negatives(found, origin="1-20")
    assert first == ["d01", "d03", "d07", "d09", "d11", "d13", "d15", "d17", "d19"]
    later = negatives(found, origin="21-40")
    assert len(later) == 4
    assert all(int(i[1:]) % 2 for i in later)
    report = found.report
    assert report.guard is not None
    assert (report.guard.needed, report.guard.bought) == (len(even.asked), len(even.asked) - 1)
    assert dropped(found)[Drop.UNGUARDED] == report.guard.failed == 1
    assert dropped(found)[Drop.GUARD] == len(even.asked) - 14
    assert len(even.asked) < 39


def test_the_guard_is_asked_once_about_a_pair_and_people_stand_before_it(
    forty: str, by_size: TemplateRanker, mined: Mined, store: Judgments
) -> None:
    even = Even()
    windows = [(1, 4, 4)]
    found = mined(forty, [by_size], windows=windows, guard=Guard(even, store))
    assert (negatives(found), sorted(even.asked)) == (["d01", "d03"], ["d01", "d02", "d03"])
    again = mined(forty, [by_size], windows=windows, guard=Guard(even, store))
    assert again.examples == found.examples
    assert len(even.asked) == 3
    third = found.examples[-1].pair
    store.add_people("ida", [third], {"q1": {"d03": 3}})
    corrected = mined(forty, [by_size], windows=windows, guard=Guard(even, store))
    assert negatives(corrected) == ["d01"]


def test_bm25_over_the_roles_is_there_without_any_configuration(
    make_index: Indices, mined: Mined
) -> None:
    index = make_index(
        {
            "d00": {"title": "vpn setup", "body": "Install it."},
            "title": {"title": "vpn", "body": "Old."},
            "body": {"title": "Client", "body": "The vpn of old."},
            "none": {"title": "Canteen", "body": "Soup."},
        },
        body={"type": "text"},
    )
    fields = {"title": "title", "body": "body", "author": "not_mapped", "file_name": "size"}
    found = mined(index, windows=[(1, 3, 3)], fields=fields)
    assert negatives(found) == ["title", "body"]
    assert {e.origin for e in found.examples} == {"seed", "bm25 1-3"}


@pytest.mark.parametrize(
    "text", ['a "vpn" \\ c', "vpn\ny\x00", "{{k}} vpn }} {", "vpn AND (", "🦙 vpn"]
)
def test_odd_queries_are_mined_like_any_other(forty: str, mined: Mined, text: str) -> None:
    found = mined(forty, text=text)
    assert len(negatives(found)) == 5
    assert found.report.problems == {}


def test_vectors_and_fusions_are_mined_like_bm25(
    make_index: Indices, make_ranker: Rankers, lookup_embedder: Callable[..., Any], mined: Mined
) -> None:
    documents = {
        f"d{n:02}": {"title": f"{words(n)} filler", "size": n + 1, "vector": [1, n / 10, 0]}
        for n in range(12)
    }
    index = make_index(documents)
    knn = {
        "field": "vector",
        "query_vector": "{{query_vector}}",
        "k": "{{k}}",
        "num_candidates": 20,
    }
    vector = make_ranker("vector", index, {"knn": knn}, embedder="embedder")
    size = make_ranker("size", index, BY_SIZE)
    embedders = {"embedder": lookup_embedder({"vpn": [1, 0, 0]})}
    fused = FusedRanker("fused", (vector, size), window=10)
    found = mined(index, [vector], windows=[(2, 3, 2)], embedders=embedders)
    assert negatives(found) == ["d01", "d02"]
    both = mined(index, [fused], windows=[(1, 2, 2)], embedders=embedders)
    assert negatives(both) == ["d09", "d02"]  # third in one list and tenth in the other
    scores = [e.score for e in both.examples if e.rank]
    assert scores == [pytest.approx(1 / 63 + 1 / 70)] * 2


def test_all_is_read_from_one_state_of_the_index(
    es: Elasticsearch, forty: str, mined: Mined
) -> None:
    """Half of the documents are deleted while the second part of the queries still waits."""

    def delete(done: int, total: int) -> None:
        if done < total:
            for n in range(20):
                es.delete(index=forty, id=f"d{n:02}")
            es.indices.refresh(index=forty)

    many = [f"q{n}" for n in range(60)]
    undisturbed = mined(forty, queries=many, random=2)
    assert mined(forty, queries=many, random=2, progress=delete).examples == undisturbed.examples
    assert es.count(index=forty)["count"] == 20


def test_no_point_in_time_stays_open(es: Elasticsearch, forty: str, mined: Mined) -> None:
    def contexts() -> int:
        stats = es.indices.stats(index=forty, metric="search")
        return int(stats["_all"]["total"]["search"]["open_contexts"])

    mined(forty, random=1)
    with pytest.raises(UsageError):
        mined(forty, positives={"q1": ("gone",)})
    assert contexts() == 0


def test_a_query_whose_positives_are_gone_is_left_out_and_counted(
    forty: str, by_size: TemplateRanker, mined: Mined
) -> None:
    known = {"q1": ("d00", "gone"), "q2": ("gone",), "q3": ("lost", "gone")}
    found = mined(forty, [by_size], queries=["q1", "q2", "q3", "q4"], positives=known)
    assert {e.pair.query.id for e in found.examples} == {"q1"}
    report = found.report
    assert (report.queries, report.unknown, report.lost) == (1, 1, ("q2", "q3"))
    assert (report.positives, report.missing) == (1, 4)


def test_a_search_that_fails_alone_is_noted_and_the_others_are_mined(
    es: Elasticsearch, forty: str, make_ranker: Rankers
) -> None:
    syntax = {"query": {"query_string": {"query": "{{query}}", "fields": ["title"]}}}
    ranker = make_ranker("syntax", forty, syntax)
    found = mine(
        es,
        [Query("q1", "vpn"), Query("q2", "vpn AND (")],
        {"q1": ("d00",), "q2": ("d00",)},
        MineSettings(random=1),
        target=Target(forty),
        rankers=[ranker],
        fields={"title": "title"},
        load=Load(retries=0),
    )
    assert list(found.report.problems["syntax"]) == ["q2"]
    assert len(negatives(found, "q2")) == 1
    assert len(negatives(found, "q1")) > 1


# what cannot be mined


def test_positives_that_are_all_missing_are_an_error(
    forty: str, mined: Mined, complains: Complains
) -> None:
    with complains(
        UsageError, "none of the 1 documents", code=2, where=f"index {forty}", remedy="[documents]"
    ):
        mined(forty, positives={"q1": ("gone",)})


def test_positives_without_a_text_are_as_good_as_missing(
    forty: str, by_size: TemplateRanker, mined: Mined, complains: Complains
) -> None:
    with complains(
        UsageError, "or no text of them", code=2, where=f"index {forty}", remedy="[documents]"
    ):
        mined(forty, [by_size], fields={"body": "content"})


@pytest.mark.parametrize("random", [0, 2])
def test_a_corpus_with_a_single_document_has_nothing_to_mine(
    make_index: Indices, mined: Mined, complains: Complains, random: int
) -> None:
    index = make_index({"d00": {"title": "vpn"}})
    with complains(UsageError, "a single document", code=2, where=f"index {index}", remedy="more"):
        mined(index, random=random)


def test_an_index_without_any_of_the_fields_is_an_error_that_names_the_roles(
    forty: str, mined: Mined, complains: Complains
) -> None:
    with complains(
        ConfigError,
        "any of the roles title (heading), body",
        code=2,
        where=f"index {forty}",
        remedy="[documents]",
    ):
        mined(forty, fields={"title": "heading", "body": "body"})


def test_nothing_left_is_an_error_that_says_what_dropped_it(
    forty: str, by_size: TemplateRanker, mined: Mined, complains: Complains
) -> None:
    with complains(
        UsageError,
        "9 margin, 1 positive",
        code=2,
        where=f"index {forty}",
        remedy="deeper windows",
    ):
        mined(forty, [by_size], windows=[(1, 10, 2)], margin=0.9)


def test_a_window_beyond_what_the_index_returns_is_an_error(
    es: Elasticsearch, forty: str, mined: Mined, complains: Complains
) -> None:
    es.indices.put_settings(index=forty, settings={"index.max_result_window": 300})
    assert len(negatives(mined(forty, windows=[(1, 300, 2)], random=2))) == 4
    with complains(
        ConfigError,
        "fewer than the 301 hits",
        code=2,
        where="ranker bm25",
        remedy="end the last window earlier",
    ):
        mined(forty, windows=[(1, 301, 2)])


def test_an_index_that_is_not_there_is_an_error(mined: Mined) -> None:
    with pytest.raises(MissingIndexError):
        mined("no-such-index")


def test_a_ranker_that_never_answers_is_an_error(
    forty: str, make_ranker: Rankers, mined: Mined, complains: Complains
) -> None:
    ranker = make_ranker("odd", forty, {"query": {"nonsense": {}}})
    with complains(RequestError, "[nonsense]", code=2, where="ranker odd", remedy="template"):
        mined(forty, [ranker])


def test_one_id_in_two_indices_of_an_alias_is_an_error(
    make_index: Indices, new_name: Callable[[], str], mined: Mined, complains: Complains
) -> None:
    alias = new_name()
    for _ in range(2):
        make_index({"d00": {"title": "vpn"}}, alias=alias)
    where = f"index {alias}"
    with complains(ConfigError, "the id 'd00' is in", code=2, where=where, remedy="one index"):
        mined(alias)


def test_settings_that_ask_for_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing is asked for"):
        MineSettings(windows=(), random=0)
