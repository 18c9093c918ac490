"""`relevance-eval distill`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import Session, common
from relevance_eval.cli.printable import one_line

if TYPE_CHECKING:
    import rich.console
    from rich.table import Table

    from relevance_eval.distillation import Distillation, Done

__all__ = ["distill"]

STEPS = ("synthesize", "mine", "people", "teach", "train", "export")


@click.command()
@common
@click.option(
    "--again",
    type=click.Choice(STEPS),
    metavar="STEP",
    help="Do this step and those after it again, even if nothing has changed: one of "
    f"{', '.join(STEPS)}.  [default: none]",
)
def distill(session: Session, again: str | None) -> None:
    """Make a labeler out of the index: synthesize, mine, teach, train and export.

    As [training] of the configuration says. Steps that are done are skipped, one that was stopped
    goes on. Ends with the agreement of the new labeler, beside the built-in one's and, where people
    graded, the teacher's.
    """
    from relevance_eval.answer import distillation_result, envelope
    from relevance_eval.distillation import distill as run

    project = session.project()
    console = session.console
    found = run(project, console.task, console.notice, seed=session.seed, again=again)
    answer = envelope("distill", project.hash, distillation_result(found))
    console.answer(answer, lambda out: show(out, found))


def show(console: rich.console.Console, found: Distillation) -> None:
    for done in found.steps:
        took = "done before" if done.skipped else f"{done.seconds:,.0f} s"
        console.print(f"{done.step}: {told(done)}; {took}", markup=False)
    console.print()
    console.print(standings_table(found))
    if fitted_here(found):
        console.print(
            "the new labeler's temperature and cut points were fitted on these pairs, which "
            "flatters its kappas; README.md beside it has figures of other queries' fits"
        )
    console.print(f'labeler = "{found.folder}"', markup=False, soft_wrap=True)


def fitted_here(found: Distillation) -> bool:
    """Whether there were enough held-out pairs to calibrate on: they are those of the standings."""
    (training,) = (done.result for done in found.steps if done.step == "train")
    return "note" not in training["calibration"]


def standings_table(found: Distillation) -> Table:
    """Each labeler's agreement with the reference, with 95 % intervals by query."""
    from rich.markup import escape
    from rich.table import Table

    from relevance_eval.cli.tables import agreement_rows

    first = found.standings[0].agreement
    title = f"held out, against {one_line(found.reference)}"
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{title}: {first.pairs:,} pairs of {first.queries:,} queries")
    for standing in found.standings:
        table.add_column(one_line(standing.labeler), justify="right")
    columns = [agreement_rows(standing.agreement) for standing in found.standings]
    for row in zip(*columns, strict=True):
        values = (f"{v.mean:.3f} [{v.low:.3f}, {v.high:.3f}]" for _, v in row)
        table.add_row(row[0][0], *map(escape, values))
    return table


def parity_told(parity: Mapping[str, Any]) -> str:
    return f"grades at most {parity['largest']:.2f} from PyTorch's"


def told(done: Done) -> str:
    """A step in a few words."""
    r: Any = done.result
    match done.step:
        case "synthesize":
            return f"{r['queries']:,} queries about {r['documents']:,} documents, by {r['by']}"
        case "mine":
            return f"{r['pairs']:,} pairs for {r['queries']:,} queries"
        case "teach":
            unable = r["failed"] + r["refused"]
            return f"{r['graded']:,} graded, {unable:,} failed or refused, cost {r['cost']:g}"
        case "people":
            return f"{r['pairs']:,} grades by people, of {r['queries']:,} queries"
        case "train":
            learned, held = r["data"]["training"], r["data"]["holdout"]
            return f"{learned['pairs']:,} pairs learned from, {held['pairs']:,} held out"
        case _:
            form = r["form"]
            return f"{form}, {r['megabytes'][form]:,.1f} MB, {parity_told(r['parity'][form])}"
