"""From a bare index to a comparison with a labeler of its own, timed step by step.

A real embedded Elasticsearch, and SmolLM2-135M as the teacher (see small_teacher.py).

    python benchmarks/pipeline.py fixtures/enterprise/corpus.jsonl --work /tmp/pipeline
    python benchmarks/pipeline.py ../shared/data/handbook/corpus.jsonl --work /tmp/handbook
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CONFIGURATION = """
labeler = ".relevance-eval/training/labeler"

[elasticsearch]
index = "documents"

[load]
documents = {corpus}

[queries]
file = ".relevance-eval/training/queries.jsonl"

[endpoints.small]
model = "SmolLM2-135M-Instruct"
base_url = {url}
concurrency = 2
timeout = 300

[training.synthesize]
# extractive: of what this small a model writes, two thirds are dropped
documents = {documents}

[training.mine]
windows = [{{ first = 1, last = 10, take = 3 }}, {{ first = 11, last = 50, take = 2 }}]
random = 1

[training.teach]
endpoint = "small"
max_characters = 800
least_mass = 0.05 # so small a model often names digits off the scale

[training.train]
epochs = 2
max_tokens = 160

[training.export]
# a teacher this small gives grades that hardly differ, and kappa between such grades is unstable
max_loss = 0.2

[rankers.body]
template = "body.json"

[rankers.title]
template = "title.json"
"""
RANKERS = {
    "body": {"query": {"match": {"body": "{{query}}"}}},
    "title": {
        "query": {
            "multi_match": {"query": "{{query}}", "fields": ["title^3", "folder_path", "body"]}
        }
    },
}


def write_project(folder: Path, corpus: Path, url: str, documents: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = CONFIGURATION.format(
        corpus=json.dumps(str(corpus.resolve())), url=json.dumps(url), documents=documents
    )
    (folder / "relevance-eval.toml").write_text(text)
    for name, body in RANKERS.items():
        (folder / f"{name}.json").write_text(json.dumps(body))


def timed(folder: Path, *words: str) -> tuple[float, dict[str, Any]]:
    """Seconds and the answer of one command."""
    started = time.monotonic()
    command = Path(sys.executable).with_name("relevance-eval")
    done = subprocess.run(
        [command, *words, "--json"], cwd=folder, stdout=subprocess.PIPE, check=True, text=True
    )
    return time.monotonic() - started, json.loads(done.stdout)["result"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("corpus", type=Path)
    options.add_argument("--work", type=Path, required=True, help="the project's folder")
    options.add_argument("--documents", type=int, default=12, help="seed documents (default: 12)")
    chosen = options.parse_args()
    teacher = subprocess.Popen(
        [sys.executable, HERE / "small_teacher.py", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert teacher.stdout is not None
    try:
        write_project(
            chosen.work, chosen.corpus, teacher.stdout.readline().strip(), chosen.documents
        )
        seconds, distilled = timed(chosen.work, "distill")
        print(json.dumps(distilled, indent=2))  # noqa: T201
        compared, answer = timed(chosen.work, "compare", "body", "title")
        labels = answer["labels"]
    finally:
        teacher.terminate()
        teacher.wait()
    print(f"distill {seconds:.0f} s, compare {compared:.0f} s: {labels}")  # noqa: T201


if __name__ == "__main__":
    main()
