"""Corrected differences: what is known without a grade, and how wide the rest is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from relevance_eval.evaluators.audit import draw_audit
from relevance_eval.evaluators.contrasted import (
    Apart,
    Scope,
    apart,
    diluted,
    equivalence_p,
    non_inferiority_p,
    over_all,
    sample_of,
    unlike,
)
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run
from relevance_eval.evaluators.statistics.prediction_powered import Powered

Floats = npt.NDArray[np.float64]
COUNT = 200
QUERIES = [Query(f"q{n:03}", f"text {n}", {}) for n in range(COUNT)]
AUDIT = draw_audit(QUERIES, 50, seed=1)
IDS = [q.id for q in QUERIES if q.id in AUDIT.drawn]
PLACES = [int(i[1:]) for i in IDS]


def world(rate: float, seed: int, *, mean: float = 0.05) -> tuple[Floats, Floats, Floats]:
    """Which lists differ, and people's and a labeler's differences: 0 where lists are the same."""
    generator = np.random.default_rng(seed)
    differing = generator.random(COUNT) < rate
    people = np.where(differing, generator.normal(mean, 0.15, COUNT), 0.0)
    noise = generator.normal(0.03, 0.08, COUNT)
    return differing, people, np.where(differing, 0.7 * people + noise, 0.0)


def found(differing: Floats, people: Floats, labeler: Floats) -> Apart:
    return apart(labeler, people[PLACES], scope(differing), 0.95)


def scope(differing: Floats) -> Scope:
    return Scope(AUDIT, QUERIES, IDS, differing.astype(np.bool_))


def covers(one: Powered, truth: float) -> bool:
    _, low, high = one.interval
    return low is not None and high is not None and low <= truth <= high


def test_rare_differences_are_covered_as_often_as_is_said() -> None:
    hits, told, before = 0, 0, 0
    for seed in range(300):
        differing, people, labeler = world(0.1, seed)
        one = found(differing, people, labeler).contrast
        if one.interval.low is not None:
            told += 1
            hits += covers(one, 0.005)
            before += covers(
                over_all(labeler, people[PLACES], scope(differing), 0.95).contrast, 0.005
            )
    assert told > 280
    assert hits / told >= 0.95  # 0.977 of 2,000
    assert before < hits  # 0.904 of 2,000


def test_where_all_lists_differ_nothing_changes() -> None:
    everywhere = np.ones(COUNT)
    _, people, labeler = world(1.0, 0)
    plain = over_all(labeler, people[PLACES], scope(everywhere), 0.95)
    assert found(everywhere, people, labeler) == plain


def test_the_estimate_is_the_share_times_that_of_the_queries_that_differ() -> None:
    differing, people, _ = world(0.3, 4)
    kept = [p for p in PLACES if differing[p]]
    one = found(differing, people, np.zeros(COUNT)).contrast
    assert one.interval.mean == pytest.approx(differing.mean() * people[kept].mean())
    assert one.degrees == len(kept) - 1
    assert (one.audited, one.queries) == (50, COUNT)


def test_dilution_adds_the_chance_of_how_many_queries_differ() -> None:
    differing, people, labeler = world(0.3, 4)
    narrow = found(differing, people, labeler).contrast
    assert narrow.error is not None
    share = float(differing.mean())
    alone = apart(
        labeler[differing.astype(bool)],
        people[[p for p in PLACES if differing[p]]],
        Scope(
            AUDIT,
            [q for q, d in zip(QUERIES, differing, strict=True) if d],
            [i for i, p in zip(IDS, PLACES, strict=True) if differing[p]],
            np.ones(int(differing.sum()), dtype=np.bool_),
        ),
        0.95,
    ).contrast
    assert alone.error is not None
    between = share * (1 - share) * alone.interval.mean**2 / COUNT
    assert narrow.error == pytest.approx(np.sqrt((share * alone.error) ** 2 + between))
    assert diluted(alone, alone.queries, 0.95) is alone
    if alone.to_halve is not None:
        assert narrow.to_halve == int(np.ceil(alone.to_halve / share))


def test_the_labelers_error_counts_by_the_share_that_differs_at_95_percent() -> None:
    differing, people, labeler = world(0.3, 4)
    kept = [p for p in PLACES if differing[p]]
    one = found(differing, people, labeler)
    assert one.error.mean == pytest.approx(differing.mean() * (people - labeler)[kept].mean())
    other = apart(labeler, people[PLACES], scope(differing), 0.99)
    assert other.error == one.error
    assert other.contrast.interval != one.contrast.interval


def test_the_chance_of_an_audited_query_is_what_its_stratum_was_graded_by() -> None:
    tagged = [Query(f"q{n:02}", "", {"kind": "a" if n < 30 else "b"}) for n in range(40)]
    audit = draw_audit(tagged, 20, "kind", seed=1)
    parts = [[i for i in audit.drawn if (i < "q30") is first] for first in (True, False)]
    assert [len(p) for p in parts] == [15, 5]
    sample, notes = sample_of(audit, tagged, [*parts[0][:6], *parts[1]])  # 9 of 15 are not graded
    assert sample.probability == pytest.approx([6 / 30] * 6 + [5 / 10] * 5)
    assert (sample.stratum.tolist(), notes) == ([0] * 30 + [1] * 10, [])


@pytest.mark.parametrize("graded", ["a", "b"])
def test_a_stratum_without_any_graded_query_gives_up_the_strata(graded: str) -> None:
    tagged = [Query(f"q{n:02}", "", {"kind": "ab"[n % 2]}) for n in range(40)]
    audit = draw_audit(tagged, 20, "kind", seed=1)
    ids = [q.id for q in tagged if q.id in audit.drawn and q.tags["kind"] == graded]
    sample, notes = sample_of(audit, tagged, ids)
    assert sample.stratum.tolist() == [0] * 40
    assert sample.probability == pytest.approx([0.5] * 10)
    assert "too few queries of some value of kind were graded" in notes[0]


def test_chances_by_weight_shrink_to_the_share_that_was_graded() -> None:
    weights = {q.id: 1.0 + n % 3 for n, q in enumerate(QUERIES)}
    audit = draw_audit(QUERIES, 50, weights=weights, seed=1)
    graded = list(audit.drawn)[::2]
    sample, _ = sample_of(audit, QUERIES, graded)
    share = len(graded) / len(audit.drawn)
    assert sample.probability == pytest.approx([share * audit.drawn[i] for i in graded])


@pytest.mark.parametrize("graded", [0, 1])
def test_too_few_audited_queries_that_differ_have_no_interval(graded: int) -> None:
    outside = [n for n in range(COUNT) if n not in PLACES][:12]
    differing = np.zeros(COUNT)
    differing[[*outside, *PLACES[:graded]]] = 1
    _, people, labeler = world(1.0, 2)
    one = found(differing, people * differing, labeler * differing)
    assert one.contrast.interval.low is None
    assert (one.contrast.p, one.error.low) == (1.0, None)
    assert equivalence_p(one.contrast, 0.5) == non_inferiority_p(one.contrast, 0.5) == 1.0
    assert one.notes == [
        "fewer than two audited queries have lists that differ: there is no interval"
    ]


def test_one_and_the_same_difference_everywhere_is_uncertain_by_its_share_alone() -> None:
    differing, _, labeler = world(0.3, 5)
    people = np.where(differing, 0.2, 0.0)
    one = found(differing, people, labeler).contrast
    assert one == over_all(labeler, people[PLACES], scope(differing), 0.95).contrast
    assert covers(one, 0.06)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_the_interval_is_students_about_the_error_at_the_level(rate: float, level: float) -> None:
    differing, people, labeler = world(rate, 4)
    one = apart(labeler, people[PLACES], scope(differing), level).contrast
    assert one.error is not None
    arm = stats.t.ppf((1 + level) / 2, one.degrees) * one.error
    mean = one.interval.mean
    assert one.interval == pytest.approx((mean, mean - arm, mean + arm), rel=1e-9)
    assert one.people.low is not None
    assert one.people.high is not None
    assert one.width == pytest.approx(2 * arm / (one.people.high - one.people.low), rel=1e-9)


def test_one_and_the_same_difference_everywhere_is_told_at_the_level() -> None:
    differing, _, labeler = world(0.3, 5)
    people = np.where(differing, 0.2, 0.0)
    arms = []
    for level in (0.9, 0.99):
        one = apart(labeler, people[PLACES], scope(differing), level).contrast
        arms.append((one.interval.high or 0) - one.interval.mean)
    assert arms[0] / arms[1] == pytest.approx(stats.t.ppf(0.95, 49) / stats.t.ppf(0.995, 49))


@pytest.mark.parametrize(("audited", "told"), [(2, False), (4, False), (5, True)])
def test_one_and_the_same_difference_of_few_queries_shows_nothing(audited: int, told: bool) -> None:
    differing = np.zeros(COUNT)
    differing[[*PLACES[:audited], *[n for n in range(COUNT) if n not in PLACES][:9]]] = 1
    _, _, labeler = world(1.0, 5)
    one = found(differing, 0.2 * differing, labeler * differing).contrast
    assert (one.interval.low is not None) is told


def lists(*tops: Sequence[str]) -> dict[str, Result]:
    return {
        q.id: Result(tuple(Hit(d, -float(n)) for n, d in enumerate(top)))
        for q, top in zip(QUERIES, tops, strict=False)
    }


def test_lists_are_the_same_down_to_the_measures_depth() -> None:
    one = Run("a", lists("abc", "abc", "abc", ""))
    other = Run("b", lists("abd", "acb", "abc", "a"))
    for name, told in (
        ("EnDCG@2", [False, True, False, True]),
        ("nDCG@10", [True, True, False, True]),
    ):
        measure = parse_measure(name)
        assert unlike(one, other, QUERIES[:4], measure).tolist() == told


def test_equal_rankers_are_equivalent_from_five_audited_queries_on() -> None:
    same = found(np.zeros(COUNT), np.zeros(COUNT), np.zeros(COUNT)).contrast
    assert same.interval == (0.0, 0.0, 0.0)
    assert equivalence_p(same, 0.01) == non_inferiority_p(same, 0.01) == 0.0
    assert equivalence_p(same, 0.0) == non_inferiority_p(same, 0.0) == 1.0
    few = replace(same, audited=4)
    assert equivalence_p(few, 0.01) == non_inferiority_p(few, 0.01) == 1.0


def test_p_of_a_loss_is_one_sided() -> None:
    differing, people, labeler = world(1.0, 7, mean=0.1)
    one = found(differing, people, labeler).contrast
    assert non_inferiority_p(one, 0.0) == pytest.approx(one.p / 2)
    assert non_inferiority_p(one, 0.05) < non_inferiority_p(one, 0.0)


def test_p_of_a_loss_goes_by_the_degrees_that_strata_leave() -> None:
    differing, people, labeler = world(1.0, 7, mean=0.02)
    one = replace(found(differing, people, labeler).contrast, degrees=6)
    reference = stats.t.cdf(-(one.interval.mean + 0.03) / one.error, 6)
    assert non_inferiority_p(one, 0.03) == pytest.approx(reference, rel=1e-9)
