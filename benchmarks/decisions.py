"""How many labels a decision needs, whether buying fewer changes it, and how often it is wrong.

Every pair of some twenty real rankers on each of five collections is a decision (see prepared.py).
The built-in labeler's grades of the whole pool of a pair stand for labelling all; each way of
buying fewer is asked for its labels out of these. Then false alarms: rankers that do not differ.

    python benchmarks/decisions.py --data ../shared/data --work /tmp/decisions
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
from audit_coverage import MODELS, Collection, builtin_grades, runs_of
from decision import PLAN, Decision, decision
from heldout import certain
from prepared import COLLECTIONS, DEPTH, Prepared, prepare

from relevance_eval.evaluators.decisive.comparison import cheap_gains, compare_decisively
from relevance_eval.evaluators.difference import verdict_of, without_rounding
from relevance_eval.evaluators.document import read_corpus
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelling import label
from relevance_eval.evaluators.measures import parse_measure
from relevance_eval.evaluators.pair import Pair, pool
from relevance_eval.evaluators.qrels import read_qrels
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.statistics import Interval, mean_interval
from relevance_eval.evaluators.verdict import Verdict

Floats = npt.NDArray[np.float64]
WAYS = (
    ("exact", "EnDCG@10"),
    ("exact", "sDCG@10"),
    ("exact", "P@10"),
    ("decisive", "EnDCG@10"),
    ("decisive", "sDCG@10"),
)
TWINS = 0.2
"""Share of a collection's pairs of rankers that count as near twins: those with the fewest labels
that can move their difference."""
TIMED = 3


# labels bought


@dataclass(frozen=True)
class Bought:
    """What one decision took, in shares of the pair's pool."""

    names: str
    movable: float
    share: float
    verdict: Verdict
    full: Verdict
    how: str
    near: bool
    held: bool


def bought(one: Decision, mode: str, seed: int) -> Bought:
    settled, book = one.settle(mode, seed)
    estimate = settled.estimate
    noise = math.sqrt(math.fsum(estimate.variances)) / len(estimate.column)
    truth = float(one.column(one.gains).mean())
    shown = mean_interval(estimate.column)
    return Bought(
        names=one.names,
        movable=one.movable,
        share=float(np.mean(book.known)),
        verdict=settled.verdict,
        full=verdict_of(one.full(), one.plan),
        how=settled.how,
        near=abs(shown.mean - truth) <= 1.96 * noise,
        held=shown.low is None or shown.high is None or shown.low <= truth <= shown.high,
    )


