"""`relevance-eval bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relevance_eval.cli.options import FILE, Session, Sources, common
from relevance_eval.cli.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from relevance_eval.bench import Bench, Estimate, Machine, Spread
    from relevance_eval.evaluators.pair import Pair
    from relevance_eval.project import Project

__all__ = ["bench"]


@click.command()
@common
@click.argument("rankers", nargs=-1)
@click.option("--labeler", help="builtin, a folder or owner/name.  [default: the configuration's]")
@click.option("--queries", type=FILE, help="Query set, JSON Lines.  [default: the configuration's]")
@click.option(
    "--corpus", type=FILE, help="Documents of run files, JSON Lines.  [default: the index]"
)
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=200,
    help="Labelled in a round, drawn at random from what RANKERS return.  [default: 200]",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=5,
    help="That are timed, after one that is not.  [default: 5]",
)
@click.option(
    "--for-queries",
    type=click.IntRange(min=1),
    help="Queries of the comparison to estimate, where no RANKERS are named.  [default: 150]",
)
@click.option(
    "--for-rankers",
    type=click.IntRange(min=1),
    help="Its rankers.  [default: those configured, 2 at least]",
)
def bench(
    session: Session,
    rankers: tuple[str, ...],
    labeler: str | None,
    queries: Path | None,
    corpus: Path | None,
    pairs: int,
    rounds: int,
    for_queries: int | None,
    for_rankers: int | None,
) -> None:
    """Time a labeler on this machine, and estimate what a comparison takes.

    With RANKERS (names of the configuration, or TREC run files) it labels a part of what they
    return, and the estimate counts their pool. Without, it labels invented texts of a stated mix of
    lengths, and assumes a pool. No label is stored or reused.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.bench import estimate, estimate_pool, sample_pairs, this_machine, timed
    from relevance_eval.bench_answer import bench_result
    from relevance_eval.invented import MIX, invented_pairs

    check_options(rankers, for_queries, for_rankers)
    project = session.project(required=bool(rankers) and corpus is None)
    chosen = project.labeler(labeler)
    this_machine(chosen)  # a labeler elsewhere is refused before anything is pulled
    seed = project.config.compare.seed if session.seed is None else session.seed
    pool = pool_of(session, project, Sources(rankers, queries, corpus, (), labeler))
    drawn = sample_pairs(pool, pairs, seed) if rankers else invented_pairs(pairs, seed)
    with session.console.task("labelling") as progress:
        found = timed(chosen, drawn, rounds, progress)
    depth = project.config.compare.depth
    if rankers:
        guess = estimate(found, pool, len(rankers), depth)
    else:
        guess = estimate_pool(found, for_queries or 150, for_rankers or configured(project), depth)
    machine = this_machine(chosen)
    source = "runs" if rankers else "invented"
    texts = {"source": source, "mix": None if rankers else MIX, "seed": seed}
    answer = envelope("bench", project.hash, bench_result(found, guess, machine, chosen, texts))

    def show(out: Console) -> None:
        origin = f"drawn from {len(pool):,} of the runs" if rankers else f"invented: {MIX}"
        show_bench(out, found, machine, chosen.name, origin)
        show_estimate(out, guess)

    session.console.answer(answer, show)


def check_options(
    rankers: tuple[str, ...], for_queries: int | None, for_rankers: int | None
) -> None:
    from relevance_eval.errors import UsageError

    if rankers and (for_queries or for_rankers):
        raise UsageError(
            "the pool of the rankers named is counted, not estimated",
            remedy="leave out --for-queries and --for-rankers, or the rankers",
        )


def pool_of(session: Session, project: Project, given: Sources) -> list[Pair]:
    """The distinct pairs of the rankers named; none without rankers."""
    from relevance_eval.collected import collect

    if not given.rankers:
        return []
    queries = project.queries(given.queries)
    collected = collect(project, given.rankers, queries, session.console.task, given.corpus)
    return list({p.key: p for p in collected.pairs}.values())


def configured(project: Project) -> int:
    return max(2, len(project.config.rankers))


def show_bench(out: Console, found: Bench, machine: Machine, labeler: str, origin: str) -> None:
    from rich.table import Table

    lengths, what = found.lengths, "document" if found.once else "pair"
    out.print(f"labeler: {one_line(labeler)}", markup=False)
    out.print(
        f"pairs: {found.pairs:,} of {found.queries:,} queries and {found.documents:,} documents, "
        f"{origin}",
        markup=False,
    )
    out.print(
        f"tokens of a {what}: {lengths.shortest:,} to {lengths.longest:,}, half of them "
        f"{lengths.lower:,.0f} to {lengths.upper:,.0f}, median {lengths.middle:,.0f}"
    )
    if found.ungraded:
        out.print(f"[yellow]{found.ungraded:,} pairs have no grade: the figures count them[/]")
    table = Table("per second", *("median", "min", "max"), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("labels", *cells(found.labels_per_second))
    if found.documents_per_second:
        table.add_row("documents", *cells(found.documents_per_second))
    table.add_row("tokens", *cells(found.tokens_per_second))
    out.print(table)
    memory = "" if machine.memory_mb is None else f", memory peak {machine.memory_mb:,.0f} MB"
    load = "" if machine.load is None else f", load {machine.load:.1f}"
    out.print(
        f"{len(found.seconds)} rounds, {machine.cores} cores, {machine.threads} threads{load}, "
        f"ONNX Runtime on {machine.provider}{memory}"
    )
    if machine.load is not None and machine.load > machine.cores + 1:
        out.print("[yellow]this machine has other work: alone, the labeler is faster[/]")


def cells(spread: Spread) -> Iterator[str]:
    return (f"{value:,.1f}" for value in (spread.median, spread.least, spread.most))


def show_estimate(out: Console, guess: Estimate) -> None:
    count = "about " if guess.assumed else ""
    out.print(
        f"a comparison of {guess.rankers:,} rankers by {guess.queries:,} queries to depth "
        f"{guess.depth:,}: {count}{guess.pool:,} labels of {count}{guess.documents:,} documents, "
        f"{guess.minutes.median:,.1f} minutes ({guess.minutes.least:,.1f} to "
        f"{guess.minutes.most:,.1f}) if none is in the store"
    )
    if guess.assumed:
        out.print(
            "assumed: the pool grows with the square root of the number of rankers, and no "
            "document is found for two queries; name RANKERS to have both counted"
        )
