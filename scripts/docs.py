"""Writes docs/cli.md from the help of every verb; with --check, says whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from relevance_eval.cli.main import group

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
TOP = """# The command line

Made from the help texts by `scripts/docs.py`; change those, not this page.
"""


def sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """The help of a command, then of what is below it."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100)
    yield f"\n## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            inner = command.get_command(context, verb)
            if inner is not None:
                yield from sections(inner, verb, context)


def main() -> int:
    page = TOP + "".join(sections(group, "relevance-eval", None))
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        sys.stderr.write(f"{PAGE.name} is out of date: run scripts/fix\n")
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
