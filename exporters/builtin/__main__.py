"""python -m relevance_eval.exporters.builtin: make the built-in labeler."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import click

from relevance_eval.exporters.builtin.build import Options, build
from relevance_eval.exporters.builtin.export import SCHEMES

FEATURES = ("cosine", "late_square", "query_length")
"""The head's features; EXPERIMENTS.md says why these."""


@click.command(context_settings={"show_default": True})
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of the judged collections.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write the labeler to; files there are replaced.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder for intermediate files; features there are not computed again.  "
    "[default: a temporary folder]",
    show_default=False,
)
@click.option("--seed", type=int, default=0, help="Seed of folds and samples.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=2,
    help="Processor threads of PyTorch.",
)
@click.option(
    "--scheme",
    type=click.Choice(list(SCHEMES)),
    default="weights only",
    help="How the model file stores weights.",
)
def main(data: Path, out: Path, work: Path | None, seed: int, threads: int, scheme: str) -> None:
    """Fit, measure and export the built-in labeler."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        build(Options(data, out, work or Path(folder), seed, threads, scheme, FEATURES))
    minutes = (time.perf_counter() - start) / 60
    click.echo(f"wrote {out} in {minutes:.0f} minutes")


if __name__ == "__main__":
    main()
