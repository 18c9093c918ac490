"""What people see: answers on standard output, progress and notices on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import click
import rich.console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from relevance_eval.cli.printable import printable

__all__ = ["Console"]

PLAIN_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


class Console:
    """One for a command.

    Attributes:
        out: for people, on standard output; nothing may be written to it with `as_json`.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False):
        self.as_json = as_json
        self.quiet = quiet
        self.out = rich.console.Console(highlight=False, soft_wrap=False)
        self.err = rich.console.Console(stderr=True, highlight=False)
        level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
        handler = RichHandler(
            console=self.err, show_time=False, show_level=verbose, show_path=verbose, markup=False
        )
        logger = logging.getLogger("relevance_eval")
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)

    def answer(
        self, answer: Mapping[str, Any], show: Callable[[rich.console.Console], None]
    ) -> None:
        """The answer of a command: the object with `--json`, else what `show` prints of it."""
        if self.as_json:
            click.echo(json.dumps(answer, ensure_ascii=not speaks_utf(), allow_nan=False))
        else:
            show(self.out)

    def notice(self, text: str) -> None:
        """A line for people that is not part of the answer."""
        if not self.quiet:
            self.err.print(printable(text), markup=False)

    @contextmanager
    def task(self, name: str) -> Generator[Callable[[int, int], None]]:
        """Shows how long work goes on; gives what is to be called with (done, total)."""
        if self.quiet:
            yield lambda done, total: None
        elif self.err.is_terminal:
            with self.bar(name) as report:
                yield report
        else:
            yield PlainProgress(name, self.notice)

    @contextmanager
    def bar(self, name: str) -> Generator[Callable[[int, int], None]]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        started = time.monotonic()
        with Progress(*columns, console=self.err, transient=True) as progress:
            task = progress.add_task(name, total=None, rate="")
            yield lambda done, total: progress.update(
                task, completed=done, total=total, rate=rate(done, started)
            )


class PlainProgress:
    """A line now and then, for logs."""

    def __init__(self, name: str, write: Callable[[str], None]):
        self.name = name
        self.write = write
        self.started = self.written = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.written < PLAIN_EVERY or not done:
            return
        self.written = now
        left = (now - self.started) / done * (total - done)
        self.write(
            f"{self.name}: {done:,} of {total:,}, {rate(done, self.started)}, {left:.0f} s left"
        )


def speaks_utf() -> bool:
    """Whether standard output holds any character; JSON has escapes of its own if it does not."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def rate(done: int, started: float) -> str:
    return f"{done / max(time.monotonic() - started, 1e-9):,.0f}/s"
