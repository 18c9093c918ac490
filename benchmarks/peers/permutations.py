"""The sign-flip test."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from differences import GRID, LARGE, SMALL, Input, inputs
from ranx.statistical_tests import fisher_randomization_test
from scipy import stats
from table import ROUNDING, Row, chance, named, pairs, same

from relevance_eval.evaluators.statistics import sign_flip_p

Floats = npt.NDArray[np.float64]
PERMUTATIONS = 9_999
"""Ours and scipy's count one more, the observed pattern."""


def exact_rows(options: argparse.Namespace) -> Iterator[Row]:
    """All patterns. On a grid scipy gets whole numbers, whose sums are exact, and then the same
    differences as ours, whose sums are rounded."""
    drawn = inputs(SMALL, options)
    ours = [sign_flip_p(i.difference, seed=0) for i in drawn]
    rounded = [permuted(i.difference, math.inf) for i in drawn]
    theirs = [
        permuted(np.rint(GRID * i.difference), math.inf) if i.kind == "gridded" else p
        for i, p in zip(drawn, rounded, strict=True)
    ]
    lost = [abs(a - b) for a, b in pairs(rounded, theirs) if abs(a - b) > ROUNDING]
    note = (
        f"; from rounded differences scipy misses itself by up to {max(lost, default=0):.2f} in "
        f"{len(lost)}, where their mean is nothing but rounding"
    )
    peer = named("scipy", "permutation_test, all patterns")
    yield same("p of the sign-flip test, exact", peer, pairs(ours, theirs), note)


def permuted(values: Floats, resamples: float, seed: int = 0) -> float:
    found = stats.permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
        batch=10_000,
    )
    return float(found.pvalue)


def random_rows(options: argparse.Namespace) -> Iterator[Row]:
    """Random patterns. Where 20 or fewer queries differ, ours tries all, which is no draw."""
    quantity = "p of the sign-flip test, drawn"
    drawn = [i for i in inputs(LARGE, options) if np.count_nonzero(i.difference) > 20]
    ours = [
        sign_flip_p(i.difference, seed=n, permutations=PERMUTATIONS) for n, i in enumerate(drawn)
    ]
    theirs = [permuted(i.difference, PERMUTATIONS, seed=n) for n, i in enumerate(drawn)]
    # Twice the smaller of two tails: p / 2 is counted, and its error doubles.
    errors = [math.sqrt((p * (1 - p) + p * (2 - p)) / PERMUTATIONS) for p in ours]
    yield chance(
        quantity,
        named("scipy", "permutation_test"),
        pairs(ours, theirs),
        errors,
        f"; the smallest p is 1 in {PERMUTATIONS + 1:,}, scipy's 2, for it doubles one tail",
    )
    yield from ranx_rows(drawn, ours)


def ranx_rows(drawn: Sequence[Input], ours: Sequence[float]) -> Iterator[Row]:
    """Apart where sums tie: ranx compares rounded sums, so that some are not "as extreme". From
    whole numbers, whose sums are exact, it says what ours says of the differences themselves."""
    free = [n for n, i in enumerate(drawn) if i.kind != "gridded"]
    tied = [n for n, i in enumerate(drawn) if i.kind == "gridded"]
    values = {n: (drawn[n].baseline, drawn[n].ranker) for n in (*free, *tied)}
    whole = {n: (np.rint(100 * a), np.rint(100 * b)) for n, (a, b) in values.items()}
    cases = (
        ("no ties", free, values),
        ("ties", tied, values),
        ("ties, whole numbers", tied, whole),
    )
    for name, places, given in cases:
        theirs = [fisher(*given[n]) for n in places]
        once = [ours[n] for n in places]
        errors = [math.sqrt(2 * p * (1 - p) / PERMUTATIONS) for p in once]
        again = [abs(fisher(*given[n]) - p) for n, p in zip(places, theirs, strict=True)]
        note = (
            f"; called again with its seed, ranx is up to {max(again):.3f} from itself (ours 0); "
            f"it says p = 0 of {theirs.count(0.0)}, ours never"
        )
        quantity = f"p of the sign-flip test, drawn, {name}"
        peer = named("ranx", "compare, fisher")
        yield chance(quantity, peer, pairs(once, theirs), errors, note, claimed=name != "ties")


def fisher(baseline: Floats, ranker: Floats) -> float:
    found, _ = fisher_randomization_test(baseline, ranker, PERMUTATIONS)
    return float(found)
