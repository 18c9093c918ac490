"""`relevance-eval export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import FOLDER, Session, common

if TYPE_CHECKING:
    from rich.console import Console

    from relevance_eval.exporters.export import Export

__all__ = ["export"]


@click.command()
@common
@click.argument("student", type=FOLDER, required=False)
@click.option(
    "--precision",
    type=click.Choice(["int8", "int8-static", "int8-weights", "int4", "fp16", "fp32"]),
    help="How weights are stored; int8-static is for encoders where onnxruntime-openvino is "
    "installed.  [default: the configuration's, int8]",
)
@click.option("--name", help="Of the labeler, for people.  [default: the configuration's]")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder to write.  [default: labeler in the training folder]",
)
def export(
    session: Session,
    student: Path | None,
    precision: str | None,
    name: str | None,
    out: Path | None,
) -> None:
    """Turn STUDENT, a folder that `train` wrote, into a labeler in ONNX.

    Without STUDENT, the one in the training folder. The labeler is compared with the student on
    held-out pairs, and not written where it grades otherwise than [training.export] allows.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.errors import DependencyError

    project = session.project(required=False)
    try:
        from relevance_eval.exporters.export import export as step
    except ImportError:
        raise DependencyError.for_extra("train", "export") from None

    changes = {"precision": precision, "name": name}
    settings = project.config.training.export.model_copy(
        update={key: value for key, value in changes.items() if value is not None}
    )
    with session.console.task("comparing") as progress:
        found = step(
            student or project.training / "student",
            settings,
            out or project.training / "labeler",
            timed=True,
            threads=project.config.labelling.threads,
            progress=progress,
        )
    answer = envelope("export", project.hash, export_result(found))
    session.console.answer(answer, lambda console: show_export(console, found))


def export_result(found: Export) -> dict[str, Any]:
    """What export.json holds, the labeler's folder and fingerprint, and parity and speed here."""
    return {
        "folder": str(found.folder),
        "fingerprint": found.fingerprint,
        **found.record,
        "parity": {form: asdict(parity) for form, parity in found.parity.items()},
        "notes": list(found.notes),
        "labels_per_second": {form: round(value, 2) for form, value in found.speeds.items()},
    }


def show_export(out: Console, found: Export) -> None:
    """Where the labeler is, then a row for each form."""
    from rich.table import Table

    from relevance_eval.cli.printable import printable

    form = list(found.parity)[-1]
    plain = next(iter(found.speeds.values()), 0.0)
    table = Table(box=None, pad_edge=False)
    table.add_column("against PyTorch")
    for column in ("MB", "labels/s", "largest", "mean", "flips", "kappa", "neighbours"):
        table.add_column(column, justify="right")
    for name, parity in found.parity.items():
        size, speed = found.record["megabytes"].get(name), found.speeds.get(name)
        table.add_row(
            name,
            f"{size:.1f}" if size else "",
            f"{speed:.1f}" if speed else "",
            f"{parity.largest:.4f}",
            f"{parity.mean:.4f}",
            f"{100 * parity.flips:.2f} %",
            f"{parity.kappa:.4f}",
            f"{parity.neighbours:.4f}",
        )
    pairs = found.parity[form].pairs
    out.print(printable(f"the labeler is in {found.folder}"), markup=False)
    out.print(table)
    out.print(f"expected grades, and named grades, on {pairs:,} held-out pairs", markup=False)
    if plain:
        ratio = found.speeds[form] / plain
        out.print(f"{form} is {ratio:.2f} times as fast here as ONNX fp32", markup=False)
    for note in found.notes:
        out.print(printable(note), markup=False, style="yellow")
    out.print(printable(f'use it with: labeler = "{found.folder}"'), markup=False)
