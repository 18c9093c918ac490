"""What mining found and dropped, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from relevance_eval.cli.printable import one_line
from relevance_eval.cli.tables import cell
from relevance_eval.plugin.mining_report import Drop, MiningReport

__all__ = ["show_mining"]

HEADS = {
    Drop.POSITIVE: "known",
    Drop.MARGIN: "above margin",
    Drop.REPEATED: "drawn before",
    Drop.NO_TEXT: "no text",
    Drop.COPY_OF_POSITIVE: "copy of known",
    Drop.COPY_OF_CANDIDATE: "copy of drawn",
    Drop.GUARD: "by guard",
    Drop.UNGUARDED: "guard silent",
}
"""Of words so short that a narrow terminal breaks none of them."""


def show_mining(
    out: Console, report: MiningReport, written: Mapping[str, Any], margin: float
) -> None:
    """Windows down, reasons across; then what was left out, and where the rows are."""
    out.print(
        f"{report.kept:,} negatives and {report.positives:,} positives of {report.queries:,} "
        f"queries in {report.seconds:.1f} s",
        markup=False,
    )
    out.print(windows_table(report))
    show_left_out(out, report)
    for ranker, count in report.unranked.items():
        if margin and count:
            out.print(
                f"[yellow]{cell(ranker)} finds no positive for {count:,} queries: no margin could "
                "be kept there[/]"
            )
    for ranker, problems in report.problems.items():
        query_id, problem = next(iter(problems.items()))
        text = f"{ranker}: {len(problems):,} searches with a problem; query {query_id}: {problem}"
        out.print(f"[yellow]{cell(text, 200)}[/]")
    if report.guard:
        guard = report.guard
        out.print(
            f"guard: {guard.needed:,} labels needed, {guard.reused:,} reused, {guard.bought:,} "
            f"bought, {guard.failed + guard.refused:,} without a grade, by {one_line(guard.name)}",
            markup=False,
        )
    if written["short"]:
        out.print(f"[yellow]{written['short']:,} positives have too few negatives for a row[/]")
    out.print(
        f"{written['rows']:,} rows ({written['format']}) are in {one_line(written['file'])}",
        markup=False,
        soft_wrap=True,
    )


def windows_table(report: MiningReport) -> Table:
    """A row for each window; reasons that never applied are left out."""
    reasons = [drop for drop in Drop if report.dropped[drop]]
    table = Table(box=None, pad_edge=False)
    table.add_column("documents", no_wrap=True, vertical="bottom")
    for head in ("found", *(HEADS[drop] for drop in reasons), "taken", "wanted"):
        table.add_column(head, justify="right", vertical="bottom")
    for window in report.windows:
        counts = (window.found, *(window.dropped[d] for d in reasons), window.kept, window.wanted)
        table.add_row(cell(window.origin), *(f"{count:,}" for count in counts))
    return table


def show_left_out(out: Console, report: MiningReport) -> None:
    if report.unknown:
        out.print(
            f"[yellow]{report.unknown:,} queries are left out: no document is known to answer "
            "them[/]"
        )
    if report.lost:
        named = ", ".join(one_line(i, 40) for i in report.lost[:3])
        out.print(
            f"[yellow]{len(report.lost):,} queries are left out: no document that answers them is "
            f"in the index ({cell(named)})[/]"
        )
    if report.missing:
        out.print(f"[yellow]{report.missing:,} positives are not in the index, or without text[/]")
