"""How fast labelers are beside each other on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median

from relevance_eval.evaluators.labelling import Labeler
from relevance_eval.evaluators.pair import Pair

__all__ = ["speeds"]

ROUNDS = 3


def speeds(
    labelers: Mapping[str, Labeler], pairs: Sequence[Pair], rounds: int = ROUNDS
) -> dict[str, float]:
    """Labels a second of each, the median of rounds in which all take their turn.

    What else the machine does then slows all of them alike, so their ratio is worth more than
    the numbers.
    """
    seconds: dict[str, list[float]] = {name: [] for name in labelers}
    for _ in range(rounds):
        for name, labeler in labelers.items():
            started = time.perf_counter()
            for _answer in labeler.label(pairs):
                pass
            seconds[name].append(time.perf_counter() - started)
    return {name: len(pairs) / median(taken) for name, taken in seconds.items()}
