"""Comparisons as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from relevance_eval.cli.judge_table import (
    corrected_evidence,
    p_text,
    p_value,
    show_distrust,
    show_judge,
)
from relevance_eval.cli.printable import one_line
from relevance_eval.collected import Collected
from relevance_eval.evaluation import Evaluation
from relevance_eval.evaluators.agreement import Agreement
from relevance_eval.evaluators.comparison import (
    Comparison,
    Contrast,
    Difference,
    RankerSummary,
)
from relevance_eval.evaluators.labelling import Labelling
from relevance_eval.evaluators.run import Run
from relevance_eval.evaluators.slices import Slice
from relevance_eval.evaluators.statistics import Interval
from relevance_eval.evaluators.verdict import Verdict
from relevance_eval.judge import Judge
from relevance_eval.meeting import Meeting
from relevance_eval.notices import comparison_notices, label_notices
from relevance_eval.thrift import settled_text

__all__ = ["show_agreement", "show_comparison", "show_labels", "show_notices", "show_pull"]

CORRECTIONS = {"holm": "Holm", "maxt": "MaxT"}
MEASURE_WIDTH = len("queries without hits")
FIGURE_WIDTH = len(" 0.1234 ±0.012")
COLOURS = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.EQUIVALENT: "cyan",
    Verdict.INCONCLUSIVE: "yellow",
}


def show_comparison(out: Console, evaluation: Evaluation, folder: Path | None) -> None:
    """Verdicts first, then the measures, the queries that moved, what it cost, and its limits.

    Args:
        folder: where everything is, or None if it could not be written.
    """
    comparison, judge = evaluation.comparison, evaluation.judge
    show_distrust(out, judge)
    for contrast in comparison.contrasts:
        show_contrast(out, contrast, comparison, judge)
    show_judge(out, judge)
    out.print()
    measures = [str(m) for m in comparison.plan.measures]
    for table in measures_tables(comparison.rankers, measures, out.width):
        out.print(table)
    for contrast in comparison.contrasts:
        if not judge.distrusted:
            show_slices(out, contrast)
        if contrast.changes and not contrast.estimated:  # single queries may be far off
            out.print(changes_table(contrast, str(comparison.plan.primary)))
    show_labels(out, evaluation.labelling, evaluation.labeler.name)
    if judge.labelling and judge.labelling.bought:
        out.print(
            f"{judge.labelling.bought:,} more bought of pairs that people graded, to compare both"
        )
    show_notices(out, comparison_notices(evaluation))
    for run in evaluation.collected.runs:
        show_problems(out, run)
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in evaluation.seconds.items())
    out.print(f"time: {steps}", highlight=False)
    out.print(limits(comparison, judge))
    if folder:
        out.print(f"everything is in {one_line(folder)}", markup=False, soft_wrap=True)


def show_contrast(out: Console, contrast: Contrast, comparison: Comparison, judge: Judge) -> None:
    """The verdict that counts, and what it rests on."""
    primary = contrast.differences[str(comparison.plan.primary)]
    verdict, found = judge.verdict(contrast), judge.correction(contrast)
    mean = found.difference.interval.mean if found else primary.mean
    colour = COLOURS[verdict] if verdict else "magenta"
    line = f"{headline(contrast, verdict)}: {primary.measure} {mean:+.4f}"
    out.print(f"[bold {colour}]{cell(line)}[/]")
    if found:
        lines = corrected_evidence(contrast, found, comparison, mixed=judge.mixed)
    else:
        lines = evidence(contrast, primary, comparison)
        settled = contrast.settled
        lines += [settled_text(settled.how, settled.low, settled.high)] if settled else []
    for line in lines:
        out.print(f"  {line}", highlight=False)


def headline(contrast: Contrast, verdict: Verdict | None) -> str:
    ranker, baseline = contrast.ranker, contrast.baseline
    if verdict is None:
        return f"no verdict on {ranker} against {baseline}"
    told = {
        Verdict.BETTER: f"{ranker} is better than {baseline}",
        Verdict.WORSE: f"{ranker} is worse than {baseline}",
        Verdict.EQUIVALENT: f"{ranker} and {baseline} are equivalent",
        Verdict.INCONCLUSIVE: f"not enough evidence that {ranker} differs from {baseline}",
    }
    return told[verdict]


def evidence(contrast: Contrast, primary: Difference, comparison: Comparison) -> list[str]:
    settled = contrast.settled
    if settled and settled.how == "open":  # no test could be made of what is known
        return [f"{primary.queries} queries"]
    lines: list[str] = []
    several = len(comparison.contrasts) > 1
    how = f"permutation, {CORRECTIONS[comparison.plan.correction]}" if several else "permutation"
    if primary.low is not None and primary.high is not None:
        lines.append(
            f"95 % interval {primary.low:+.4f} to {primary.high:+.4f}, "
            f"{p_text(primary.p_corrected)} ({how}), {p_text(primary.p_t)} (t-test alone)"
        )
    lines += doubt(contrast, primary)
    told = f"{primary.wins} better, {primary.ties} the same, {primary.losses} worse"
    lines.append(
        f"{primary.queries} queries: {told}{', as estimated' if contrast.estimated else ''}"
    )
    if primary.detectable:
        lines.append(f"a true difference of {primary.detectable:.4f} would be found 4 times in 5")
    if primary.more_queries:
        target = comparison.plan.target
        lines.append(f"to find one of {target:g} as often takes {primary.more_queries:,} more")
    return lines


def doubt(contrast: Contrast, primary: Difference) -> list[str]:
    """What the labeler's own doubt adds; nothing where it can change nothing."""
    lines: list[str] = []
    if primary.noise is None or primary.noise.spread == 0:
        return lines
    if primary.low_queries is not None and primary.high_queries is not None:
        queries = f"{primary.low_queries:+.4f} to {primary.high_queries:+.4f}"
        chosen = "queries and labels" if contrast.settled else "queries"
        lines.append(f"by the choice of {chosen} alone {queries}")
    if primary.in_doubt(contrast.verdict):
        lines.append("the labeler's own doubt could undo it: with that, the interval holds 0")
    if contrast.flip_risk is not None:
        share = share_text(contrast.flip_risk)
        lines.append(f"in {share} of draws of the labels from the labeler's doubt, another verdict")
    return lines


