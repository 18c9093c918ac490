"""What a rank and a label are worth, by hand and by brute force."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.measures import Measure, measure_run, parse_measure
from relevance_eval.evaluators.measures.drawn import measure_drawn
from relevance_eval.evaluators.measures.positions import (
    SUMS,
    has_ideal,
    highest_gain,
    label_gain,
    position_weights,
    spread_of_gain,
)
from relevance_eval.evaluators.run import Run

MakeRun = Callable[..., Run]
Certain = Callable[..., dict[str, Judgment]]
MEASURES = [
    *(parse_measure(f"{kind}@5") for kind in SUMS),
    *(parse_measure(f"{kind}@5", gain="exponential") for kind in ("EnDCG", "sDCG", "RBP")),
    *(parse_measure("P@5", relevant=grade) for grade in (1, 3)),
]
JUDGMENTS = st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4).map(
    lambda odds: Judgment("m", tuple(o / sum(odds) for o in odds))
)
FEW = settings(derandomize=True, deadline=None, max_examples=25)


def named(measure: Measure) -> str:
    return f"{measure}-{measure.gain}-{measure.relevant}"


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        # 0.2 · (1 + 0.8² · 1/3), of grades 3, 0 and 1
        (parse_measure("RBP@3"), 0.2 * (1 + 0.64 / 3)),
        (Measure("RBP", 3, persistence=0.5), 0.5 + 0.125 / 3),
        (parse_measure("RBP@2"), 0.2),
        (parse_measure("RBP@3", gain="exponential"), 0.2 * (1 + 0.64 / 7)),
        # discounts 1, 0.63 and 0.5
        (parse_measure("sDCG@3"), (3 + 0.5) / (3 * (1 + 1 / math.log2(3) + 0.5))),
        (parse_measure("sDCG@3", gain="exponential"), 7.5 / (7 * (1.5 + 1 / math.log2(3)))),
        (parse_measure("sDCG@1"), 1.0),
    ],
    ids=str,
)
def test_a_value_by_hand(
    make_run: MakeRun, certain: Certain, measure: Measure, value: float
) -> None:
    judged = {"q": certain(x=3, y=0, z=1, beyond=3)}
    found = measure_run(make_run("a", q="x y z beyond"), ["q"], judged, measure)
    assert found["q"] == pytest.approx(value, abs=1e-12)
    drawn = measure_drawn(measure, [0, 1, 2, 3], np.array([[3, 0, 1, 3]], dtype=np.int8))
    assert drawn == pytest.approx([value], abs=1e-12)


def test_a_list_that_is_short_or_not_judged_gains_no_more(
    make_run: MakeRun, certain: Certain
) -> None:
    runs = [make_run("a", q="x"), make_run("b", q="x unknown")]
    judged = {"q": certain(x=3, missed=3)}
    for measure, value in ((parse_measure("RBP@10"), 0.2), (parse_measure("sDCG@1"), 1.0)):
        for run in runs:
            found = measure_run(run, ["q", "none"], judged, measure)
            assert found == {"q": pytest.approx(value), "none": 0.0}
            assert list(measure_run(run, ["q", "none"], judged, measure, "skip")) == ["q"]


@pytest.mark.parametrize("kind", ["sDCG", "RBP"])
@FEW
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4),
    st.permutations([*range(6), None, None]),
    st.integers(0, 8),
    st.sampled_from(["linear", "exponential"]),
)
def test_each_set_of_labels_is_measured_as_a_run_is(
    make_run: MakeRun,
    kind: str,
    sets: list[list[int]],
    ranked: list[int | None],
    length: int,
    gain: str,
) -> None:
    measure = parse_measure(f"{kind}@5", gain=gain)
    names = [f"d{c}" if c is not None else f"none{r}" for r, c in enumerate(ranked[:length])]
    run = make_run("a", q=" ".join(names))
    judged = [{"q": {f"d{c}": Judgment.certain("m", g) for c, g in enumerate(row)}} for row in sets]
    expected = [measure_run(run, ["q"], labels, measure)["q"] for labels in judged]
    found = measure_drawn(measure, ranked[:length], np.array(sets, dtype=np.int8))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["sDCG", "RBP"])
@FEW
@given(st.lists(JUDGMENTS, min_size=1, max_size=6), st.integers(1, 8))
def test_a_value_is_the_mean_of_what_drawn_labels_give(
    make_run: MakeRun, kind: str, judgments: list[Judgment], depth: int
) -> None:
    # A sum of gains: its expectation is that of each label by itself.
    measure = parse_measure(f"{kind}@{depth}")
    names = [f"d{i}" for i in range(len(judgments))]
    run = make_run("a", q=" ".join(names))
    found = measure_run(run, ["q"], {"q": dict(zip(names, judgments, strict=True))}, measure)
    parts = [
        p * measure_drawn(measure, [0], np.array([[g]], dtype=np.int8))[0]
        for g, p in zip(GRADES, judgments[0].probabilities, strict=True)
    ]
    first = measure_run(make_run("a", q="d0"), ["q"], {"q": {"d0": judgments[0]}}, measure)
    assert first["q"] == pytest.approx(sum(parts), abs=1e-12)
    assert 0 <= found["q"] <= 1 + 1e-12


@pytest.mark.parametrize("measure", MEASURES, ids=named)
def test_nothing_but_the_highest_grade_is_worth_most(measure: Measure) -> None:
    weights = position_weights(measure, 5)
    assert (np.diff(weights) <= 0).all()
    assert (weights > 0).all()
    highest = label_gain(measure, Judgment.certain("m", 3))
    assert highest == highest_gain(measure)
    full = weights.sum() * highest
    if measure.kind == "RBP":
        assert full == pytest.approx(1 - 0.8**5)  # the rest is of ranks beyond
    elif not has_ideal(measure):
        assert full == pytest.approx(1)


def test_only_ndcg_rests_on_labels_beyond_the_list() -> None:
    assert [kind for kind in SUMS if has_ideal(parse_measure(f"{kind}@5"))] == ["EnDCG", "nDCG"]


@pytest.mark.parametrize("measure", MEASURES, ids=named)
@FEW
@given(JUDGMENTS)
def test_a_gain_lies_within_its_range(measure: Measure, judgment: Judgment) -> None:
    assert 0 <= label_gain(measure, judgment) <= highest_gain(measure)


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.kind != "nDCG"], ids=named)
@FEW
@given(JUDGMENTS)
def test_the_spread_of_a_gain_is_the_variance_over_its_grades(
    measure: Measure, judgment: Judgment
) -> None:
    gains = np.array([label_gain(measure, Judgment.certain("m", g)) for g in GRADES])
    shares = np.array(judgment.probabilities)
    expected = shares @ gains**2 - (shares @ gains) ** 2
    assert spread_of_gain(measure, judgment) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES, ids=named)
def test_a_certain_label_has_no_spread(measure: Measure) -> None:
    for grade in GRADES:
        assert spread_of_gain(measure, Judgment.certain("m", grade)) == 0


def test_yes_and_no_follow_the_grade_that_is_named() -> None:
    # Expected grade 1.5, which rounds to 2, and a labeler whose cut points name 1.
    unsure = Judgment("m", (0.25, 0.25, 0.25, 0.25))
    cut = Judgment.with_cuts("m", unsure.probabilities, (0.5, 1.8, 2.5))
    assert [label_gain(parse_measure("P@5"), j) for j in (unsure, cut)] == [1.0, 0.0]
    assert [label_gain(parse_measure("nDCG@5"), j) for j in (unsure, cut)] == [2.0, 1.0]
    assert [label_gain(parse_measure("RBP@5"), j) for j in (unsure, cut)] == [1.5, 1.5]
