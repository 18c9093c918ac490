"""Measures of ranked lists, where labels are certain."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

import ir_measures
import numpy as np
import ranx
from table import Row, named, same

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.measures import measure_run, parse_measure
from relevance_eval.evaluators.run import Hit, Result, Run

OURS_AND_THEIRS = (
    ("EnDCG@10", "linear", "ranx", "ndcg@10"),
    ("EnDCG@10", "linear", "ir_measures", "nDCG@10"),
    ("EnDCG@10", "exponential", "ranx", "ndcg_burges@10"),
    ("nDCG@10", "linear", "ranx", "ndcg@10"),
    ("P@5", "linear", "ranx", "precision@5-l2"),
    ("R@10", "linear", "ranx", "recall@10-l2"),
    ("RR", "linear", "ranx", "mrr-l2"),
    ("AP", "linear", "ranx", "map-l2"),
)
Grades = Mapping[str, Mapping[str, int]]
Scores = Mapping[str, Mapping[str, float]]


def collection(seed: Sequence[int], queries: int = 50) -> tuple[Grades, Scores]:
    """Each query's pool of 30 with a grade; 20 ranked documents, some of them never judged."""
    generator = np.random.default_rng(seed)
    grades: dict[str, dict[str, int]] = {}
    ranked: dict[str, dict[str, float]] = {}
    for number in range(queries):
        drawn = generator.choice(4, 30, p=(0.6, 0.2, 0.12, 0.08)).tolist()
        order = generator.permutation(36)[:20].tolist()
        grades[f"q{number}"] = {f"d{i}": grade for i, grade in enumerate(drawn)}
        ranked[f"q{number}"] = {f"d{i}": 20.0 - rank for rank, i in enumerate(order)}
    return grades, ranked


def measure_rows(options: argparse.Namespace) -> Iterator[Row]:
    drawn = [collection([options.seed, number]) for number in range(options.seeds)]
    for name, gain, package, theirs in OURS_AND_THEIRS:
        measure = parse_measure(name, gain="linear" if gain == "linear" else "exponential")
        found: list[tuple[float, float]] = []
        for grades, ranked in drawn:
            results = {
                q: Result(tuple(Hit(d, s) for d, s in row.items())) for q, row in ranked.items()
            }
            judged = {
                q: {d: Judgment.certain("people", g) for d, g in row.items()}
                for q, row in grades.items()
            }
            ours = measure_run(Run("a", results), list(grades), judged, measure)
            other = by_ranx if package == "ranx" else by_ir_measures
            peer = other(grades, ranked, theirs)
            found += [(value, peer[q]) for q, value in ours.items()]
        label = f"{name}, {gain} gain, labels certain" if name == "EnDCG@10" else name
        yield same(label, named(package, theirs), found)


def by_ranx(grades: Grades, ranked: Scores, name: str) -> dict[str, float]:
    qrels = ranx.Qrels({q: dict(row) for q, row in grades.items()})
    run = ranx.Run({q: dict(row) for q, row in ranked.items()})
    ranx.evaluate(qrels, run, name)
    return {q: float(v) for q, v in next(iter(run.scores.values())).items()}


def by_ir_measures(grades: Grades, ranked: Scores, name: str) -> dict[str, float]:
    found = ir_measures.iter_calc([ir_measures.parse_measure(name)], grades, ranked)
    return {metric.query_id: float(metric.value) for metric in found}
