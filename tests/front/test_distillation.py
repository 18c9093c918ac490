"""The chain of steps: what makes one of them be done again, and what is said before it begins."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval import distillation
from relevance_eval.distillation import (
    STEPS,
    Step,
    advance,
    by_people,
    distill,
    steps,
)
from relevance_eval.errors import DependencyError
from relevance_eval.evaluators.example import read_examples
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.ledger import Ledger, key_of
from relevance_eval.project import Project, open_project, untold
from relevance_eval.standing import Standing, in_common

CONFIGURATION = """
[endpoints.small]
model = "small"

[embedders.words]
model = "minilm"

[rankers.text]
template = "text.json"
index = "one"

[rankers.near]
template = "near.json"
embedder = "words"

[rankers.both]
fuse = ["text", "near"]

[training.mine]
rankers = ["both"]

[training.teach]
endpoint = "small"
"""


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Project]:
    """A project whose miner fuses two rankers; `old="new"` replaces text of the configuration."""

    def make(old: str = "", new: str = "") -> Project:
        assert old in CONFIGURATION
        for name in ("text", "near"):
            (tmp_path / f"{name}.json").write_text('{"query": {"match_all": {}}}')
        path = tmp_path / "relevance-eval.toml"
        path.write_text(CONFIGURATION.replace(old, new))
        return open_project(path)

    return make


def keys(project: Project) -> dict[str, str]:
    found = steps(project, untold, lambda text: None, 0)
    return {step.name: key_of(step.settings, step.inputs) for step in found}


def done_anew(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {step for step, key in after.items() if before[step] != key}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('index = "one"', 'index = "two"'),
        ('model = "minilm"', 'model = "./other"'),
        ('fuse = ["text", "near"]', 'fuse = ["text", "near"]\nwindow = 70'),
    ],
    ids=["index of a fused ranker", "embedder", "window of the fusion"],
)
def test_a_ranker_that_mines_is_known_with_all_that_it_is_made_of(
    project: Callable[..., Project], old: str, new: str
) -> None:
    before = keys(project())
    assert keys(project()) == before
    assert done_anew(before, keys(project(old, new))) == {"mine"}


def test_a_template_that_changes_is_mined_with_again(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    made = project()
    before = keys(made)
    (tmp_path / "near.json").write_text('{"query": {"match_none": {}}}')
    assert done_anew(before, keys(made)) == {"mine"}


def recorded(path: Path, names: Sequence[str], done: list[str]) -> list[Step]:
    """Steps that write their name, and say so."""

    def step(name: str) -> Step:
        def run(resumed: bool) -> Mapping[str, Any]:
            (path / name).write_text(name)
            done.append(name)
            return {}

        return Step(name, {}, (), path / name, run)

    return [step(name) for name in names]


def test_a_step_that_is_not_there_does_not_keep_those_after_it_from_being_done_again(
    project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, done = project(), list[str]()
    chain = recorded(tmp_path, [step for step in STEPS if step != "people"], done)

    def given(*arguments: object) -> list[Step]:
        return chain

    def standing(*arguments: object) -> tuple[str, list[Standing]]:
        return "people", []

    monkeypatch.setattr(distillation, "steps", given)
    monkeypatch.setattr(distillation, "standing", standing)
    distill(made, untold, lambda text: None)
    assert done == ["synthesize", "mine", "teach", "train", "export"]
    done.clear()
    distill(made, untold, lambda text: None)
    assert done == []
    distill(made, untold, lambda text: None, again="people")
    assert done == ["teach", "train", "export"]


def test_people_may_have_graded_documents_of_several_indices(
    folder: Path, configured: Callable[[str], Path], node_url: str
) -> None:
    name = f"test-{uuid.uuid4().hex[:12]}"
    indices = {f"{name}-one": "vpn", f"{name}-two": "leave"}
    text = f"[elasticsearch]\nurl = {node_url!r}\nindex = '{name}-*'\n"
    made = open_project(configured(text + "[training]\npeople = 'qrels.txt'\n"))
    out = folder / "people.jsonl"
    with Elasticsearch(node_url) as es:
        try:
            for index, identifier in indices.items():
                es.index(index=index, id=identifier, document={"title": "a"}, refresh=True)
            found = by_people(made, folder / "queries.jsonl", out, untold)
        finally:
            es.indices.delete(index=list(indices), ignore_unavailable=True)
    assert found == {"pairs": 2, "queries": 2}
    assert {e.pair.document.id for e in read_examples(out)} == {"vpn", "leave"}


def test_people_come_before_the_teacher_is_paid(project: Callable[..., Project]) -> None:
    made = project("[training.mine]", '[training]\npeople = "qrels.txt"\n\n[training.mine]')
    assert tuple(keys(made)) == STEPS
    assert STEPS.index("people") < STEPS.index("teach")


@pytest.mark.parametrize(("missing", "extra"), [("accelerate", "train"), ("openai", "teach")])
def test_a_package_that_a_later_step_needs_is_missed_before_anything_is_begun(
    project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, missing: str, extra: str
) -> None:
    def spec(name: str) -> str | None:
        return None if name == missing else name

    monkeypatch.setattr(distillation, "find_spec", spec)
    made = project()
    with pytest.raises(DependencyError) as caught:
        distill(made, untold, lambda text: None)
    assert f"relevance-eval[{extra}]" in str(caught.value)
    assert not made.training.exists()


@pytest.mark.parametrize(("precision", "needed"), [("int8", False), ("int8-static", True)])
def test_what_rounds_a_graph_is_missed_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, precision: Any, needed: bool
) -> None:
    monkeypatch.setattr(distillation, "find_spec", lambda name: None if name == "nncf" else name)
    with pytest.raises(DependencyError) if needed else nullcontext():
        distillation.check_extras(precision)


@pytest.mark.parametrize("content", ["half a", "[1, 2]", '{"train": 3}', '{"train": []}'])
def test_a_damaged_ledger_counts_as_empty(tmp_path: Path, content: str) -> None:
    ledger = Ledger(tmp_path / "distill.json")
    ledger.path.write_text(content)
    (step,) = recorded(tmp_path, ["train"], done := [])
    advance(step, ledger, lambda text: None, forced=False)
    assert done == ["train"]
    assert list(json.loads(ledger.path.read_text())) == ["train"]
    assert advance(step, ledger, lambda text: None, forced=False).skipped


def test_labelers_are_compared_on_the_pairs_that_all_of_them_graded() -> None:
    grades = {"q": {"a": 0, "b": 3}, "r": {"a": 1}}
    sure = Judgment.certain("x", 1)
    whole = {"q": {"a": sure, "b": sure}, "r": {"a": sure}}
    assert in_common(grades, [whole, whole]) == grades
    assert in_common(grades, [whole, {"q": {"b": sure}}]) == {"q": {"b": 3}, "r": {}}
