"""A trained student, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from relevance_eval.cli.printable import one_line

if TYPE_CHECKING:
    # Only for annotations: it needs PyTorch, which may not be there.
    from relevance_eval.exporters.train import Training

__all__ = ["show_training"]

FIGURES = {
    "kappa": "kappa, four grades",
    "quadratic_kappa": "quadratic kappa",
    "relevant_kappa": "kappa, relevant or not",
    "pairwise_accuracy": "pairwise accuracy",
    "ndcg": "nDCG@10 of its order",
}


def show_training(out: Console, training: Training) -> None:
    """What was learned from, the held-out figures, the calibration, and where the student is."""
    record = training.record
    learned, held = record["data"]["training"], record["data"]["holdout"]
    out.print(
        f"learned from {learned['pairs']:,} pairs of {learned['queries']:,} queries; "
        f"held out {held['pairs']:,} pairs of {held['queries']:,}",
        markup=False,
    )
    left = record["data"]["ungraded"] + record["data"]["without_text"]
    if left:
        out.print(f"[yellow]{left:,} examples have no grade or no text, and were left out[/]")
    best = record["curve"][record["best"]]
    early = ", stopped early" if record["stopped_early"] else ""
    out.print(
        f"{record['steps']:,} steps{early}; best after {best['step']:,}: "
        f"{record['score']} {best['score']:.3f}",
        markup=False,
    )
    out.print(figures_table(record["held_out"]))
    show_calibration(out, record["calibration"])
    state = "is in" if training.fresh else "was there already, and is in"
    out.print(f"the student {state} {one_line(str(training.folder))}", markup=False, soft_wrap=True)


def figures_table(held_out: Mapping[str, Any]) -> Table:
    """A column for each two that are compared; intervals of 95 % by query."""
    table = Table(box=None, pad_edge=False)
    table.add_column("held out, 95 % intervals")
    for name, figures in held_out.items():
        table.add_column(f"{name.replace('_', ' ')}\n{figures['pairs']:,} pairs", justify="right")
    for key, head in FIGURES.items():
        values = [
            f"{f[key]['value']:.3f} [{f[key]['low']:.3f}, {f[key]['high']:.3f}]"
            for f in held_out.values()
        ]
        table.add_row(head, *map(escape, values))
    return table


def show_calibration(out: Console, report: Mapping[str, Any]) -> None:
    if "note" in report:
        out.print(f"not calibrated: {report['note']}", markup=False)
        return
    before, after = report["before"], report["after"]
    out.print(
        f"calibrated on {report['pairs']:,} grades by {report['fitted_on']}: "
        f"temperature {report['temperature']:.3f}, calibration error "
        f"{before['calibration_error']:.3f} before, {after['calibration_error']:.3f} after "
        "(measured on queries that it was not fitted on)",
        markup=False,
    )
