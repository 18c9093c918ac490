"""A rate limit: so much a minute, spread evenly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]

MINUTE = 60.0


class Pace:
    """Says how long to wait so that no more than `per_minute` units pass in a minute.

    Units are spread evenly and none are saved up, since servers count over windows of their own.
    Safe to use from several threads.

    Args:
        per_minute: units (requests, tokens) a minute; None for no limit.
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic):
        self.each = MINUTE / per_minute if per_minute else 0.0
        self.clock = clock
        self.free_at = clock()
        self.lock = threading.Lock()

    def delay(self, units: float) -> float:
        """Takes a place in the line for so many units; the seconds until it is reached."""
        with self.lock:
            now = self.clock()
            start = max(now, self.free_at)
            self.free_at = start + units * self.each
            return start - now

    def correct(self, units: float) -> None:
        """Adds units (negative: takes back) once it is known what was really used."""
        with self.lock:
            self.free_at += units * self.each
