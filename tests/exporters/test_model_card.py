"""The card says what the records say, and nothing in them can say more."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from relevance_eval.errors import ExportError
from relevance_eval.exporters.model_card import Card, markdown

Complains = Callable[..., Any]

FIGURE = {"value": 0.512, "low": 0.4712, "high": 0.5504}
MANIFEST: dict[str, Any] = {
    "name": "handbook",
    "license": "ours",
    "architecture": "cross-encoder",
    "fields": [["title", "title: "], ["body", ""]],
    "max_tokens": {"query": 48, "title": 32, "body": 120},
    "temperature": 1.25,
    "cuts": [0.5, 1.25, 2.0],
}
TRAINING: dict[str, Any] = {
    "seed": 7,
    "steps": 120,
    "stopped_early": True,
    "settings": {"base": "minilm", "epochs": 3, "rate": None},
    "data": {
        "examples": 1200,
        "ungraded": 3,
        "without_text": 2,
        "queries": 90,
        "documents": 400,
        "origins": {"seed": 90, "bm25 11-50": 1105},
        "labelers": {"gpt-4o": 1195},
        "training": {"pairs": 1000, "queries": 75, "by_people": 0, "grades": {"0": 700, "3": 300}},
        "holdout": {"pairs": 195, "queries": 15, "by_people": 0, "grades": {"0": 195}},
    },
    "held_out": {
        "student_against_teacher": {
            "pairs": 195,
            "queries": 15,
            "kappa": FIGURE,
            "quadratic_kappa": FIGURE,
            "relevant_kappa": {"value": 0.25, "low": None, "high": None},
            "pairwise_accuracy": FIGURE,
            "ndcg": {"value": None, "low": None, "high": None},
        }
    },
    "calibration": {
        "fitted_on": "teacher",
        "pairs": 195,
        "queries": 15,
        "before": {"calibration_error": 0.0812, "log_loss": 1.3},
        "after": {"calibration_error": 0.0212, "log_loss": 1.1},
    },
}
PARITY = {
    "pairs": 195,
    "largest": 0.0871,
    "mean": 0.011,
    "flips": 0.0154,
    "kappa": 0.61,
    "loss": 0.002,
    "neighbours": 0.03,
}
EXPORT: dict[str, Any] = {
    "form": "ONNX int8",
    "precision": "int8",
    "megabytes": {"ONNX fp32": 91.2, "ONNX int8": 24.04},
    "parity": {"PyTorch": PARITY | {"largest": 0.0}, "ONNX int8": PARITY},
    "bounds": {"max_difference": 0.5, "max_flips": 0.05, "max_loss": 0.02},
    "versions": {"torch": "2.15.0"},
}
HOSTILE = (
    "x | y |\n\n# Buy\r\n<script>alert(1)</script> [a](http://evil.example) ![i](//e) `c` "
    "**b** &lt; www.evil.example \u202egnp\x07 {{ 7 * 7 }} {% raw %}"
)


def card(**changes: Any) -> Card:
    content = {"manifest": MANIFEST, "training": TRAINING, "export": EXPORT}
    content = copy.deepcopy({**content, **changes})
    return Card(fingerprint="ab" * 32, **content)


def test_every_figure_is_there_with_its_interval() -> None:
    text = card().text()
    for said in (
        "# handbook",
        "| base model | minilm |",
        "| learned from | gpt-4o |",
        "| precision | int8 |",
        "| size | 24.0 MB |",
        "| reads | 200 tokens of text at most, of the fields title, body |",
        f"| fingerprint | `{'ab' * 32}` |",
        "| licence | ours |",
        "1,200 pairs were given, 3 of them without a grade",
        "| training | 1,000 | 75 | 0 | 700 | 0 | 0 | 300 |",
        "| bm25 11-50 | 1,105 |",
        "Seed 7; 120 steps, stopped early.",
        "| epochs | 3 |",
        "| student against teacher | 195 | 15 | 0.512, 0.471 to 0.550 |",
        "| 0.250 |",
        "| - |",
        "temperature 1.250",
        "expected grade of 0.50, 1.25, 2.00.",
        "| before | 0.0812 | 1.3000 |",
        "| after, on the half not fitted on | 0.0212 | 1.1000 |",
        "| ONNX int8 | 24.0 | 0.0871 | 0.0110 | 1.54 % | 0.6100 | 0.0300 |",
        "Bounds in force: 0.5 grades, 5 % of grades, 0.02 of kappa.",
        "no person has graded any of these pairs",
        "- torch 2.15.0",
    ):
        assert said in text, said
    assert "{{" not in text
    assert "\n\n\n" not in text


def test_the_same_records_give_the_same_text_whatever_their_order() -> None:
    turned = {key: TRAINING[key] for key in reversed(TRAINING)}
    turned["settings"] = dict(reversed(TRAINING["settings"].items()))
    assert card(training=turned).text() == card().text()


def test_grades_by_people_are_mentioned() -> None:
    training = copy.deepcopy(TRAINING)
    training["data"]["labelers"]["person:ann"] = 5
    assert "mixed with people's grades" in card(training=training).text()


def test_what_was_not_recorded_is_said_not_to_be() -> None:
    text = card(training={}).text()
    assert text.count("Not recorded.") == 4
    assert "| base model | not recorded |" in text


@pytest.mark.parametrize("place", ["name", "license", "origin", "labeler", "base", "note"])
def test_no_value_brings_markup_of_its_own(place: str) -> None:
    manifest, training = copy.deepcopy(MANIFEST), copy.deepcopy(TRAINING)
    if place in ("name", "license"):
        manifest[place] = HOSTILE
    elif place == "origin":
        training["data"]["origins"] = {HOSTILE: 5}
    elif place == "labeler":
        training["data"]["labelers"] = {HOSTILE: 5}
    elif place == "base":
        training["settings"]["base"] = HOSTILE
    else:
        training["calibration"]["note"] = HOSTILE
    text = card(manifest=manifest, training=training).text()
    plain = card().text()
    # the line count and the cells of every table are those that they would be anyway
    lines, usual = text.splitlines(), plain.splitlines()
    if place not in ("origin",):
        assert len(lines) == len(usual)
    assert "<script" not in text.replace("\\<script", "")
    assert "](" not in text
    assert "http://" not in text
    assert "www.e" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "7 * 7" not in text  # the star is escaped
    assert "49" not in text.replace("0.49", "")
    assert [line for line in lines if line.startswith("# ")][1:] == []
    for line in lines:
        if "evil" in line and line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 3


def test_a_base_model_is_named_without_its_place_on_this_machine() -> None:
    training = copy.deepcopy(TRAINING)
    training["settings"]["base"] = "/home/ann/models/encoder"
    text = card(training=training).text()
    assert "| base model | encoder |" in text
    assert "ann" not in text
    training["settings"]["base"] = "owner/encoder"
    assert "| base model | owner/encoder |" in card(training=training).text()


def test_a_value_of_megabytes_takes_one_line() -> None:
    assert len(markdown("a\n" * 1_000_000)) == 300


def test_a_record_of_another_shape_is_named(complains: Complains) -> None:
    training = copy.deepcopy(TRAINING)
    training["calibration"]["before"] = "fine"
    with complains(
        ExportError,
        "not of the known form",
        code=5,
        where="training.json",
        remedy="relevance-eval train",
    ):
        card(training=training).text()
