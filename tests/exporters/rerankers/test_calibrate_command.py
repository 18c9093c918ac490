"""`relevance-eval calibrate` as it is typed, from a model's folder to a labeler that is used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from relevance_eval.evaluators.example import Example, write_examples
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.labelers.load import load_labeler
from relevance_eval.evaluators.labelers.manifest import read_manifest
from relevance_eval.evaluators.labelers.session import rounding
from relevance_eval.evaluators.qrels import write_qrels
from relevance_eval.exporters.rerankers.scores import CHUNK

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Answer = Callable[..., dict[str, Any]]
Grade = Callable[..., list[Example]]
Write = Callable[[Sequence[Example]], list[str | Path]]
FILES = {"README.md", "calibration.json", "labeler.json", "model.onnx", "tokenizer.json"}
DL20 = Path(__file__).resolve().parents[4] / "shared" / "data" / "dl20"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expected(folder: Path, examples: Sequence[Example]) -> list[float]:
    found = dict(load_labeler(str(folder), threads=1).label([e.pair for e in examples]))
    return [found[i].expected for i in range(len(examples))]


def original_scores(original: Any, examples: Sequence[Example]) -> list[float]:
    return [original.score(e.pair.query.text, e.pair.document.fields["body"]) for e in examples]


@pytest.fixture(params=["cross-encoder", "mean", "first", "prompts"])
def original(request: pytest.FixtureRequest) -> Any:
    if request.param == "cross-encoder":
        return request.getfixturevalue("cross_encoder")
    write = request.getfixturevalue("write_embedder")
    if request.param == "prompts":
        return write("first", {"query": "find word1: ", "passage": "word2: ", "document": "word3:"})
    return write(request.param)


def test_a_calibrated_model_orders_pairs_as_its_score_does_in_its_own_library(
    original: Any, tmp_path: Path, cli: Cli, grade_by: Grade, write_grades: Write
) -> None:
    examples = grade_by(original.score, 12, 12)
    words = write_grades(examples)
    done = cli("calibrate", original.folder, *words, "--out", "mine", cwd=tmp_path)
    assert "on 144 pairs of 12 queries" in done.stdout
    assert "kappa, quadratic weights" in done.stdout
    assert {path.name for path in (tmp_path / "mine").iterdir()} == FILES
    given, raw = expected(tmp_path / "mine", examples), original_scores(original, examples)
    assert scipy.stats.spearmanr(given, raw).statistic > 0.9999
    manifest = read_manifest(tmp_path / "mine" / "labeler.json")
    probabilities = manifest.ordinal_head().probabilities(np.array(raw)[:, None])
    assert given == pytest.approx(probabilities @ np.array(GRADES), abs=1e-3)


def test_what_it_says_is_what_agreement_finds_of_the_labeler(
    cross_encoder: Any,
    tmp_path: Path,
    answer: Answer,
    grade_by: Grade,
    write_grades: Write,
) -> None:
    words = write_grades(grade_by(cross_encoder.score, 15, 12))
    made = answer("calibrate", cross_encoder.folder, *words, "--out", "mine", cwd=tmp_path)
    held = made["held_out"]
    for name in ("quadratic_kappa", "pairwise_accuracy", "calibration_error"):
        assert held[name]["low"] <= held[name]["value"] <= held[name]["high"]
    assert held["quadratic_kappa"]["low"] > 0.4
    assert (held["pairs"], held["queries"], made["folds"]) == (180, 15, 5)
    assert made["data"]["labelers"] == {"gpt": 180}
    assert made["base"] == "tiny-reranker"
    files = words[2:]
    found = answer("agreement", "gpt.qrels", *files, "--labeler", "mine", cwd=tmp_path)
    assert found["labeler"]["fingerprint"] == made["fingerprint"]
    # in the whole sample it is fitted on these very pairs: no worse than held out
    assert found["quadratic_kappa"]["mean"] > held["quadratic_kappa"]["value"] - 0.05
    assert found["pairwise_accuracy"]["mean"] == pytest.approx(
        held["pairwise_accuracy"]["value"], abs=0.03
    )


def test_the_same_inputs_give_the_same_bytes_and_scores_are_computed_once(
    embedder: Any, tmp_path: Path, answer: Answer, grade_by: Grade, write_grades: Write
) -> None:
    words = write_grades(grade_by(embedder.score, 12, 12))
    runs = ["calibrate", embedder.folder, *words, "--out"]
    first = answer(*runs, "one", cwd=tmp_path)
    again = answer(*runs, "two", cwd=tmp_path)
    assert (first["reused"], again["reused"]) == (0, 144)
    shutil.rmtree(tmp_path / ".relevance-eval")
    anew = answer(*runs, "three", cwd=tmp_path)
    assert anew["reused"] == 0
    one = bytes_of(tmp_path / "one")
    assert bytes_of(tmp_path / "two") == one
    assert bytes_of(tmp_path / "three") == one
    other = answer(*runs, "four", "--seed", "1", cwd=tmp_path)
    assert other["fingerprint"] == first["fingerprint"]  # the seed deals out folds alone
    assert other["held_out"] != first["held_out"]


@pytest.mark.parametrize(
    ("model", "precision", "scale"),
    [
        ("cross_encoder", "int8-static", "fixed"),
        ("embedder", "int8-static", "fixed"),
        ("cross_encoder", "int8", "batch"),
        ("cross_encoder", "int8-weights", None),
    ],
)
def test_a_model_may_be_rounded_before_it_is_calibrated(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    answer: Answer,
    grade_by: Grade,
    write_grades: Write,
    model: str,
    precision: str,
    scale: str | None,
) -> None:
    original = request.getfixturevalue(model)
    examples = grade_by(original.score, 12, 12)
    runs = ["calibrate", original.folder, *write_grades(examples)]
    plain = answer(*runs, "--out", "plain", cwd=tmp_path)
    runs += ["--precision", precision, "--out"]
    made, again = (answer(*runs, name, cwd=tmp_path) for name in ("one", "two"))
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert (made["reused"], again["reused"]) == (0, 144)  # none of the plain model's scores
    assert (plain["precision"], made["precision"]) == (None, precision)
    assert made["megabytes"] < plain["megabytes"]
    assert rounding(tmp_path / "one" / "model.onnx") == scale
    raw = original_scores(original, examples)
    assert scipy.stats.spearmanr(expected(tmp_path / "one", examples), raw).statistic > 0.95
    card = (tmp_path / "one" / "README.md").read_text()
    assert f"rounded to {precision}" in card
    assert "whose weights are as they were" in (tmp_path / "plain" / "README.md").read_text()


def test_weights_beside_the_graph_may_be_links_as_on_a_hub(
    cross_encoder: Any, tmp_path: Path, answer: Answer, grade_by: Grade, write_grades: Write
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs relevance-eval[train]")
    hub = Path(shutil.copytree(cross_encoder.folder, tmp_path / "hub"))
    graph, blobs = hub / "onnx" / "model.onnx", tmp_path / "blobs"
    blobs.mkdir()
    onnx.save(
        onnx.load(str(graph)),
        str(blobs / "model.onnx"),
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=0,
    )
    graph.unlink()
    for name in ("model.onnx", "model.onnx_data"):
        (hub / "onnx" / name).symlink_to(blobs / name)
    words = write_grades(grade_by(cross_encoder.score, 12, 12))
    runs = ["calibrate", hub, *words, "--precision", "int8-static", "--out", "mine"]
    assert answer(*runs, cwd=tmp_path)["precision"] == "int8-static"
    assert {path.name for path in (tmp_path / "mine").iterdir()} == FILES


def test_a_model_that_is_rounded_already_is_not_rounded_again(
    cross_encoder: Any,
    tmp_path: Path,
    answer: Answer,
    complaint: Callable[..., str],
    grade_by: Grade,
    write_grades: Write,
) -> None:
    small = Path(shutil.copytree(cross_encoder.folder, tmp_path / "small"))
    words = write_grades(grade_by(cross_encoder.score, 12, 12))
    answer("calibrate", small, *words, "--precision", "int8", "--out", "mine", cwd=tmp_path)
    shutil.copyfile(tmp_path / "mine" / "model.onnx", small / "onnx" / "model.onnx")
    runs = ["calibrate", small, *words, "--precision", "int8-static"]
    said = complaint(*runs, cwd=tmp_path, code=5)
    assert "its weights are rounded already: int8" in said


def test_a_field_that_no_document_has_gives_no_ranges(
    cross_encoder: Any,
    tmp_path: Path,
    complaint: Callable[..., str],
    grade_by: Grade,
    write_grades: Write,
) -> None:
    words = write_grades(grade_by(cross_encoder.score, 12, 12))
    runs = ["calibrate", cross_encoder.folder, *words, "--field", "author"]
    assert "--field" in complaint(*runs, "--precision", "int8-static", cwd=tmp_path, code=2)


def chunks_in(folder: Path) -> int:
    """Those that are written whole: one a line."""
    paths = folder.glob("*.jsonl")
    return sum(bool(line) for path in paths for line in path.read_bytes().split(b"\n")[:-1])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_a_killed_run_resumes_to_the_same_labeler(
    console_script: Path,
    cross_encoder: Any,
    tmp_path: Path,
    answer: Answer,
    grade_by: Grade,
    write_grades: Write,
    sent: signal.Signals,
) -> None:
    examples = grade_by(cross_encoder.score, 40, 40)
    words = write_grades(examples)
    command = ["calibrate", str(cross_encoder.folder), *map(str, words), "--out"]
    process = subprocess.Popen(
        [console_script, *command, "mine", "-q"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    scores = tmp_path / ".relevance-eval" / "scores"
    deadline = time.monotonic() + 120
    while not chunks_in(scores):  # the file is there before its first line is
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing was scored"
        time.sleep(0.002)
    os.kill(process.pid, sent)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL), said
    assert not (tmp_path / "mine").exists()
    resumed = answer(*command, "mine", cwd=tmp_path)
    assert CHUNK <= resumed["reused"] < len(examples)
    shutil.rmtree(scores)
    assert answer(*command, "whole", cwd=tmp_path)["reused"] == 0
    assert bytes_of(tmp_path / "mine") == bytes_of(tmp_path / "whole")


def test_people_win_over_a_teacher_and_files_of_teach_are_read(
    cross_encoder: Any, tmp_path: Path, answer: Answer, grade_by: Grade, write_grades: Write
) -> None:
    examples = grade_by(cross_encoder.score, 12, 12)
    words = write_grades(examples)
    some = {
        e.pair.query.id: {e.pair.document.id: 3 - e.judgment.grade} for e in examples if e.judgment
    }
    write_qrels(tmp_path / "ann.qrels", some)
    both = answer(
        *("calibrate", cross_encoder.folder, *words, "--people", "ann.qrels", "--out", "a"),
        cwd=tmp_path,
    )
    assert both["data"]["labelers"] == {"gpt": 132, "person:ann": 12}
    assert both["data"]["pairs"] == 144
    training = tmp_path / ".relevance-eval" / "training"
    training.mkdir()
    write_examples(training / "graded.jsonl", examples)
    (tmp_path / "relevance-eval.toml").write_text("")
    made = answer("calibrate", cross_encoder.folder, cwd=tmp_path)
    assert made["data"]["labelers"] == {"teacher": 144}
    assert (made["reused"], made["folder"]) == (144, str(training / "calibrated"))


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda found: found[:20], 2, "20 pairs have a grade, and a calibration needs 30"),
        (lambda found: [e for e in found if e.judgment.grade == 0], 2, "have the grade 0"),
        (lambda found: found[:36], 2, "all graded pairs are of one query"),
    ],
    ids=["few", "one grade", "one query"],
)
def test_labels_that_nothing_can_be_fitted_to(
    cross_encoder: Any,
    tmp_path: Path,
    complaint: Callable[..., str],
    grade_by: Grade,
    write_grades: Write,
    change: Callable[[list[Example]], list[Example]],
    code: int,
    says: str,
) -> None:
    words = write_grades(change(grade_by(cross_encoder.score, 3, 36)))
    said = complaint("calibrate", cross_encoder.folder, *words, cwd=tmp_path, code=code)
    assert says in said
    assert "\n  grade " in said  # what to do
    assert not (tmp_path / ".relevance-eval" / "scores").exists()


def test_scores_that_fall_where_grades_rise_make_no_labeler(
    cross_encoder: Any,
    tmp_path: Path,
    complaint: Callable[..., str],
    grade_by: Grade,
    write_grades: Write,
) -> None:
    words = write_grades(grade_by(lambda q, d: -cross_encoder.score(q, d), 12, 12))
    said = complaint("calibrate", cross_encoder.folder, *words, "--out", "mine", cwd=tmp_path)
    assert "tiny-reranker: its scores do not rise with the grades" in said
    assert "a higher score of the model means more relevant" in said
    assert not (tmp_path / "mine").exists()


def test_scores_that_chance_may_have_made_are_noted(
    cross_encoder: Any, tmp_path: Path, cli: Cli, grade_by: Grade, write_grades: Write
) -> None:
    examples = grade_by(cross_encoder.score, 12, 12, noise=5.0)
    done = cli(
        *("calibrate", cross_encoder.folder, *write_grades(examples), "--out", "mine"),
        cwd=tmp_path,
    )
    assert "no better than chance may" in " ".join(done.stdout.split())
    assert "no better than chance may" in (tmp_path / "mine" / "README.md").read_text()


def test_a_folder_of_something_else_is_kept(
    cross_encoder: Any,
    tmp_path: Path,
    complaint: Callable[..., str],
    grade_by: Grade,
    write_grades: Write,
) -> None:
    words = write_grades(grade_by(cross_encoder.score, 12, 12))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    said = complaint("calibrate", cross_encoder.folder, *words, "--out", "mine", cwd=tmp_path)
    assert "mine: this is no labeler that was calibrated before" in said
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_the_card_tells_figures_grades_and_base(
    embedder: Any, tmp_path: Path, answer: Answer, grade_by: Grade, write_grades: Write
) -> None:
    words = write_grades(grade_by(embedder.score, 12, 12))
    more = ("--out", "mine", "--base", "owner/tiny", "--license", "MIT", "--late")
    made = answer("calibrate", embedder.folder, *words, *more, cwd=tmp_path)
    text = (tmp_path / "mine" / "README.md").read_text()
    kappa = made["held_out"]["quadratic_kappa"]
    for said in (
        "# tiny-embedder-calibrated",
        "| base model | owner/tiny |",
        "| licence | MIT |",
        f"`{made['fingerprint']}`",
        f"| {kappa['value']:.3f}, {kappa['low']:.3f} to {kappa['high']:.3f} |",
        "| 72 | 36 | 21 | 15 |",
        "| cosine | ",
        r"| late\_square | ",
        "mean of the token states",
    ):
        assert said in text, said
    assert "{{" not in text
    assert str(tmp_path) not in text
    manifest = read_manifest(tmp_path / "mine" / "labeler.json")
    assert (manifest.base, manifest.pooling) == ("owner/tiny", "mean")
    assert min(manifest.ordinal_head().weights) >= 0


@pytest.mark.skipif(not DL20.is_dir(), reason="the collection dl20 is not there")
def test_the_cosine_of_a_real_encoder_agrees_with_people_on_held_out_queries(
    tmp_path: Path, answer: Answer, minilm_onnx: Path
) -> None:
    lines = (DL20 / "qrels.txt").read_text().splitlines()
    (tmp_path / "some.txt").write_text("\n".join(lines[::40]) + "\n")
    files = ("--queries", DL20 / "queries.jsonl", "--corpus", DL20 / "corpus.jsonl")
    made = answer(
        *("calibrate", minilm_onnx, "--qrels", "some.txt", *files, "--max-tokens", "96"),
        *("--out", "mine"),
        cwd=tmp_path,
    )
    assert made["data"]["pairs"] > 280
    assert made["held_out"]["quadratic_kappa"]["value"] > 0.2
    assert made["held_out"]["quadratic_kappa"]["low"] > 0
    assert made["held_out"]["pairwise_accuracy"]["low"] > 0.6
