"""One tool in a process of its own: reads names of sets, a line each, and answers with figures.

python -m engines.worker WORK NAME
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

__all__ = ["BUILTINS", "POOL", "processors"]

POOL = "pool"
"""The set of all pairs of the collection, as pairs and not as texts: for the built-in labeler."""
BUILTINS = {"relevance-eval, built-in": False, "relevance-eval, built-in, float32": True}
"""The built-in labeler, and whether it is held to float32 where bfloat16 is faster."""
Run = Callable[[str], npt.NDArray[np.float64]]


def processors() -> int:
    return len(os.sched_getaffinity(0))


def peak_mb() -> float:
    """Most memory that this process has had so far, in MB."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def of_builtin(work: Path, exact: bool) -> Run:
    from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
    from relevance_eval.evaluators.labelers.load import load_labeler

    from .texts import real_pairs

    labeler, pairs = load_labeler("builtin", exact=exact), real_pairs(work)
    assert isinstance(labeler, BiEncoder)

    def run(_name: str) -> npt.NDArray[np.float64]:
        labeler.read.clear()
        found = np.full(len(pairs), np.nan)
        for position, judgment in labeler.label(pairs):
            found[position] = judgment.expected
        return found

    return run


def of_texts(work: Path, name: str) -> Run:
    from .ceiling import CEILINGS
    from .texts import read_texts
    from .tools import ENGINES

    network = work / "network"
    ceiling = CEILINGS.get(name)
    engine = ceiling(network, processors()) if ceiling else ENGINES[name](network)
    sets = {path.stem: read_texts(path) for path in (work / "sets").glob("*.json")}
    return lambda name: engine(sets[name])


def answer(run: Run, name: str) -> dict[str, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    grades = run(name)
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "grades": [float(g) if np.isfinite(g) else None for g in grades],
    }


def own_output() -> TextIO:
    """Where answers go: what libraries print must not get between them."""
    kept = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return kept


def main() -> None:
    out = own_output()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    work, name = Path(sys.argv[1]), sys.argv[2]
    run = of_builtin(work, BUILTINS[name]) if name in BUILTINS else of_texts(work, name)
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(json.dumps(answer(run, line.strip())) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
