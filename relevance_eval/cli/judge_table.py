"""What is known of the labeler beside its grades, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from relevance_eval.cli.printable import one_line
from relevance_eval.evaluators.comparison import Comparison, Contrast
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.evaluators.trust import Trust
from relevance_eval.judge import LEANING, Corrected, Judge
from relevance_eval.thrift import settled_text

__all__ = ["corrected_evidence", "p_text", "p_value", "show_distrust", "show_judge"]


def show_distrust(out: Console, judge: Judge) -> None:
    """The heading above figures of a labeler that is not trusted."""
    if judge.silent and judge.trust:
        out.print(f"[bold magenta]the labeler is untrusted: {escape(judge.trust.reason)}[/]")
        out.print(
            "  its figures follow, and say nothing of which ranker is better", style="magenta"
        )


def corrected_evidence(
    contrast: Contrast, found: Corrected, comparison: Comparison, *, mixed: bool
) -> list[str]:
    """The corrected figures, and the labeler's own beside them.

    Args:
        mixed: people's grades count among the labels of the uncorrected ones.
    """
    powered = found.difference
    several = "t-test, Holm" if len(comparison.contrasts) > 1 else "t-test"
    lines = [
        f"corrected by people: 95 % interval {bounds(powered.interval)}, "
        f"{p_text(found.p_corrected)} ({several})",
        f"people graded {powered.audited} of {powered.queries} queries in full",
        uncorrected(contrast, str(comparison.plan.primary), mixed=mixed),
        f"{erring(contrast)}: {told(found.bias.error)}",
    ]
    if powered.to_halve is not None:
        lines.append(f"about {powered.to_halve:,} more graded queries would halve the interval")
    return lines


def uncorrected(contrast: Contrast, primary: str, *, mixed: bool) -> str:
    """The figure before people were heard, and which labels it took."""
    whose = "labeler and people mixed" if mixed else "the labeler alone"
    mean, settled = contrast.differences[primary].mean, contrast.settled
    line = f"uncorrected, {whose}: {mean:+.4f}, {contrast.verdict.value}"
    return f"{line}; {settled_text(settled.how, settled.low, settled.high)}" if settled else line


def erring(contrast: Contrast) -> str:
    """Whose error the audit shows: forecasts that stand for labels have one of their own."""
    if contrast.settled and contrast.settled.how in LEANING:
        return "the error of labels and forecasts on the difference, people minus these"
    return "the labeler's error on the difference, people minus labeler"


def show_judge(out: Console, judge: Judge) -> None:
    """Trust, the labeler's errors, whom it favours, and what a reader has to know."""
    if judge.trust and not judge.silent:
        colour = {Trust.TRUSTED: "green", Trust.UNTRUSTED: "magenta"}.get(
            judge.trust.trust, "yellow"
        )
        verdict = {
            Trust.TRUSTED: "the labeler is trusted",
            Trust.UNTRUSTED: "the labeler is untrusted, and the corrected figures decide",
        }.get(judge.trust.trust, "it is unknown whether the labeler can be trusted")
        out.print(f"[{colour}]{verdict}: {escape(judge.trust.reason)}[/]", highlight=False)
    for ranker, bias in judge.errors.items():
        name = escape(one_line(ranker))
        out.print(
            f"the labeler's error on {name}, people minus labeler: {told(bias.error)}",
            highlight=False,
        )
    for warning in warnings(judge):
        out.print(f"[yellow]{escape(one_line(warning))}[/]", highlight=False)


def warnings(judge: Judge) -> Iterator[str]:
    for (baseline, ranker), found in judge.corrected.items():
        if found.bias.favours:
            yield (
                f"the labeler favours {found.bias.favours} where {ranker} is compared with "
                f"{baseline}, by {abs(found.bias.error.mean):.4f}"
            )
    for kinship in judge.kin:
        yield str(kinship)
    if judge.refusal:
        yield f"no figure is corrected: {judge.refusal}"
    yield from judge.notes


def p_text(p: float) -> str:
    return f"p {p_value(p)}" if p < 0.0001 else f"p = {p_value(p)}"


def p_value(p: float) -> str:
    """No p is 0."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def told(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.mean:+.4f}"
    return f"{interval.mean:+.4f} ({bounds(interval)})"


def bounds(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "unknown"
    return f"{interval.low:+.4f} to {interval.high:+.4f}"
