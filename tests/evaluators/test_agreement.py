"""A labeler against people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.agreement import Agreement, agree, order_of_systems
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import measure_run, parse_measure
from relevance_eval.evaluators.qrels import read_qrels
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.statistics import Interval

MakeRun = Callable[..., Run]
Judged = dict[str, dict[str, Judgment]]
Qrels = dict[str, dict[str, int]]
DL20 = Path(__file__).resolve().parents[3] / "shared" / "data" / "dl20"
INTERVALS = ("kappa", "quadratic_kappa", "relevant_kappa", "pairwise_accuracy", "ndcg")


def both(*queries: tuple[str, str]) -> tuple[Qrels, Judged]:
    """People's grades and the labeler's of documents d0, d1, ...: `both(("0123", "0122"))`."""
    people = {
        f"q{n}": {f"d{i}": int(g) for i, g in enumerate(h)} for n, (h, _) in enumerate(queries)
    }
    judged = {
        f"q{n}": {f"d{i}": Judgment.certain("m", int(g)) for i, g in enumerate(model)}
        for n, (_, model) in enumerate(queries)
    }
    return people, judged


def drawn(count: int, seed: int = 0) -> tuple[Qrels, Judged]:
    """A labeler that is right more often than not, on queries of 20 documents each."""
    generator = np.random.default_rng(seed)
    human = generator.integers(0, 4, (count, 20))
    model = np.clip(human + generator.integers(-1, 2, (count, 20)), 0, 3)
    return both(
        *(("".join(map(str, h)), "".join(map(str, m))) for h, m in zip(human, model, strict=True))
    )


def kappa_of(pairs: Sequence[tuple[int, int]], weight: Callable[[int, int], float]) -> float:
    """Cohen's formula over the pairs themselves: 1 - observed / expected disagreement."""
    observed = sum(weight(h, m) for h, m in pairs) / len(pairs)
    chance = sum(weight(h, m) for (h, _), (_, m) in product(pairs, pairs)) / len(pairs) ** 2
    return 1 - observed / chance


def test_agreement_by_hand() -> None:
    # Observed agreement 3/4; by chance 1/4 (1/4 + 1/4 + 1/2 + 0) = 1/4; squared distance 1 of 8.
    found = agree(*both(("0123", "0122")))
    assert (found.queries, found.pairs) == (1, 4)
    assert found.kappa.mean == pytest.approx((3 / 4 - 1 / 4) / (1 - 1 / 4))
    assert found.quadratic_kappa.mean == pytest.approx(1 - 1 / 8)
    assert found.relevant_kappa.mean == pytest.approx(1)
    assert found.pairwise_accuracy.mean == pytest.approx(5.5 / 6)
    assert found.mean_difference == pytest.approx(-0.25)
    assert found.recall == {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.0}
    assert found.confusion == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]]


def test_kappa_of_the_textbook() -> None:
    # 20 both yes, 5 and 10 of two minds, 15 both no: (0.7 - 0.5) / (1 - 0.5)
    found = agree(*both(("3" * 25 + "0" * 25, "3" * 20 + "0" * 5 + "3" * 10 + "0" * 15)))
    for kappa in (found.kappa, found.quadratic_kappa, found.relevant_kappa):
        assert kappa.mean == pytest.approx(0.4, abs=1e-12)


def test_kappas_follow_cohens_formula_over_all_queries() -> None:
    people, judged = drawn(30)
    pairs = [(g, judged[q][i].grade) for q, known in people.items() for i, g in known.items()]
    found = agree(people, judged, resamples=10)
    assert found.kappa.mean == pytest.approx(kappa_of(pairs, lambda h, m: h != m), abs=1e-12)
    quadratic = kappa_of(pairs, lambda h, m: (h - m) ** 2)
    assert found.quadratic_kappa.mean == pytest.approx(quadratic, abs=1e-12)
    for relevant in (1, 2, 3):
        reference = kappa_of(pairs, lambda h, m, r=relevant: (h >= r) != (m >= r))
        halved = agree(people, judged, relevant=relevant, resamples=10).relevant_kappa.mean
        assert halved == pytest.approx(reference, abs=1e-12)


