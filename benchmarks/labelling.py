"""How fast this project labels beside other tools that run the same weights on the same pairs.

all-MiniLM-L6-v2 as a cross-encoder with one logit; pairs of 64, 128 and 256 tokens, and the
enterprise collection's own lengths. Each tool has a process of its own and the whole machine to
itself while it is timed; in each round all tools take their turn in an order drawn anew, so that
what else the machine does slows all of them alike. The first round is not counted.

bfloat16 is left out where the processor has no instructions for it: it takes many times as long.

    pip install -e '.[train,embedded]' 'sentence-transformers>=5' flashrank
    pip install 'optimum-intel[openvino]' nncf
    python benchmarks/labelling.py --work /tmp/labelling

With onnxruntime-openvino installed over onnxruntime, "relevance-eval, fp32" and "built-in" compute
in bfloat16 where the processor has it, and "int8-static" with whole numbers. The tables so far are
in WORK/labelling.md after each round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from engines.ceiling import CEILINGS
from engines.texts import Shown, of_length, real_pairs, sample, write_texts
from engines.tools import ENGINES, REFERENCE
from engines.worker import BUILTINS, POOL, processors

from relevance_eval.evaluators.labelers.session import has_bfloat16

HERE = Path(__file__).parent
REAL = "real"
LENGTHS = (64, 128, 256)
CALIBRATION = 64
"""Pairs that ranges of activations come from; none of them is timed."""
OURS = "relevance-eval"
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


@dataclass
class Tool:
    """A process and what it answered.

    Attributes:
        figures: by set, an answer for each round that counts.
    """

    name: str
    process: subprocess.Popen[str]
    figures: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def ask(self, words: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def rate(self, name: str, unit: str = "seconds") -> float:
        """Labels a second, or a second of the processor; the median of the rounds."""
        return median(len(f["grades"]) / f[unit] for f in self.figures[name])


def start(work: Path, name: str, stack: ExitStack) -> Tool | None:
    """The tool when it is ready; None, and why is told, if it does not start."""
    log = stack.enter_context((work / "logs" / f"{name.replace('/', ' ')}.log").open("w"))
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-m", "engines.worker", str(work.resolve()), name],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() == "ready":
        return Tool(name, process)
    lines = Path(log.name).read_text().strip().splitlines()
    say(f"{name} does not start: {lines[-1] if lines else process.wait()}")
    return None


def prepare(work: Path, pairs: int, seed: int) -> None:
    """The network and the sets of texts; a network that is there is kept."""
    for name in ("sets", "logs"):
        (work / name).mkdir(parents=True, exist_ok=True)
    shown, pool = Shown(), real_pairs(work)
    drawn = sample(pool, 2 * pairs + CALIBRATION, seed)
    others, drawn = drawn[-CALIBRATION:], drawn[:-CALIBRATION]
    timed = drawn[:pairs]
    if not (work / "network" / "built").exists():
        from engines.network import build

        say("making the network's files")
        build(work / "network", [shown.text(pair) for pair in others], seed)
    write_texts(work / "sets" / f"{REAL}.json", [shown.text(pair) for pair in timed])
    for length in LENGTHS:
        # as many tokens in each set, so that none takes much longer than the others
        count = min(len(drawn), pairs * 128 // length)
        texts = of_length(drawn[:count], length)
        write_texts(work / "sets" / f"{length}.json", texts)


def measure(tools: Sequence[Tool], sets: Sequence[str], rounds: int, seed: int) -> Iterator[int]:
    """Asks all tools for all sets; yields after each round that counts. The built-in labeler has a
    set of its own."""
    rng = np.random.default_rng(seed)
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}, load {os.getloadavg()[0]:.1f}")
        for name in sets:
            takers = [t for t in tools if t.name not in BUILTINS or name == REAL]
            for place in rng.permutation(len(takers)):
                tool = takers[place]
                figures = tool.ask(POOL if tool.name in BUILTINS else name)
                if number:
                    tool.figures.setdefault(name, []).append(figures)
        if number:
            yield number


def against(tool: Tool, other: Tool, name: str) -> float:
    """How many times as fast, the median over rounds of the ratio within a round."""
    pairs = zip(tool.figures[name], other.figures[name], strict=True)
    return median(b["seconds"] / a["seconds"] for a, b in pairs)


def apart(tool: Tool, reference: Tool) -> str:
    """Largest and mean difference of the expected grade from float32's, over all sets."""
    if tool.name in (*BUILTINS, *CEILINGS):
        return "|"
    found = [
        abs(a - b)
        for name, rounds in reference.figures.items()
        for a, b in zip(tool.figures[name][0]["grades"], rounds[0]["grades"], strict=True)
    ]
    return f"{max(found):.4f} | {sum(found) / len(found):.4f}"


