"""What probes do to a labeler, as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from relevance_eval.evaluators.probes import Probed

__all__ = ["show_probes"]


def show_probes(out: Console, probes: Sequence[Probed]) -> None:
    """By how much each change moves the expected grade of documents that are irrelevant."""
    table = Table(
        title="probes: shift of the expected grade (0 to 3) of documents that people graded 0",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for column in ("change", "pairs", "queries", "shift", "95 % interval", ""):
        table.add_column(column, justify="left" if column in ("change", "") else "right")
    for found in probes:
        shift = found.shift
        known = shift.low is not None and shift.high is not None
        table.add_row(
            found.probe,
            f"{found.pairs:,}",
            f"{found.queries:,}",
            f"{shift.mean:+.3f}",
            f"{shift.low:+.3f} to {shift.high:+.3f}" if known else "-",
            "[red]moved[/]" if found.moved else "[yellow]unchanged[/]" if found.unchanged else "",
        )
    out.print(table)
    if any(found.moved for found in probes):
        out.print(
            "[yellow]a ranker that prefers such documents would look better than it is[/]",
        )
    if any(found.unchanged for found in probes):
        out.print(
            "[yellow]unchanged: no grade moved in the least, which is no pass: the labeler may not "
            "read `body`, which the probes change, or grade too coarsely to tell[/]"
        )
    ungraded = sum(found.ungraded for found in probes)
    if ungraded:
        out.print(f"[yellow]{ungraded:,} pairs could not be graded both ways[/]")
