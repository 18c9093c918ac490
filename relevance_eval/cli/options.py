"""Options that every verb has, and what they make."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from relevance_eval.cli.console import Console
    from relevance_eval.project import Project

__all__ = [
    "FILE",
    "FOLDER",
    "LabelOptions",
    "Session",
    "Sources",
    "agreed",
    "common",
    "comparing",
    "sources",
]

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True)
class Session:
    """What the common options amount to.

    Attributes:
        path: of the configuration.
        explicit: whether the user named it.
        seed: overrides the configuration's, or None.
    """

    path: Path
    explicit: bool
    console: Console
    seed: int | None

    def project(self, *, required: bool = True) -> Project:
        """The project; one that needs no configuration runs on the defaults without a file.

        Raises ConfigError if the file is wrong, or not there and needed.
        """
        from relevance_eval.project import open_project

        return open_project(self.path, required=required or self.explicit)


@dataclass(frozen=True)
class Sources:
    """Where a comparison's parts come from; None for what the configuration says.

    Attributes:
        rankers: names of the configuration, or paths of TREC run files.
        corpus: documents of run files; None for the index's.
        qrels: grades by people, a file for each person.
    """

    rankers: tuple[str, ...]
    queries: Path | None
    corpus: Path | None
    qrels: tuple[Path, ...]
    labeler: str | None


@dataclass(frozen=True)
class LabelOptions:
    """Which labels to buy, and how many; None for what the configuration says."""

    labels: str | None
    max_labels: int | None
    max_minutes: float | None


def agreed(question: str, remedy: str) -> bool:
    """Raises UsageError where nobody answers: a script without a terminal, for one."""
    from relevance_eval.errors import UsageError

    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        raise UsageError("nobody has answered", remedy=remedy) from None


def common(verb: Callable[..., None]) -> Callable[..., None]:
    """Adds the common options; the verb gets a Session as its first argument."""

    @click.option(
        "-c",
        "--config",
        type=FILE,
        help="Configuration file.  [default: ./relevance-eval.toml]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no notices.")
    @click.option(
        "-v", "--verbose", is_flag=True, help="Log what is done, and show where it fails."
    )
    @click.option(
        "--seed",
        type=click.IntRange(min=0),
        help="Seed of everything random.  [default: the configuration's, 0]",
    )
    @functools.wraps(verb)
    def wrapped(
        *args: Any,
        config: Path | None,
        as_json: bool,
        quiet: bool,
        verbose: bool,
        seed: int | None,
        **options: Any,
    ) -> None:
        from relevance_eval.cli.console import Console

        console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
        path = config or Path("relevance-eval.toml")
        verb(Session(path, config is not None, console, seed), *args, **options)

    return wrapped


def sources(verb: Callable[..., None]) -> Callable[..., None]:
    """Adds the rankers and the options that say where the rest is; the verb gets `Sources`."""

    @click.argument("rankers", nargs=-1, required=True)
    @click.option(
        "--queries", type=FILE, help="Query set, JSON Lines.  [default: the configuration's]"
    )
    @click.option(
        "--corpus", type=FILE, help="Documents of run files, JSON Lines.  [default: the index]"
    )
    @click.option(
        "--qrels",
        type=FILE,
        multiple=True,
        help="Grades by people, TREC format; they are stored, and win over the labeler's. May be "
        "given more than once.  [default: none]",
    )
    @click.option(
        "--labeler",
        help="builtin, a folder, owner/name, endpoint:NAME or people.  "
        "[default: the configuration's]",
    )
    @functools.wraps(verb)
    def wrapped(
        *args: Any,
        rankers: tuple[str, ...],
        queries: Path | None,
        corpus: Path | None,
        qrels: tuple[Path, ...],
        labeler: str | None,
        **options: Any,
    ) -> None:
        verb(*args, Sources(rankers, queries, corpus, qrels, labeler), **options)

    return wrapped


def comparing(verb: Callable[..., None]) -> Callable[..., None]:
    """Adds the common options and those of the verbs that compare."""
    baselines = click.option(
        "--baselines",
        type=click.IntRange(min=1),
        default=1,
        help="How many of the first rankers are baselines; each of the others is compared with "
        "each of them.  [default: 1]",
    )
    publish = click.option(
        "--publish", is_flag=True, help="Store the result in relevance-eval-comparisons too."
    )
    audit = click.option(
        "--audit",
        type=FILE,
        help="Random sample that people graded, of audit draw; their grades come by --qrels, and "
        "correct the labeler's figures.  [default: the configuration's, none]",
    )
    labels = click.option(
        "--labels",
        type=click.Choice(["all", "exact", "decisive"]),
        help="Which labels to buy: all, whatever a configured budget says; those without which the "
        "verdict could change; or those without which it is 98 % sure not to.  [default: the "
        "configuration's, all]",
    )
    max_labels = click.option(
        "--max-labels",
        type=click.IntRange(min=1),
        help="Most labels that exact and decisive ask for; those of pairs that people graded for "
        "an audit come on top.  [default: the configuration's, none]",
    )
    max_minutes = click.option(
        "--max-minutes",
        type=click.FloatRange(0, min_open=True),
        help="Minutes after which they ask for no more.  [default: the configuration's, none]",
    )
    thrift = thrifty(verb)
    return common(sources(baselines(labels(max_labels(max_minutes(audit(publish(thrift))))))))


def thrifty(verb: Callable[..., None]) -> Callable[..., None]:
    """Gathers the options of buying labels; the verb gets `LabelOptions` as `buying`."""

    @functools.wraps(verb)
    def wrapped(
        *args: Any,
        labels: str | None,
        max_labels: int | None,
        max_minutes: float | None,
        **options: Any,
    ) -> None:
        verb(*args, buying=LabelOptions(labels, max_labels, max_minutes), **options)

    return wrapped
