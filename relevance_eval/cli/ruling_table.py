"""A gate's decision as people read it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from relevance_eval.cli.printable import one_line
from relevance_eval.evaluators.gate import Check, Decision, Ruling

__all__ = ["show_ruling"]

COLOURS = {
    Decision.PASSED: "green",
    Decision.INCONCLUSIVE: "yellow",
    Decision.FAILED: "red",
    Decision.UNTRUSTED: "magenta",
}


def show_ruling(out: Console, ruling: Ruling) -> None:
    """The decision, then each check with its figures."""
    colour = COLOURS[ruling.decision]
    out.print(f"[bold {colour}]gate: {ruling.decision.value}[/]")
    for check in ruling.checks:
        show_check(out, check)


def show_check(out: Console, check: Check) -> None:
    colour = COLOURS[check.decision]
    asked = escape(one_line(f"{check.subject}: {check.name}"))
    out.print(f"  [{colour}]{check.decision.value}[/] {asked}", highlight=False)
    out.print(f"    {escape(one_line(check.detail))}", highlight=False)
