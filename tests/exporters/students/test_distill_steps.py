"""The later steps of distill, by a teacher that answers at once: what a stop in between leaves."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("torch", reason="needs relevance-eval[train]")
pytest.importorskip("optimum", reason="needs relevance-eval[train]")

from relevance_eval import distillation
from relevance_eval.cli.distill import show
from relevance_eval.distillation import Distillation, distill
from relevance_eval.errors import UsageError
from relevance_eval.evaluators.example import write_examples
from relevance_eval.exporters import train as training
from relevance_eval.project import open_project, untold

Make = Callable[..., Any]
CONFIGURATION = """
[elasticsearch]
index = "documents"

[endpoints.small]
model = "small"
base_url = "{url}"

[training.teach]
endpoint = "small"

[training.train]
base = "{base}"
epochs = 1
max_tokens = 48
holdout = 0.4

[training.export]
precision = "fp32"
"""


class Killed(Exception):
    pass


@pytest.fixture
def run(
    canned: Make,
    completion: Make,
    tiny_encoder: Path,
    overlapping: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Distillation]:
    """Runs distill from mined pairs on; `old="new"` replaces text of the configuration."""

    def answer(body: dict[str, Any], number: int) -> Any:
        return completion(f'{{"grade": {number % 4}}}')

    text = CONFIGURATION.format(url=canned(answer).url, base=tiny_encoder)
    all_steps = distillation.steps

    def later(*given: Any) -> Any:
        return (step for step in all_steps(*given) if step.name not in {"synthesize", "mine"})

    monkeypatch.setattr(distillation, "steps", later)
    path = tmp_path / "relevance-eval.toml"

    def made(old: str = "", new: str = "", **more: Any) -> Distillation:
        path.write_text(text.replace(old, new))
        project = open_project(path)
        project.training.mkdir(parents=True, exist_ok=True)
        pairs = [replace(e, judgment=None) for e in overlapping(20, 6)]
        write_examples(project.training / "pairs.jsonl", pairs)
        return distill(project, untold, lambda text: None, **more)

    return made


def skipped(found: Distillation) -> list[str]:
    return [done.step for done in found.steps if done.skipped]


def test_a_training_that_is_stopped_after_its_settings_changed_goes_on(
    run: Callable[..., Distillation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run()
    assert skipped(first) == []
    assert [s.labeler for s in first.standings] == ["documents-labeler", "builtin-minilm-1"]
    assert {s.agreement.pairs for s in first.standings} == {48}
    assert skipped(run()) == ["teach", "train", "export"]

    def stop(*given: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(training, "save", stop)
        with pytest.raises(Killed):
            run("epochs = 1", "epochs = 2")
    again = run("epochs = 1", "epochs = 2")
    assert skipped(again) == ["teach"]
    with monkeypatch.context() as patched:
        patched.setattr(training, "save", stop)
        with pytest.raises(Killed):
            run("epochs = 1", "epochs = 2", again="train")
    assert "train" not in skipped(run("epochs = 1", "epochs = 2"))


def test_people_are_told_that_the_pairs_also_fitted_the_cut_points(
    run: Callable[..., Distillation],
) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    show(console, run())
    told = " ".join(console.export_text().split())
    assert "held out, against small: 48 pairs of 8 queries" in told
    assert "temperature and cut points were fitted on these pairs" in told


def test_a_student_of_other_settings_in_the_way_of_one_that_was_begun_says_what_to_run(
    run: Callable[..., Distillation], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run()
    record = tmp_path / ".relevance-eval" / "training" / "student" / "training.json"
    before = record.read_text()

    def stop(*given: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(training, "save", stop)
        with pytest.raises(Killed):
            run("epochs = 1", "epochs = 2")
    record.write_text(before)  # as `relevance-eval train` may have put it there meanwhile
    with pytest.raises(UsageError, match="a training of other settings") as caught:
        run("epochs = 1", "epochs = 2")
    assert caught.value.remedy == "run relevance-eval distill --again train"
    assert skipped(run("epochs = 1", "epochs = 2", again="train")) == ["teach"]
