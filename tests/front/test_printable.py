"""What a server, a file or a labeler says reaches the terminal as text and nothing else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as RichConsole

from relevance_eval.cli.attach import show_abilities
from relevance_eval.cli.console import Console
from relevance_eval.cli.printable import one_line, printable
from relevance_eval.cli.tables import show_labels, show_problems
from relevance_eval.evaluators.labelling import Labelling
from relevance_eval.evaluators.run import Result, Run
from relevance_eval.plugin.attach import Ability

EVIL = "x\x1b]0;title\x07\r\x9b2J\u202ey\ud800z"


@pytest.fixture
def out() -> RichConsole:
    return RichConsole(file=io.StringIO(), width=200)


def shown(out: RichConsole) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_newlines_stay_and_letters_of_every_script() -> None:
    assert printable("eins\n  zwei: Änderung, 設定\t!") == "eins\n  zwei: Änderung, 設定 !"
    assert one_line("eins\nzwei\r\n") == "eins zwei  "
    assert one_line("x" * 61, 60) == "x" * 59 + "…"


def test_what_a_server_says_about_a_ranker(out: RichConsole) -> None:
    show_abilities(out, [Ability(EVIL, False, f"{EVIL}\n{EVIL}")])
    show_problems(out, Run(EVIL, {EVIL: Result((), problem=EVIL)}))
    assert all(line.isprintable() for line in shown(out).split("\n"))
    assert shown(out).count("\n") == 2


def test_what_a_labeler_calls_itself(out: RichConsole) -> None:
    show_labels(out, Labelling({}, 0, 0, 0, 0, 0, 0, 0.0), EVIL)
    assert all(line.isprintable() for line in shown(out).split("\n"))


def test_a_notice(capsys: pytest.CaptureFixture[str]) -> None:
    Console().notice(EVIL)
    assert capsys.readouterr().err.rstrip("\n").isprintable()