def test_the_interval_over_many_queries_is_that_of_a_mean_at_95_percent() -> None:
    people, judged = drawn(100)
    found = agree(people, judged).ndcg
    each = [agree({q: people[q]}, {q: judged[q]}, resamples=2).ndcg.mean for q in people]
    arm = 1.96 * np.std(each) / math.sqrt(len(each))
    assert found == pytest.approx((found.mean, found.mean - arm, found.mean + arm), abs=arm / 10)


def test_perfect_agreement_is_1_throughout() -> None:
    found = agree(*both(("0123", "0123"), ("3021", "3021"), ("0213", "0213")))
    for name in INTERVALS:
        assert getattr(found, name) == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)
    assert found.mean_difference == 0
    assert set(found.recall.values()) == {1.0}


def test_opposite_grades_disagree_beyond_chance() -> None:
    found = agree(*both(("0033", "3300")))
    assert found.kappa.mean == found.quadratic_kappa.mean == pytest.approx(-1)
    assert found.pairwise_accuracy.mean == 0


def test_a_labeler_of_one_grade_is_no_better_than_chance() -> None:
    found = agree(*both(("0123", "1111"), ("3210", "1111")))
    assert (found.kappa.mean, found.quadratic_kappa.mean, found.relevant_kappa.mean) == (0, 0, 0)
    assert found.pairwise_accuracy == Interval(0.5, 0.5, 0.5)
    assert found.recall == {0: 0.0, 1: 1.0, 2: 0.0, 3: 0.0}


def test_grades_that_people_never_gave_have_no_recall() -> None:
    assert agree(*both(("0011", "0023"))).recall == {0: 1.0, 1: 0.0, 2: None, 3: None}


def test_the_order_within_a_grade_is_seen_in_the_distribution() -> None:
    people = {"q": {"a": 1, "b": 0}}
    surer = {"a": Judgment("m", (0.7, 0.3, 0, 0)), "b": Judgment("m", (0.8, 0.2, 0, 0))}
    found = agree(people, {"q": surer})
    assert found.confusion[1][0] == found.confusion[0][0] == 1
    assert found.pairwise_accuracy.mean == found.ndcg.mean == 1.0
    assert found.mean_difference == pytest.approx((0.3 - 1 + 0.2) / 2)


@pytest.fixture(scope="module")
def forty() -> Agreement:
    return agree(*drawn(40))


@pytest.mark.parametrize("name", INTERVALS)
def test_an_interval_holds_its_value_and_narrows_with_more_queries(
    name: str, forty: Agreement
) -> None:
    few, many = getattr(agree(*drawn(8)), name), getattr(forty, name)
    for found in (few, many):
        assert found.low < found.mean < found.high
    assert many.high - many.low < few.high - few.low


def test_the_same_seed_gives_the_same_intervals(forty: Agreement) -> None:
    assert agree(*drawn(40)) == forty
    assert agree(*drawn(40), seed=1).kappa != forty.kappa


def test_only_pairs_that_both_graded_count() -> None:
    people, judged = both(("0123", "0122"), ("33", "00"))
    people["q0"]["unseen"] = 3
    judged["q0"]["unasked"] = Judgment.certain("m", 3)
    del judged["q1"]
    assert agree(people, judged) == agree(*both(("0123", "0122")))


def test_no_pair_in_common_is_told(explained: Callable[..., None]) -> None:
    with pytest.raises(UsageError) as caught:
        agree({"q": {"a": 1}}, {"q": {"b": Judgment.certain("m", 1)}})
    says, remedy = "no pair in common", "belong together"
    explained(caught.value, code=2, where=None, says=says, remedy=remedy)


RANKED = ["d0 d1 d2", "d2 d1 d0", "d1 d0 d2", "d2 d0 d1", "d0 d2", "d0 d1 d2 d3"]


