"""A base model becomes a student: how it is shown a pair, and how it is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.errors import LabelerError, UsageError  # noqa: E402
from relevance_eval.evaluators.document import Document  # noqa: E402
from relevance_eval.evaluators.example import Example  # noqa: E402
from relevance_eval.evaluators.labelers.manifest import read_manifest  # noqa: E402
from relevance_eval.evaluators.labelers.session import Input  # noqa: E402
from relevance_eval.evaluators.pair import Pair  # noqa: E402
from relevance_eval.evaluators.query import Query  # noqa: E402
from relevance_eval.exporters.settings import TrainSettings  # noqa: E402
from relevance_eval.exporters.students.base import find_base  # noqa: E402
from relevance_eval.exporters.students.student import (  # noqa: E402
    Student,
    load_student,
    new_student,
    tensors,
)

Complains = Callable[..., AbstractContextManager[Any]]


def encoder(folder: Path, **settings: Any) -> Student:
    chosen = TrainSettings(max_tokens=96, **settings)
    return new_student(chosen, base_folder=folder, seed=0)


def decoder(folder: Path, **settings: Any) -> Student:
    chosen = TrainSettings(kind="decoder", max_tokens=128, **settings)
    return new_student(chosen, base_folder=folder, seed=0)


def inputs(student: Student, examples: list[Example]) -> list[Input]:
    return [i for e in examples if not isinstance(i := student.frame.input(e.pair), str)]


def shown(student: Student, pair: Pair) -> list[str]:
    found = student.frame.input(pair)
    assert not isinstance(found, str)
    return [student.tokenizer.id_to_token(i) for i in found.ids]


PAIR = Pair(Query("q", "w1 w2"), Document("d", {"body": "w3 w1", "title": "w4"}))


def test_an_encoder_is_shown_a_pair_in_the_special_tokens_of_its_tokenizer(
    tiny_encoder: Path,
) -> None:
    student = encoder(tiny_encoder)
    assert student.manifest.frame == ("[CLS]", "[SEP]", "[SEP]")
    assert shown(student, PAIR) == [
        *("[CLS]", "w1", "w2", "[SEP]"),
        *("title:", "w4", "w3", "w1", "[SEP]"),
    ]


def test_a_decoder_is_shown_a_pair_in_its_chat_template_up_to_its_answer(
    tiny_decoder: Path,
) -> None:
    words = shown(decoder(tiny_decoder), PAIR)
    known = [w for w in words if w != "?"]
    assert known[:2] == ["<s>", "system"]
    assert known[-12:] == [
        *("user", "Query:", "w1", "w2", "Document:"),
        *("title:", "w4", "w3", "w1", "</s>", "<s>", "assistant"),
    ]


def test_a_decoder_answers_with_the_tokens_of_the_four_grades(tiny_decoder: Path) -> None:
    student = decoder(tiny_decoder)
    found = [student.tokenizer.id_to_token(i) for i in student.module.grade_ids.tolist()]
    assert found == ["0", "1", "2", "3"]


def test_a_decoders_logits_are_those_of_the_whole_model_at_the_last_token(
    tiny_decoder: Path,
) -> None:
    student = decoder(tiny_decoder)
    item = student.frame.input(PAIR)
    assert not isinstance(item, str)
    with torch.inference_mode():
        whole = student.module.model(input_ids=torch.tensor([item.ids])).logits[0, -1]
    expected = whole[student.module.grade_ids].numpy()
    assert student.logits([item])[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_pair_alone_and_in_a_batch_gets_the_same_logits(
    kind: str, tiny_encoder: Path, tiny_decoder: Path, overlapping: Callable[..., list[Example]]
) -> None:
    student = encoder(tiny_encoder) if kind == "encoder" else decoder(tiny_decoder)
    longer = Example(Pair(PAIR.query, Document("l", {"body": "w5 " * 30})), "seed")
    given = inputs(student, [longer, *overlapping(2, 3)])
    together = student.logits(given)
    alone = np.concatenate([student.logits([item]) for item in given])
    assert together.shape == (7, 4)
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-4  # not all the same anyway


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_student_that_was_saved_answers_as_before(
    kind: str, rank: int, tiny_encoder: Path, tiny_decoder: Path, tmp_path: Path
) -> None:
    make, base = (encoder, tiny_encoder) if kind == "encoder" else (decoder, tiny_decoder)
    student = make(base, lora_rank=rank)
    disturb(student)
    item = student.frame.input(PAIR)
    assert not isinstance(item, str)
    before = student.logits([item])
    student.with_manifest(temperature=1.5, cuts=[0.5, 1.0, 2.0]).save(tmp_path / "student")
    again = load_student(tmp_path / "student")
    assert np.abs(again.logits([item]) - before).max() < 1e-5
    assert again.manifest.temperature == 1.5
    assert again.frame.input(PAIR) == item
    assert read_manifest(tmp_path / "student" / "labeler.json") == again.manifest


def disturb(student: Student) -> None:
    """Moves all that learns a little, as a training would; adapters begin at nothing."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in student.module.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_adapters_leave_the_base_models_weights_alone(
    kind: str, tiny_encoder: Path, tiny_decoder: Path
) -> None:
    make, base = (encoder, tiny_encoder) if kind == "encoder" else (decoder, tiny_decoder)
    learns = [n for n, p in make(base, lora_rank=4).module.named_parameters() if p.requires_grad]
    assert any("lora" in name for name in learns)
    assert all("lora" in name or "classifier" in name for name in learns)


