"""Work done by several threads at once, which yields what it has even where it breaks off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

__all__ = ["each"]

T = TypeVar("T")
R = TypeVar("R")


def each(
    pool: Executor, width: int, items: Iterable[T], do: Callable[[T], R]
) -> Iterator[tuple[T, R]]:
    """Yields (item, what `do` makes of it) as they are ready; no more than `width` at a time.

    Items are begun in their order. If one raises, or somebody presses Ctrl-C, no further item is
    begun, those under way are waited for and yielded, since they are paid for, and the error comes
    last. A second Ctrl-C does not wait.

    Args:
        pool: threads, `width` or more.
    """
    waiting = iter(items)
    running: dict[Future[R], T] = {}
    stopped: BaseException | None = None
    while True:
        while stopped is None and len(running) < width:
            try:
                item = next(waiting)
            except StopIteration:
                break
            running[pool.submit(do, item)] = item
        if not running:
            break
        try:
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
        except KeyboardInterrupt as interrupt:
            if stopped is not None:
                raise
            stopped = interrupt
            continue
        for future in ready:
            item = running.pop(future)
            error = future.exception()
            if error is None:
                yield item, future.result()
            else:
                stopped = stopped or error
    if stopped is not None:
        raise stopped
