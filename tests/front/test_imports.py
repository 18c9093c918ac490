"""The core stays light: what is imported, and what is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

VERBS = [
    *("init", "attach", "load", "queries", "pull", "label", "compare", "gate", "report"),
    *("audit", "agreement", "distill", "synthesize", "mine", "teach", "train", "export"),
    "bench",
    "calibrate",
]
HELPS = [["--help"], *([verb, "--help"] for verb in VERBS), ["queries", "import", "--help"]]
HELPS += [["audit", verb, "--help"] for verb in ("draw", "sheet", "read")]
JYTHON = {"org"}
"""Looked for by the standard library's `copy`, and not found."""
OURS = {"", ".cli", ".errors"}
OURS |= {f".cli.{name}" for name in ("main", "options", "places", "printable", "spending")}


def imported(*arguments: str | Path) -> set[str]:
    """The modules that a Python process imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    return set(re.findall(r"import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def at_start() -> set[str]:
    """What Python imports here before any program: path hooks of editable installs and so on."""
    return {name.partition(".")[0] for name in imported("-c", "pass")}


def foreign(modules: set[str], at_start: set[str]) -> set[str]:
    tops = {name.partition(".")[0] for name in modules}
    return tops - sys.stdlib_module_names - at_start - JYTHON


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_imports_click_and_little_of_ours(
    console_script: Path, at_start: set[str], words: list[str]
) -> None:
    found = imported(console_script, *words)
    assert foreign(found, at_start) == {"click", "relevance_eval"}
    ours = {name.removeprefix("relevance_eval") for name in found if "relevance_eval" in name}
    assert ours & OURS >= {"", ".cli", ".cli.main", ".errors"}
    assert {n for n in ours if not n.startswith("_")} <= OURS | {f".cli.{words[0]}"}


def test_the_package_itself_imports_nothing_of_others(at_start: set[str]) -> None:
    assert foreign(imported("-c", "import relevance_eval"), at_start) == {"relevance_eval"}


def test_making_a_first_project_needs_no_heavy_library(
    console_script: Path, at_start: set[str], tmp_path: Path
) -> None:
    found = foreign(imported(console_script, "init", tmp_path, "-q", "--json"), at_start)
    heavy = {"elasticsearch", "scipy", "onnxruntime", "tokenizers", "ir_measures", "torch"}
    assert "pydantic" in found
    assert not found & heavy


def needed(extra: str | None) -> set[str]:
    """Distributions that the install declares, without extras or for one extra."""
    names: set[str] = set()
    for line in requires("relevance-eval") or []:
        requirement, _, marker = line.partition(";")
        if (f"extra == {extra!r}".replace("'", '"') in marker) if extra else not marker:
            names.add(re.split(r"[^\w.-]", requirement.strip())[0].lower())
    return names


def test_the_core_install_is_light() -> None:
    core = needed(None)
    assert {"elasticsearch", "onnxruntime", "tokenizers", "click"} <= core
    assert not core & {"torch", "transformers", "optimum", "optimum-onnx", "ray", "jpype1"}


@pytest.mark.parametrize(
    ("extra", "package"),
    [
        ("embedded", "jpype1"),
        ("train", "torch"),
        ("gpu", "onnxruntime-gpu"),
        ("ray", "ray"),
        ("irds", "ir-datasets"),
        ("test", "pytest"),
    ],
)
def test_what_is_not_core_comes_with_its_extra(extra: str, package: str) -> None:
    assert package in needed(extra)
