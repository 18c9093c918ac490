"""`relevance-eval calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import FILE, FOLDER, Session, common
from relevance_eval.cli.printable import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from relevance_eval.exporters.calibrate import Calibrated
    from relevance_eval.exporters.settings import Precision

__all__ = ["calibrate"]

FIGURES = {
    "quadratic_kappa": "kappa, quadratic weights",
    "kappa": "kappa, four grades",
    "relevant_kappa": "kappa, relevant or not",
    "pairwise_accuracy": "pairwise accuracy",
    "ndcg": "nDCG@10 of its order",
    "calibration_error": "calibration error",
}


@click.command()
@common
@click.argument("model")
@click.option(
    "--qrels",
    type=FILE,
    multiple=True,
    help="Grades 0 to 3, TREC format, by people or a teacher.  [default: none]",
)
@click.option(
    "--people",
    type=FILE,
    multiple=True,
    help="Grades by people, TREC format; they win over others.  [default: none]",
)
@click.option(
    "--graded",
    type=FILE,
    multiple=True,
    help="Graded pairs as teach writes them, JSON Lines.  [default: without any grades named, "
    "graded.jsonl in the training folder]",
)
@click.option(
    "--queries", help="Queries of the grades, JSON Lines or irds:NAME.  [default: configured]"
)
@click.option(
    "--corpus", help="Documents of the grades, JSON Lines or irds:NAME.  [default: [load]]"
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    help="Role of a document's field that the model reads; may be given more than once.  "
    "[default: title, body]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    help="Longest input; fewer are faster.  [default: the model's]",
)
@click.option(
    "--pooling",
    type=click.Choice(["mean", "first"]),
    help="Of an embedder's token states.  [default: 1_Pooling/config.json's]",
)
@click.option("--query-prefix", help="What an embedder reads before a query.  [default: its own]")
@click.option(
    "--document-prefix", help="What it reads before a document.  [default: the embedder's own]"
)
@click.option("--late", is_flag=True, help="Compare an embedder's texts word by word too.")
@click.option(
    "--precision",
    type=click.Choice(["int8-static", "int8", "int8-weights"]),
    help="Round the model, for size and speed, before it is calibrated; int8-static is for where "
    "onnxruntime-openvino is installed.  [default: as it is]",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=5,
    help="Groups of queries for the held-out figures.  [default: 5]",
)
@click.option("--name", help="Of the labeler, for people.  [default: the model's, -calibrated]")
@click.option("--base", help="Name of the model, owner/name.  [default: MODEL's]")
@click.option("--license", "terms", help="Terms of the labeler.  [default: the model's]")
@click.option(
    "--out", type=FOLDER, help="Folder to write.  [default: calibrated in the training folder]"
)
def calibrate(
    session: Session,
    model: str,
    qrels: tuple[Path, ...],
    people: tuple[Path, ...],
    graded: tuple[Path, ...],
    queries: str | None,
    corpus: str | None,
    precision: Precision | None,
    folds: int,
    name: str | None,
    base: str | None,
    terms: str | None,
    out: Path | None,
    **reading: Any,
) -> None:
    """Make a labeler of MODEL, a reranker or embedder in ONNX: a folder, or owner/name of a hub.

    Its scores are calibrated to probabilities of grades on a few hundred graded pairs, and what
    that is worth is measured on queries held out. Scores are kept: stopped half-way, it goes on.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.calibration import grades_for, scores_folder
    from relevance_eval.exporters.calibrate import calibrate as step
    from relevance_eval.exporters.rerankers.reranker import Reading, open_reranker

    on_files = (qrels or people) and corpus is not None and queries is not None
    project = session.project(required=not (graded or on_files))
    # Looked at first: what is wrong with it is told before a corpus is read.
    given = {key: value for key, value in reading.items() if value not in (None, ())}
    reranker = open_reranker(model, Reading(**given), name=name, base_name=base, terms=terms)
    examples = grades_for(
        project, graded, qrels=qrels, people=people, queries=queries, corpus=corpus
    )
    with session.console.task("scoring") as progress:
        found = step(
            reranker,
            examples,
            out or project.training / "calibrated",
            scores_folder(project),
            seed=project.config.training.seed if session.seed is None else session.seed,
            precision=precision,
            folds=folds,
            threads=project.config.labelling.threads,
            progress=progress,
        )
    answer = envelope("calibrate", project.hash, calibrated_result(found))
    session.console.answer(answer, lambda console: show_calibrated(console, found))


def calibrated_result(found: Calibrated) -> dict[str, Any]:
    """What calibration.json holds, the labeler's folder and fingerprint, and scores reused."""
    return {
        "folder": str(found.folder),
        "fingerprint": found.fingerprint,
        **found.record,
        "reused": found.reused,
    }


def show_calibrated(out: Console, found: Calibrated) -> None:
    """What it was fitted on, the held-out figures, and where the labeler is."""
    record = found.record
    data = record["data"]
    grades = ", ".join(f"{count:,} of grade {grade}" for grade, count in data["grades"].items())
    out.print(
        f"calibrated {one_line(record['base'])} on {data['pairs']:,} pairs of "
        f"{data['queries']:,} queries: {grades}",
        markup=False,
        soft_wrap=True,
    )
    for reason, count in data["reasons"].items():
        out.print(
            f"{count:,} pairs were left out: {one_line(reason)}", markup=False, style="yellow"
        )
    out.print(figures_table(record))
    for note in record["notes"]:
        out.print(one_line(note), markup=False, style="yellow")
    out.print(f'use it with: labeler = "{one_line(found.folder)}"', markup=False, soft_wrap=True)


def figures_table(record: Any) -> Table:
    """A row for each figure, with its 95 % interval by query."""
    from rich.table import Table

    figures = record["held_out"]
    table = Table(box=None, pad_edge=False)
    table.add_column(f"held out, {record['folds']} folds of {figures['queries']:,} queries")
    table.add_column("95 % interval", justify="right")
    for key, head in FIGURES.items():
        value, low, high = (figures[key][end] for end in ("value", "low", "high"))
        table.add_row(head, f"{value:.3f} ({low:.3f} to {high:.3f})")
    return table