def label_rows(found: Mapping[str, Prepared], ways: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield (
        "| collection | way, measure | pairs | can move, median (near twins) "
        "| bought, median (near twins) | mean | same verdict | settled by "
        "| figure of all labels within 1.96 sampling errors | within the interval shown |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for mode, name in ways:
        everything: list[Bought] = []
        for collection, prepared in found.items():
            pairs = combinations(prepared.runs, 2)
            measure = parse_measure(name)
            rows = [
                bought(decision(prepared, p, measure), mode, seed) for seed, p in enumerate(pairs)
            ]
            everything += rows
            yield label_row(collection, f"{mode}, {name}", rows)
        yield label_row("all", f"{mode}, {name}", everything)


def label_row(collection: str, way: str, rows: Sequence[Bought]) -> str:
    limit = float(np.quantile([r.movable for r in rows], TWINS))
    twins = [r for r in rows if r.movable <= limit]
    same = sum(r.verdict is r.full for r in rows)
    hows = ", ".join(f"{how} {count}" for how, count in Counter(r.how for r in rows).most_common())
    sampled = [r for r in rows if r.how == "sample"]
    near, held = (
        f"{100 * sum(flags) / len(flags):.1f} %" if flags else ""
        for flags in ([r.near for r in sampled], [r.held for r in sampled])
    )
    movable, share = (
        " ".join((middle(rows, of), f"({middle(twins, of)})"))
        for of in (lambda r: r.movable, lambda r: r.share)
    )
    return (
        f"| {collection} | {way} | {len(rows)} | {movable} | {share} "
        f"| {percent(sum(r.share for r in rows) / len(rows))} "
        f"| {same} of {len(rows)} | {hows} | {near} | {held} |"
    )


def middle(rows: Sequence[Bought], of: Callable[[Bought], float]) -> str:
    return percent(median(of(r) for r in rows))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


# false alarms


def exchanged(one: Decision, generator: np.random.Generator) -> Decision:
    """The two lists of each query exchanged or not, by a coin: neither ranker is better."""
    coins = generator.random(len(one.stakes.query_ids)) < 0.5
    weights = np.where(coins[one.stakes.query], one.stakes.weights[::-1], one.stakes.weights)
    return replace(one, stakes=replace(one.stakes, weights=weights))


def shuffled(one: Decision, generator: np.random.Generator) -> Decision:
    """The labels of each query dealt out anew among its documents: no order is better.

    A longer list is, though, whatever it holds: queries with lists of two lengths are left out.
    """
    order = np.lexsort((generator.random(len(one.gains)), one.stakes.query))
    totals = [one.stakes.sums(row) for row in one.stakes.weights]
    fair = np.isclose(totals[0], totals[1])[one.stakes.query]
    weights = np.where(fair, one.stakes.weights, 0.0)
    return replace(one, gains=one.gains[order], stakes=replace(one.stakes, weights=weights))


def alarms(one: Decision, seed: int) -> dict[str, bool]:
    """By each test, whether two rankers that do not differ are told apart."""
    full, alpha = one.full(), one.plan.rule.alpha
    settled, _ = one.settle("decisive", seed)
    return {
        "paired t-test": full.p_t <= alpha,
        "permutation test": full.p_sign_flip <= alpha,
        "BCa interval": beyond(Interval(full.mean, full.low_bca, full.high_bca)),
        "interval shown": beyond(Interval(full.mean, full.low_queries, full.high_queries)),
        "decisive, its looks and all": settled.verdict in (Verdict.BETTER, Verdict.WORSE),
        **passes(one, seed),
    }


def passes(one: Decision, seed: int) -> dict[str, bool]:
    """Whether a gate lets a ranker by whose loss is just what it must not be.

    The margin is 0, so that "no difference" is the loss that must be ruled out.
    """
    rule = replace(one.plan.rule, margin=0.0)
    strict = replace(one, plan=replace(one.plan, rule=rule))
    settled, _ = strict.settle("decisive", seed, loss=True)
    estimated = strict.tested(without_rounding(settled.estimate.column))
    return {
        "gate, a loss of the margin passes": strict.full().p_non_inferior <= rule.alpha,
        "the same, decisive": estimated.p_non_inferior <= rule.alpha,
    }


def beyond(interval: Interval) -> bool:
    if interval.low is None or interval.high is None:
        return False
    return not interval.low <= 0 <= interval.high


def alarm_rows(found: Mapping[str, Prepared], trials: int, seed: int) -> Iterator[str]:
    yield "| null | test | false alarms | of | rate, 95 % interval |"
    yield "|---|---|---|---|---|"
    for name, change in (("lists exchanged", exchanged), ("labels shuffled", shuffled)):
        counts: Counter[str] = Counter()
        for trial in range(trials):
            generator = np.random.default_rng([seed, trial])
            one = change(drawn_decision(found, generator), generator)
            counts.update({test: int(alarm) for test, alarm in alarms(one, trial).items()})
        for test, count in counts.items():
            yield f"| {name} | {test} | {count} | {trials} | {wilson(count, trials)} |"


KEPT: dict[tuple[str, int, int], Decision] = {}


def drawn_decision(found: Mapping[str, Prepared], generator: np.random.Generator) -> Decision:
    """A collection and two of its rankers, whose decision is made once; no equivalence is asked."""
    name = str(generator.choice(list(found)))
    runs = found[name].runs
    first, second = sorted(int(i) for i in generator.choice(len(runs), 2, replace=False))
    key = (name, first, second)
    if key not in KEPT:
        KEPT[key] = decision(found[name], [runs[first], runs[second]], PLAN.primary)
    return KEPT[key]


def wilson(count: int, trials: int) -> str:
    share, z = count / trials, 1.96
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    reach = (
        z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    )
    return f"{100 * share:.1f} % [{100 * (middle - reach):.1f}, {100 * (middle + reach):.1f}]"


# a dear labeler, forecast by a cheap one


def dear_rows(data: Path, work: Path) -> Iterator[str]:
    """GPT-4o's grades of `dl20` as the labels to buy, forecast by the built-in labeler's or not."""
    folder = data / "dl20"
    texts = Collection.read(folder)
    dear = certain(read_qrels(folder / MODELS["GPT-4o"]), "GPT-4o")
    cheap = builtin_grades(texts, folder, work / "dl20.sqlite")
    documents = read_corpus(folder / "corpus.jsonl")
    runs = [cut(run) for run in runs_of(texts)]
    found = Prepared(texts.queries, runs, documents, [], dear)
    yield "| forecast by | pairs | bought, median | mean | same verdict |"
    yield "|---|---|---|---|---|"
    for name, told in (("ranks and words", None), ("the built-in labeler as well", cheap)):
        rows = [
            bought(dear_decision(found, pair, told), "decisive", seed)
            for seed, pair in enumerate(combinations(runs, 2))
        ]
        same = sum(r.verdict is r.full for r in rows)
        mean = percent(sum(r.share for r in rows) / len(rows))
        yield (
            f"| {name} | {len(rows)} | {middle(rows, lambda r: r.share)} | {mean} "
            f"| {same} of {len(rows)} |"
        )


def cut(run: Run) -> Run:
    results = {q: replace(r, hits=r.hits[:DEPTH]) for q, r in run.results.items()}
    return Run(run.ranker, results)


def dear_decision(
    found: Prepared, runs: Sequence[Run], cheap: Mapping[str, Mapping[str, Judgment]] | None
) -> Decision:
    one = decision(found, runs, PLAN.primary)
    if cheap is None:
        return one
    gains = cheap_gains(one.stakes, PLAN.primary, cheap)
    return replace(one, clues=np.column_stack([one.clues, gains]))


# time


def time_rows(found: Mapping[str, Prepared], work: Path, seed: int, labeler: str) -> Iterator[str]:
    """Labelling and deciding for real, with an empty store each time, all and decisive by turns."""
    yield "| collection | pair | labels, all | decisive | seconds, all | decisive | ratio |"
    yield "|---|---|---|---|---|---|---|"
    for name, prepared in found.items():
        generator = np.random.default_rng(seed)
        pairs = list(combinations(prepared.runs, 2))
        for place in generator.choice(len(pairs), TIMED, replace=False):
            runs = pairs[place]
            every, few = (
                timed(prepared, runs, work, way, labeler) for way in (all_labels, decisively)
            )
            yield (
                f"| {name} | {' / '.join(r.ranker for r in runs)} | {every[0]} | {few[0]} "
                f"| {every[1]:.1f} | {few[1]:.1f} | {few[1] / every[1]:.2f} |"
            )


Buy = Callable[[Sequence[Pair]], Mapping[tuple[str, str], Judgment]]
Way = Callable[[Prepared, Sequence[Run], Buy], None]


def timed(
    prepared: Prepared, runs: Sequence[Run], work: Path, way: Way, name: str
) -> tuple[int, float]:
    """Labels bought and seconds taken."""
    labeler = load_labeler(name)
    path = work / "timed.sqlite"
    for old in work.glob("timed.sqlite*"):
        old.unlink()
    count = 0
    with Judgments(path) as store:

        def buy(pairs: Sequence[Pair]) -> dict[tuple[str, str], Judgment]:
            nonlocal count
            found = label(pairs, labeler, store)
            count += found.bought
            return {(p.query.id, p.document.id): found.judgments[p.key] for p in pairs}

        started = time.perf_counter()
        way(prepared, runs, buy)
        return count, time.perf_counter() - started


def all_labels(prepared: Prepared, runs: Sequence[Run], buy: Buy) -> None:
    buy(pool(runs, prepared.queries, prepared.documents, DEPTH))


def decisively(prepared: Prepared, runs: Sequence[Run], buy: Buy) -> None:
    pairs = pool(runs, prepared.queries, prepared.documents, DEPTH)
    named = {(p.query.id, p.document.id): p for p in pairs}

    def grades(names: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Judgment]:
        return buy([named[n] for n in names])

    documents = {p.document.id: p.document for p in pairs}
    compare_decisively(runs, prepared.queries, documents, PLAN, grades, mode="decisive")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="*", default=COLLECTIONS, metavar="COLLECTION")
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--work", type=Path, required=True, help="runs and grades are kept here")
    parser.add_argument("--trials", type=int, default=2000, help="of false alarms, each null")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--way", choices=["exact", "decisive"], help="for the first table")
    parser.add_argument("--labeler", default="builtin", help="whose time is taken")
    parser.add_argument("--only", choices=["labels", "alarms", "dear", "time"])
    options = parser.parse_args()
    found = {name: prepare(name, options.data, options.work) for name in options.collections}
    tables = {
        "labels": lambda: label_rows(found, [w for w in WAYS if options.way in (None, w[0])]),
        "alarms": lambda: alarm_rows(found, options.trials, options.seed),
        "dear": lambda: dear_rows(options.data, options.work),
        "time": lambda: time_rows(found, options.work, options.seed, options.labeler),
    }
    for name, rows in tables.items():
        if options.only in (None, name):
            for row in rows():
                print(row, flush=True)  # noqa: T201
            print()  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
