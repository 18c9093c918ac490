"""Every module says what it offers, in order, and offers it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "relevance_eval": "relevance_eval",
    "plugin": "relevance_eval.plugin",
    "evaluators": "relevance_eval.evaluators",
    "exporters": "relevance_eval.exporters",
}
NEEDS_AN_EXTRA = {
    "exporters/builtin/": "torch",
    "exporters/students/": "torch",
    "exporters/endpoints/endpoint.py": "openai",
    "exporters/queries/asking.py": "openai",
    "exporters/teachers/": "openai",
    "exporters/teach.py": "openai",
    **dict.fromkeys(
        (f"exporters/{name}.py" for name in ("export", "onnx", "parity", "train")), "torch"
    ),
}
"""Beginning of a path to what its modules import."""
PROGRAMS = {"__main__.py", "embedded_child.py"}
"""Run with `python -m`, never imported by anybody."""

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
)
MODULES = [f for f in FILES if Path(f).name not in PROGRAMS]


def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def exported(file: str) -> list[str] | None:
    for node in tree(file).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def defined(file: str) -> set[str]:
    """Names that the top level of a module binds."""
    names: set[str] = set()
    for node in tree(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {ast.unparse(target) for target in node.targets}
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def in_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_there_is_something_to_look_at() -> None:
    assert {"relevance_eval/config.py", "plugin/pull.py", "evaluators/run.py"} < set(MODULES)


@pytest.mark.parametrize("file", MODULES)
def test_a_module_that_defines_something_says_what_it_exports(file: str) -> None:
    body = tree(file).body
    if any(isinstance(node, ast.ClassDef | ast.FunctionDef) for node in body):
        assert exported(file)


@pytest.mark.parametrize("file", [f for f in MODULES if exported(f) is not None])
def test_exported_names_exist_and_are_sorted(file: str) -> None:
    names = exported(file) or []
    assert names == sorted(set(names), key=in_order)
    bound = defined(file)
    assert "__getattr__" in bound or set(names) <= bound  # lazy names: see the next test


@pytest.mark.parametrize("file", MODULES)
def test_a_module_can_be_imported_with_its_exported_names(file: str) -> None:
    for beginning, needed in NEEDS_AN_EXTRA.items():
        if file.startswith(beginning):
            pytest.importorskip(needed, reason="needs relevance-eval[teach,train]")
    folder, *rest = Path(file).with_suffix("").parts
    name = ".".join([FOLDERS[folder], *rest]).removesuffix(".__init__")
    module = importlib.import_module(name)
    assert [n for n in exported(file) or [] if not hasattr(module, n)] == []