def test_caps_of_query_and_fields_add_up_to_what_the_model_may_read(tiny_encoder: Path) -> None:
    student = encoder(tiny_encoder)
    many = "w1 " * 500
    fields = {role: many for role, _ in student.manifest.fields}
    found = student.frame.input(Pair(Query("q", many), Document("d", fields)))
    assert not isinstance(found, str)
    assert len(found.ids) == 96
    assert student.manifest.max_tokens["body"] >= 30


def test_padding_stands_on_the_right(tiny_encoder: Path) -> None:
    ids, mask, segments = tensors(
        [Input([5, 6, 7], [0, 0, 1]), Input([8], [1])], torch.device("cpu")
    )
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert segments.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_more_tokens_than_the_model_has_positions_for_are_refused(
    tiny_encoder: Path, complains: Complains
) -> None:
    with complains(
        LabelerError,
        "reads 128 tokens at most, and max_tokens = 300",
        code=2,
        where="[training.train] max_tokens",
        remedy="set 128 or fewer",
    ):
        new_student(TrainSettings(max_tokens=300), base_folder=tiny_encoder, seed=0)


def test_a_frame_that_leaves_no_room_for_text_is_refused(
    tiny_decoder: Path, complains: Complains
) -> None:
    settings = TrainSettings(kind="decoder", max_tokens=40)
    with complains(
        UsageError,
        "max_tokens = 40 leaves",
        code=2,
        where="[training.train] max_tokens",
        remedy="or more",
    ):
        new_student(settings, base_folder=tiny_decoder, seed=0)


def test_a_base_that_is_nowhere_is_named(tmp_path: Path, complains: Complains) -> None:
    where = str(tmp_path / "no-such-model")
    with complains(
        LabelerError, "no base model 'no-such-model'", code=2, where=where, remedy="minilm"
    ):
        find_base("no-such-model", tmp_path)


def test_a_model_of_the_hub_without_a_network_is_one_message(
    monkeypatch: pytest.MonkeyPatch, complains: Complains
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with complains(LabelerError, "'no/such-model'", code=2, remedy="check the name and the net"):
        find_base("no/such-model")


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("how", ["missing", "garbage"])
def test_a_base_with_a_broken_file_is_one_message(
    broken: str, how: str, tiny_encoder: Path, tmp_path: Path, complains: Complains
) -> None:
    for path in tiny_encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if how == "missing":
        (tmp_path / broken).unlink()
    else:
        (tmp_path / broken).write_bytes(b"\x00 not what it should be")
    with complains(
        LabelerError, "cannot be loaded", code=2, where=str(tmp_path), remedy="Hugging Face's"
    ):
        encoder(tmp_path)


def test_a_folder_without_a_student_says_what_to_run(tmp_path: Path, complains: Complains) -> None:
    with complains(
        LabelerError,
        "there is no student",
        code=2,
        where=str(tmp_path / "student"),
        remedy="relevance-eval train",
    ):
        load_student(tmp_path / "student")
