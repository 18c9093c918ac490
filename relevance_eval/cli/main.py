"""The `relevance-eval` command: finds the verb, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import NoReturn, cast

import click

from relevance_eval import __version__
from relevance_eval.cli.printable import printable
from relevance_eval.errors import RelevanceEvalError, UsageError

__all__ = ["VERBS", "main"]

VERBS = {
    "init": "Write a commented configuration and a first ranker.",
    "attach": "Say what this deployment and the configured rankers can do.",
    "load": "Load documents into an index.",
    "queries": "Make a query set.",
    "pull": "Pull what rankers return into TREC run files.",
    "label": "Grade what runs hold and the store does not.",
    "compare": "Say whether rankers are better than the first one.",
    "gate": "Decide whether a ranking change may go on.",
    "report": "Make a page of a saved comparison.",
    "audit": "Have people grade a random sample.",
    "agreement": "Measure a labeler against people's grades.",
    "distill": "Make a labeler out of the index: the five steps below.",
    "synthesize": "Write queries about documents of the index.",
    "mine": "Find hard negatives in the index.",
    "teach": "Have a language model grade pairs.",
    "train": "Train a student on graded pairs.",
    "export": "Make an ONNX labeler of a student.",
    "calibrate": "Make a labeler of any reranker or embedder in ONNX.",
    "bench": "Time a labeler on this machine.",
}
STOPPED = 130
NOBODY_READS = 141


class Verbs(click.Group):
    """A group that imports a verb's module only when it is used or its help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"relevance_eval.cli.{cmd_name}")
        return cast(click.Command, getattr(module, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relevance-eval")
def group() -> None:
    """Is ranker B better than ranker A, how sure are we, and what did it cost to know?

    Exit codes: 0 done, 2 wrong use or configuration, 5 could not run. Of gate alone: 0 passed,
    1 failed, 3 inconclusive, 4 labeler untrusted. Of all: 130 stopped by Ctrl-C, 141 nobody reads
    the output any more.
    """


def main() -> None:
    """The console script: every way to end has its exit code, and none shows a traceback.

    Not click's standalone mode, which ends with 1 after Ctrl-C or a closed pipe: 1 is the gate's.
    """
    write_anything()
    try:
        code = group.main(prog_name="relevance-eval", standalone_mode=False)
        sys.stdout.flush()
    except RelevanceEvalError as error:
        end(f"error: {error}", error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        end("stopped; what was stored so far is kept", STOPPED)
    except (BrokenPipeError, SystemExit):
        # Whoever read the output has seen enough (click raises SystemExit for it). Python must not
        # write what is left once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NOBODY_READS)
    except Exception as error:
        if {"-v", "--verbose"} & set(sys.argv):
            raise
        fault = f"error: unexpected {type(error).__name__}: {error}"
        end(f"{fault}\n  this is a fault of relevance-eval: run again with -v and report it", 5)
    sys.exit(code if isinstance(code, int) else 0)


def end(message: str, code: int) -> NoReturn:
    click.echo(printable(message), err=True)
    sys.exit(code)


def write_anything() -> None:
    """A character that the output's encoding lacks is shown by its number: no answer is lost."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