def table(tools: Sequence[Tool], sets: Sequence[str], unit: str, base: str) -> str:
    """Labels a second, or a second of the processor, with the ratio to the tool of that name."""
    lines = [f"| tool | {' | '.join(sets)} |", "|---|" + "---:|" * len(sets)]
    ours = next((t for t in tools if t.name == base), None)
    for tool in tools:
        cells: list[str] = []
        for name in sets:
            if name not in tool.figures:
                cells.append("")
                continue
            cell = f"{tool.rate(name, unit):,.0f}"
            if ours and tool is not ours and tool.name not in BUILTINS and unit == "seconds":
                cell += f" ({against(ours, tool, name):.2f})"
            cells.append(cell)
        lines.append(f"| {tool.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def qualities(tools: Sequence[Tool]) -> str:
    reference = next((t for t in tools if t.name == REFERENCE), None)
    lines = ["| tool | largest | mean | MB |", "|---|---:|---:|---:|"]
    for tool in tools:
        peak = max(f["peak_mb"] for rounds in tool.figures.values() for f in rounds)
        difference = apart(tool, reference) if reference else "|"
        lines.append(f"| {tool.name} | {difference} | {peak:,.0f} |")
    return "\n".join(lines)


def processor() -> dict[str, str]:
    """What the system says of the last processor, by name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    parts = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in parts if value}


def machine() -> str:
    facts = processor()
    flags = set(facts.get("flags", "").split())
    has = ", ".join(f for f in INSTRUCTIONS if f in flags) or "none"
    return (
        f"{processors()} cores of {facts.get('model name', 'unknown')}; "
        f"of {', '.join(INSTRUCTIONS)} it has {has}"
    )


def chosen_tools(parts: Sequence[str]) -> list[str]:
    """All, or those whose name holds one of `parts`; bfloat16 where the processor knows it."""
    ours = [name for name in ENGINES if name.startswith(OURS)]
    names = dict.fromkeys([*ours, *BUILTINS, *ENGINES, *CEILINGS])
    known = has_bfloat16()
    return [
        name
        for name in names
        if (any(p in name for p in parts) if parts else known or "bf16" not in name)
    ]


def versions() -> str:
    from importlib.metadata import version

    import onnxruntime

    # Not by its record: another package may have taken its place.
    runtime: Any = onnxruntime
    names = ("torch", "openvino", "sentence-transformers", "optimum-onnx")
    others = [f"{n} {version(n)}" for n in (*names, "optimum-intel", "FlashRank", "nncf")]
    return ", ".join([f"onnxruntime {runtime.__version__}", *others])


def summary(
    tools: Sequence[Tool], sets: Sequence[str], options: Mapping[str, Any], base: str
) -> str:
    return "\n\n".join(
        (
            f"{machine()}. {versions()}. {options}",
            "Labels a second, by tokens of a pair; in brackets, how many times as fast "
            f"{base} is.\n\n{table(tools, sets, 'seconds', base)}",
            f"Labels a second of the processor.\n\n{table(tools, sets, 'cpu_seconds', base)}",
            "Difference of the expected grade (0 to 3) from float32's, and peak memory.\n\n"
            f"{qualities(tools)}",
        )
    )


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="where files are kept")
    parser.add_argument("--rounds", type=int, default=5, help="that count (default: 5)")
    parser.add_argument("--pairs", type=int, default=64, help="of a set (default: 64)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--base",
        default="int8-static",
        choices=("fp32", "int8", "int8-static"),
        help="form of ours that ratios are of (default: int8-static)",
    )
    parser.add_argument("--only", nargs="*", default=[], help="tools whose name holds one of these")
    parser.add_argument("--sets", nargs="*", default=[*map(str, LENGTHS), REAL])
    chosen = parser.parse_args()
    prepare(chosen.work, chosen.pairs, chosen.seed)
    with ExitStack() as stack:
        started = [start(chosen.work, name, stack) for name in chosen_tools(chosen.only)]
        tools = [tool for tool in started if tool]
        for number in measure(tools, chosen.sets, chosen.rounds, chosen.seed):
            options = {"rounds": number, "pairs": chosen.pairs, "seed": chosen.seed}
            asked = [t for t in tools if t.figures]
            text = summary(asked, chosen.sets, options, f"{OURS}, {chosen.base}")
            (chosen.work / "labelling.md").write_text(text + "\n", encoding="utf-8")
        for tool in tools:
            assert tool.process.stdin is not None
            tool.process.stdin.close()
    print((chosen.work / "labelling.md").read_text())  # noqa: T201


if __name__ == "__main__":
    main()
