"""A bench as `--json` prints it."""

from __future__ import annotations

from collections.abc import Mapping

from relevance_eval.bench import Bench, Estimate, Lengths, Machine, Spread
from relevance_eval.evaluators.labelling import Labeler

__all__ = ["bench_result"]


def bench_result(
    found: Bench, guess: Estimate, machine: Machine, labeler: Labeler, texts: Mapping[str, object]
) -> dict[str, object]:
    """What `--json` prints of a bench. `texts`: where they come from, and by which seed."""
    documents = found.documents_per_second
    return {
        "labeler": {"name": labeler.name, "fingerprint": labeler.fingerprint},
        "machine": {
            "cores": machine.cores,
            "threads": machine.threads,
            "provider": machine.provider,
            "memory_mb": None if machine.memory_mb is None else round(machine.memory_mb, 1),
            "load": machine.load,
        },
        "texts": {
            **texts,
            "pairs": found.pairs,
            "queries": found.queries,
            "documents": found.documents,
            "ungraded": found.ungraded,
            "tokens": found.lengths.read,
            "tokens_of": "document" if found.once else "pair",
            "quartiles": quartiles(found.lengths),
        },
        "rounds": len(found.seconds),
        "seconds": [round(s, 4) for s in found.seconds],
        "labels_per_second": spread_result(found.labels_per_second),
        "documents_per_second": spread_result(documents) if documents else None,
        "tokens_per_second": spread_result(found.tokens_per_second),
        "comparison": {
            "queries": guess.queries,
            "rankers": guess.rankers,
            "depth": guess.depth,
            "pool": guess.pool,
            "documents": guess.documents,
            "assumed": guess.assumed,
            "minutes": spread_result(guess.minutes),
        },
    }


def quartiles(lengths: Lengths) -> list[float]:
    return [lengths.shortest, lengths.lower, lengths.middle, lengths.upper, lengths.longest]


def spread_result(spread: Spread) -> dict[str, float]:
    return {
        "median": round(spread.median, 3),
        "min": round(spread.least, 3),
        "max": round(spread.most, 3),
    }
