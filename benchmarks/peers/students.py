"""Student's t, tests against a margin, and Holm's correction."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from differences import LARGE, SMALL, inputs
from ranx.statistical_tests import paired_student_t_test
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired
from table import Row, named, pairs, same

from relevance_eval.evaluators.statistics import (
    equivalence_p,
    holm,
    mean_interval,
    non_inferiority_p,
    paired_t_p,
)

MARGINS = (0.01, 0.05, 0.2)


def student_rows(options: argparse.Namespace) -> Iterator[Row]:
    drawn = inputs(SMALL + LARGE, options)
    quantity = "p of the paired t-test"
    ours = [paired_t_p(i.difference) for i in drawn]
    theirs = [float(stats.ttest_rel(i.ranker, i.baseline).pvalue) for i in drawn]
    yield same(quantity, named("scipy", "ttest_rel"), pairs(ours, theirs))
    theirs = [float(paired_student_t_test(i.baseline, i.ranker)[0]) for i in drawn]
    yield same(quantity, named("ranx", "compare, student"), pairs(ours, theirs))
    ends: list[tuple[float, float]] = []
    for level in (0.8, 0.95, 0.99):
        for each in drawn:
            _, low, high = mean_interval(each.difference, level)
            theirs_low, theirs_high = DescrStatsW(each.difference).tconfint_mean(1 - level)
            ends += [(low or 0.0, float(theirs_low)), (high or 0.0, float(theirs_high))]
    yield same(
        "ends of Student's interval", named("statsmodels", "DescrStatsW.tconfint_mean"), ends
    )


def margin_rows(options: argparse.Namespace) -> Iterator[Row]:
    """Tests against a margin."""
    every = inputs(SMALL + LARGE, options)
    drawn = [(i, m) for i in every if np.ptp(i.difference) for m in MARGINS]
    still = sum(not np.ptp(i.difference) for i in every)
    note = f"; {still} inputs without any spread left out: ours claims nothing below 5 queries"
    ours = [equivalence_p(i.difference, m) for i, m in drawn]
    theirs = [float(ttost_paired(i.ranker, i.baseline, -m, m)[0]) for i, m in drawn]
    yield same("p of equivalence", named("statsmodels", "ttost_paired"), pairs(ours, theirs), note)
    ours = [non_inferiority_p(i.difference, m) for i, m in drawn]
    theirs = [
        float(stats.ttest_1samp(i.difference, -m, alternative="greater").pvalue) for i, m in drawn
    ]
    peer = named("scipy", "ttest_1samp, greater")
    yield same("p of non-inferiority", peer, pairs(ours, theirs), note)


def holm_rows(options: argparse.Namespace) -> Iterator[Row]:
    found: list[tuple[float, float]] = []
    for number in range(20 * options.seeds):
        generator = np.random.default_rng([options.seed, number])
        raw = np.round(generator.random(1 + number % 20) ** 3, 3)
        found += pairs(holm(raw.tolist()), multipletests(raw, method="holm")[1].tolist())
    yield same("p corrected by Holm", named("statsmodels", "multipletests"), found)