@pytest.mark.parametrize("model", ["3120", "0213", "2222", "3333", "1320"])
def test_the_order_of_systems_is_kendalls(make_run: MakeRun, model: str) -> None:
    people, judged = both(("3210", model), ("1302", model))
    runs = [make_run(f"r{n}", q0=ids, q1=ids) for n, ids in enumerate(RANKED)]
    found = order_of_systems(runs, people, judged, parse_measure("nDCG@10"))
    means = list(found.people.values()), list(found.labeler.values())
    assert found.tau == pytest.approx(stats.kendalltau(*means).statistic, abs=1e-12)
    assert 0 <= found.same_sign <= 1


def test_a_perfect_labeler_puts_systems_in_peoples_order(make_run: MakeRun) -> None:
    people, judged = both(("3210", "3210"))
    runs = [make_run(f"r{n}", q0=ids) for n, ids in enumerate(RANKED[:4])]
    found = order_of_systems(runs, people, judged, parse_measure("EnDCG@10"))
    assert (found.measure, found.tau, found.same_sign) == ("EnDCG@10", 1.0, 1.0)
    values = measure_run(runs[1], ["q0"], judged, parse_measure("EnDCG@10"))
    assert found.people["r1"] == found.labeler["r1"] == values["q0"]


def test_systems_that_all_tie_have_no_order(make_run: MakeRun) -> None:
    people, judged = both(("0123", "0000"))
    runs = [make_run("a", q0="d3 d2"), make_run("b", q0="d0 d1")]
    found = order_of_systems(runs, people, judged, parse_measure("EnDCG@10"))
    assert (found.tau, found.same_sign) == (None, 0.0)


def test_systems_that_tie_but_for_rounding_tie(make_run: MakeRun) -> None:
    people, judged = both(*[("3210", "3210")] * 3)
    ids = ["d0 d1", "d0 x", "d1 x"]  # values whose sum depends on their order
    runs = [
        make_run("a", q0=ids[0], q1=ids[1], q2=ids[2]),
        make_run("b", q0=ids[2], q1=ids[1], q2=ids[0]),
    ]
    assert order_of_systems(runs, people, judged, parse_measure("EnDCG@10")).tau is None


@pytest.mark.parametrize(
    ("names", "query_id", "says", "remedy"),
    [
        ("a", "q0", "two runs or more", ""),
        ("aa", "q0", "two runs have one name: a, a", "rename"),
        ("ab", "other", "no query in common", "belong together"),
    ],
)
def test_what_has_no_order_is_told(
    make_run: MakeRun,
    explained: Callable[..., None],
    names: str,
    query_id: str,
    says: str,
    remedy: str,
) -> None:
    people, judged = {"q0": {"d0": 1}}, {query_id: {"d0": Judgment.certain("m", 1)}}
    runs = [make_run(name, q0="d0") for name in names]
    with pytest.raises(UsageError) as caught:
        order_of_systems(runs, people, judged, parse_measure("RR"))
    explained(caught.value, code=2, where=None, says=says, remedy=remedy)


@pytest.mark.skipif(not DL20.exists(), reason="needs the shared data sets beside the repository")
def test_gpt_4o_agrees_with_the_assessors_of_dl20_as_published() -> None:
    people = read_qrels(DL20 / "qrels.txt")
    model = read_qrels(DL20 / "judged-by-gpt-4o.txt")
    judged = {
        q: {i: Judgment.certain("gpt-4o", g) for i, g in grades.items()}
        for q, grades in model.items()
    }
    found = agree(people, judged)
    assert (found.queries, found.pairs) == (54, 11_386)
    kappas = (found.kappa, found.quadratic_kappa, found.relevant_kappa)
    assert [round(k.mean, 3) for k in kappas] == [0.341, 0.555, 0.450]
    for kappa in kappas:
        assert kappa.low is not None
        assert kappa.high is not None
        assert kappa.low < kappa.mean < kappa.high
