"""Text of others, made fit for a terminal: a server, a file and a label set may say anything."""

from __future__ import annotations

__all__ = ["one_line", "printable"]


def printable(text: str) -> str:
    """The text with its newlines; what could move a cursor or colour a screen is a space."""
    return "".join(c if c == "\n" or c.isprintable() else " " for c in text)


def one_line(text: object, width: int | None = None) -> str:
    """For a cell or a line of an answer, cut at `width`."""
    line = printable(str(text)).replace("\n", " ")
    return line if width is None or len(line) <= width else line[: width - 1] + "…"
