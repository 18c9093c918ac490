"""The command as a user or another program meets it."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import relevance_eval
from relevance_eval.cli.main import VERBS

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Complaint = Callable[..., str]
FILES = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl")


def commands() -> dict[str, click.Command]:
    """Words of a command to the command."""
    found: dict[str, click.Command] = {}
    for verb in VERBS:
        command: click.Command = getattr(
            importlib.import_module(f"relevance_eval.cli.{verb}"), verb
        )
        if isinstance(command, click.Group):
            found |= {f"{verb} {name}": inner for name, inner in command.commands.items()}
        else:
            found[verb] = command
    return found


def options() -> list[tuple[str, click.Option]]:
    return [
        (words, parameter)
        for words, command in commands().items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]


def test_the_verbs_of_the_design_are_there() -> None:
    judging = ["init", "attach", "load", "pull", "label", "compare", "gate", "report", "agreement"]
    judging += ["bench"]
    auditing = ["audit draw", "audit sheet", "audit read"]
    making = ["distill", "synthesize", "mine", "teach", "train", "export", "calibrate"]
    assert set(commands()) == {*judging, *making, *auditing, "queries import"}


@pytest.mark.parametrize("words", [*commands(), "", "queries"])
def test_help_tells_what_a_verb_does(cli: Cli, tmp_path: Path, words: str) -> None:
    done = cli(*words.split(), "--help", cwd=tmp_path)
    assert done.stdout.startswith(f"Usage: relevance-eval {words}".rstrip())
    assert done.stderr == ""
    told = done.stdout.split("\n\n")[1].strip()
    assert len(told.split()) >= 4


@pytest.mark.parametrize(("words", "option"), options(), ids=lambda v: getattr(v, "name", v))
def test_an_option_has_help_that_says_its_default(words: str, option: click.Option) -> None:
    assert option.help
    assert option.is_flag or re.search(r"  \[default: .+\]$", option.help), words


@pytest.mark.parametrize("words", commands())
def test_every_verb_has_the_common_options(words: str) -> None:
    names = {opt for parameter in commands()[words].params for opt in parameter.opts}
    assert {"-c", "--config", "--json", "-q", "--quiet", "-v", "--verbose", "--seed"} <= names


def test_the_version(cli: Cli, tmp_path: Path) -> None:
    done = cli("--version", cwd=tmp_path)
    assert done.stdout.strip() == f"relevance-eval, version {relevance_eval.__version__}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("comapre",), "No such command 'comapre'"),
        (("compare",), "Missing argument 'RANKERS...'"),
        (("compare", "--sede", "1", "a"), "Did you mean '--seed'?"),
        (("compare", "--seed", "-1", "a"), "-1 is not in the range x>=0"),
        (("agreement", "qrels.txt", "--relevant", "4"), "4 is not in the range 1<=x<=3"),
        (("pull", "a", "--queries", "/"), "'/' is a directory"),
    ],
)
def test_a_slip_of_the_pen_is_wrong_use(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = cli(*words, cwd=tmp_path, code=2)
    assert done.stdout == ""
    assert said in done.stderr


@pytest.mark.parametrize("verb", ["attach", "pull a", "label a", "compare a b", "agreement q.txt"])
def test_without_a_configuration_the_remedy_is_init(
    complaint: Complaint, tmp_path: Path, verb: str
) -> None:
    message = complaint(*verb.split(), cwd=tmp_path)
    assert message.startswith("error: relevance-eval.toml: there is no such file\n")
    assert "relevance-eval init" in message


def test_a_configuration_that_is_named_must_be_there(
    complaint: Complaint, folder: Path, compare_words: tuple[str, ...]
) -> None:
    message = complaint(*compare_words, "-c", "other.toml", cwd=folder)
    assert message.startswith("error: other.toml: there is no such file\n")


def test_a_mistake_in_the_configuration(complaint: Complaint, tmp_path: Path) -> None:
    (tmp_path / "relevance-eval.toml").write_text("[compare]\ndeph = 5\n")
    message = complaint("compare", "a", "b", cwd=tmp_path)
    assert message == (
        "error: relevance-eval.toml:2: unknown key compare.deph\n  did you mean depth?\n"
    )


def test_a_server_that_is_absent(complaint: Complaint, folder: Path) -> None:
    (folder / "relevance-eval.toml").write_text("[elasticsearch]\nurl = 'http://127.0.0.1:9'\n")
    message = complaint("attach", cwd=folder, code=5)
    assert "cannot be reached" in message
    assert "check [elasticsearch] url" in message


def test_a_secret_in_the_url_is_refused_and_not_repeated(
    complaint: Complaint, tmp_path: Path
) -> None:
    text = "[elasticsearch]\nurl = 'https://elastic:hunter2@es.example.com'\n"
    (tmp_path / "relevance-eval.toml").write_text(text)
    message = complaint("attach", cwd=tmp_path)
    assert "no secrets in the url: use username_env and password_env" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("noise", [(), ("-q",), ("-v",)])
@pytest.mark.parametrize(
    "words",
    [
        ("compare", "a.run", "b.run", *FILES),
        ("label", "a.run", "b.run", *FILES),
        ("agreement", "qrels.txt", *FILES),
        ("queries", "import", "queries.jsonl", "--out", "imported.jsonl"),
        ("init", "new"),
    ],
    ids=lambda words: words[0] if words else "",
)
def test_json_is_one_object_and_nothing_else(
    cli: Cli, folder: Path, words: tuple[str, ...], noise: tuple[str, ...]
) -> None:
    done = cli(*words, *noise, "--json", cwd=folder)
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout)
    command = "queries import" if words[0] == "queries" else words[0]
    assert list(found) == [
        "schema", "command", "created", "relevance_eval", "config_hash", "result"
    ]  # fmt: skip
    assert found["command"] == command
    assert found["schema"] == {
        "name": f"relevance-eval/{command.replace(' ', '-')}",
        "version": 1,
    }
    assert re.fullmatch(r"[0-9a-f]{64}", found["config_hash"])


def test_json_of_a_failure_leaves_standard_output_empty(complaint: Complaint, folder: Path) -> None:
    assert "there is no such run file" in complaint("label", "c.run", *FILES, "--json", cwd=folder)


def test_quiet_says_nothing_beside_the_answer(
    cli: Cli, folder: Path, compare_words: tuple[str, ...]
) -> None:
    assert cli(*compare_words, "-q", cwd=folder).stderr == ""


def test_the_table_is_plain_text_where_there_is_no_terminal(
    cli: Cli, folder: Path, compare_words: tuple[str, ...]
) -> None:
    done = cli(*compare_words, cwd=folder)
    assert "\x1b" not in done.stdout + done.stderr
    assert re.match(r"(b .* a|not enough evidence .*): EnDCG@10 [+-]\d", done.stdout)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_no_character_is_too_much_for_the_output(
    console_script: Path, folder: Path, as_json: tuple[str, ...], encoding: str
) -> None:
    (folder / "a.run").rename(folder / "ε設.run")
    done = subprocess.run(
        [console_script, "compare", "ε設.run", "b.run", *FILES, "-q", *as_json],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        encoding=encoding,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if as_json:
        assert json.loads(done.stdout)["result"]["baseline"] == "ε設"
    else:
        assert ("ε設" if encoding == "utf-8" else r"\u03b5\u8a2d") in done.stdout


def test_what_others_wrote_does_not_steer_the_terminal(
    cli: Cli, complaint: Complaint, folder: Path
) -> None:
    (folder / "a.run").rename(folder / "a\x1b[2J.run")
    shown = cli("compare", "a\x1b[2J.run", "b.run", *FILES, cwd=folder)
    assert "\x1b" not in shown.stdout + shown.stderr
    assert "a [2J" in shown.stdout
    message = complaint("label", "c\x1b[2J.run", *FILES, cwd=folder)
    assert message == "error: c [2J.run: there is no such run file\n"


def test_an_unknown_name_may_have_been_a_ranker_or_a_file(
    complaint: Complaint, folder: Path
) -> None:
    text = "[rankers.'bm25.v1']\ntemplate = 'a.json'\n"
    (folder / "relevance-eval.toml").write_text(text)
    assert complaint("label", "bm25.v2", *FILES, cwd=folder) == (
        "error: there is no ranker and no run file 'bm25.v2'\n  did you mean bm25.v1?\n"
    )


def test_a_closed_pipe_is_no_fault(
    console_script: Path, folder: Path, compare_words: tuple[str, ...]
) -> None:
    piped = f"'{console_script}' {' '.join(compare_words)} | true"
    done = subprocess.run(
        ["bash", "-c", piped], cwd=folder, capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.stderr == ""