def limits(comparison: Comparison, judge: Judge | None = None) -> str:
    """What the interval covers, and what it does not."""
    if judge and judge.corrected:
        few = any(c.settled for c in comparison.contrasts)
        return (
            f"The corrected interval covers the choice of queries{' and labels' if few else ''}, "
            "the draw of the audit and the labeler's own bias. Tables of measures, slices and "
            "queries are not corrected: they take the labels as they are."
        )
    primary = comparison.contrasts[0].differences[str(comparison.plan.primary)]
    covered = "the choice of queries and the labeler's own doubt"
    return (
        "p-values take the labels as they are. The interval covers "
        f"{covered if primary.noise else 'the choice of queries'}, not labels that are wrong and "
        "sure of themselves: relevance-eval agreement QRELS measures those, and --audit corrects "
        "them."
    )


def share_text(share: float) -> str:
    """`3 %`; a small share is not told as none."""
    return "less than 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


def measures_tables(
    rankers: Sequence[RankerSummary], names: Sequence[str], width: int
) -> Iterator[Table]:
    """Measures down, rankers across; a further table for those that do not fit beside the others,
    since figures and names that are cut could not be told apart."""
    across = max(1, (width - MEASURE_WIDTH) // FIGURE_WIDTH)
    for first in range(0, len(rankers), across):
        yield measures_table(rankers[first : first + across], names)


def measures_table(rankers: Sequence[RankerSummary], names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("mean ± 95 %")
    for ranker in rankers:
        table.add_column(cell(ranker.ranker), justify="right", overflow="fold")
    for name in names:
        table.add_row(name, *(interval_text(r.measures.get(name)) for r in rankers))
    table.add_row("queries without hits", *(f"{len(r.empty)}" for r in rankers))
    if any(r.took_p95 is not None for r in rankers):
        table.add_row("server ms, p50 / p95", *(took_text(r) for r in rankers))
    return table


def took_text(ranker: RankerSummary) -> str:
    if ranker.took_p50 is None or ranker.took_p95 is None:
        return "-"
    return f"{ranker.took_p50:.0f} / {ranker.took_p95:.0f}"


def interval_text(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.4f}"
    return f"{interval.mean:.4f} ±{interval.high - interval.mean:.3f}"


def show_slices(out: Console, contrast: Contrast) -> None:
    """The slices of which something can be said that is not said of the whole set already."""
    told = [s for s in contrast.slices if is_told(s, contrast)]
    if not told:
        return
    title = f"slices of the queries: {contrast.ranker} against {contrast.baseline}"
    doubt = any(s.in_doubt for s in told)
    table = Table(title=cell(title), title_justify="left", box=None, pad_edge=False)
    for column in ("slice", "queries", "change", "95 % interval", "p", "verdict"):
        left = column in ("slice", "verdict")
        table.add_column(column, justify="left" if left else "right")
    for part in told:
        found = part.difference
        table.add_row(
            cell(f"{part.tag} {part.value}", 40),
            f"{found.queries}",
            f"{found.mean:+.3f}",
            f"{found.low_queries:+.3f} to {found.high_queries:+.3f}",
            p_value(found.p_corrected),
            f"[{COLOURS[part.verdict]}]{part.verdict.value}[/]{'*' if part.in_doubt else ''}",
        )
    out.print(table)
    out.print("intervals of slices cover the choice of queries alone, as their p-values do")
    if doubt:
        out.print("* the labeler's own doubt could undo it: with that, the interval holds 0")
    rest = len(contrast.slices) - len(told)
    if rest:
        out.print(f"slices that say nothing else: {rest}; --json has them")


def is_told(part: Slice, contrast: Contrast) -> bool:
    """Significant, or conclusive in another way than the whole; a slice that is merely too small
    to say anything is not."""
    if part.verdict in (Verdict.BETTER, Verdict.WORSE):
        return True
    return part.verdict is Verdict.EQUIVALENT and contrast.verdict is not Verdict.EQUIVALENT


def changes_table(contrast: Contrast, measure: str) -> Table:
    table = Table(
        title=f"queries that changed most, {measure}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for column, side in (
        ("query", "left"),
        (contrast.baseline, "right"),
        (contrast.ranker, "right"),
        ("change", "right"),
        ("text", "left"),
    ):
        table.add_column(cell(column), justify=side, overflow="fold")  # pyright: ignore[reportArgumentType]
    for change in contrast.changes:
        table.add_row(
            cell(change.query_id),
            f"{change.baseline:.3f}",
            f"{change.ranker:.3f}",
            f"{change.difference:+.3f}",
            cell(change.text, 60),
        )
    return table


def cell(text: str, width: int | None = None) -> str:
    """Text of others, where markup is read."""
    return escape(one_line(text, width))


def show_labels(out: Console, labelling: Labelling, labeler: str) -> None:
    people = f" ({labelling.by_people:,} of people)" if labelling.by_people else ""
    speed = labelling.bought / labelling.seconds if labelling.bought else 0
    rate = f" at {speed:,.0f}/s" if speed else ""
    out.print(
        f"labels: {labelling.needed:,} needed, {labelling.reused:,} reused{people}, "
        f"{labelling.bought:,} bought{rate}, by {one_line(labeler)}",
        markup=False,
    )
    if labelling.skipped:
        out.print(f"labels of the pool that were not used: {labelling.skipped:,}")
    show_notices(out, label_notices(labelling))


def show_notices(out: Console, notices: Iterable[str]) -> None:
    for notice in notices:
        out.print(f"[yellow]{cell(notice)}[/]")


def show_pull(out: Console, collected: Collected, folder: Path) -> None:
    for run in collected.runs:
        empty = sum(not run.hits(q.id) for q in collected.queries)
        hits = sum(len(r.hits) for r in run.results.values())
        out.print(
            f"{one_line(run.ranker)}: {hits:,} hits for {len(collected.queries):,} queries, "
            f"{empty:,} without any",
            markup=False,
        )
        show_problems(out, run)
    out.print(
        f"{len(collected.documents):,} documents and the runs are in {one_line(folder)}",
        markup=False,
        soft_wrap=True,
    )


def show_problems(out: Console, run: Run) -> None:
    """The first three, and how many there are."""
    problems = run.problems()
    for query_id, problem in list(problems.items())[:3]:
        text = f"{run.ranker}, query {query_id}: {problem}"
        out.print(f"[yellow]{cell(text, 200)}[/]")
    if len(problems) > 3:
        out.print(f"[yellow]{cell(run.ranker)}: {len(problems)} queries in all[/]")


def show_agreement(out: Console, meeting: Meeting) -> None:
    """The figures with their intervals, recall by grade, slices, and the order of systems."""
    found = meeting.agreement
    out.print(
        f"{one_line(meeting.labeler.name)} against people: {found.pairs:,} pairs, "
        f"{found.queries:,} queries",
        markup=False,
    )
    table = Table(box=None, pad_edge=False)
    for column in ("", "value", "95 % interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name, value in agreement_rows(found):
        table.add_row(name, f"{value.mean:.3f}", f"{value.low:.3f} to {value.high:.3f}")
    out.print(table)
    shares = ", ".join(f"{g}: {'-' if r is None else f'{r:.0%}'}" for g, r in found.recall.items())
    out.print(f"same grade as people, by their grade: {shares}")
    out.print(f"mean difference of grades, labeler minus people: {found.mean_difference:+.3f}")
    if meeting.slices:
        out.print(slices_table(meeting))
    if meeting.order:
        out.print(
            f"order of {len(meeting.order.people)} rankers by {meeting.order.measure}: tau "
            f"{'-' if meeting.order.tau is None else f'{meeting.order.tau:.3f}'}, "
            f"same sign in {meeting.order.same_sign:.0%} of pairs"
        )
    if meeting.unknown:
        out.print(f"[yellow]{meeting.unknown:,} graded pairs could not be labelled[/]")
    show_labels(out, meeting.labelling, meeting.labeler.name)


def agreement_rows(found: Agreement) -> list[tuple[str, Interval]]:
    return [
        ("kappa, quadratic weights", found.quadratic_kappa),
        ("kappa, four grades", found.kappa),
        ("kappa, relevant or not", found.relevant_kappa),
        ("pairwise accuracy", found.pairwise_accuracy),
        ("nDCG@10 of its order", found.ndcg),
    ]


def slices_table(meeting: Meeting) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("slice", "queries", "pairs", "quadratic kappa", "pairwise"):
        table.add_column(column, justify="left" if column == "slice" else "right")
    for name, part in meeting.slices.items():
        table.add_row(
            cell(name),
            f"{part.queries}",
            f"{part.pairs:,}",
            f"{part.quadratic_kappa.mean:.3f}",
            f"{part.pairwise_accuracy.mean:.3f}",
        )
    return table
