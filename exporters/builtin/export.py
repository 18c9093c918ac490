"""From the trained encoder to an ONNX file that is small and the same on every machine."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optimum.exporters.onnx import main_export
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.exporters.onnx import OPSET
from relevance_eval.exporters.quantize import Form, blockwise, dynamic, weights_only

__all__ = ["SCHEMES", "export_float"]


def export_float(model: BertModel, base: Path, target: Path) -> Path:
    """Write the float32 graph `target`/model.onnx; its output is last_hidden_state."""
    weights = target / "torch"
    model.save_pretrained(str(weights))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        (weights / name).write_bytes((base / name).read_bytes())
    main_export(
        str(weights),
        target,
        task="feature-extraction",
        opset=OPSET,
        library_name="transformers",
        do_validation=False,
    )
    return target / "model.onnx"


SCHEMES: Mapping[str, Form] = {
    "weights only": weights_only,
    "dynamic": dynamic,
    "blockwise 32": blockwise(8, 32, 4),
    "blockwise 128": blockwise(8, 128, 4),
    "blockwise 128, float": blockwise(8, 128, 1),
}
"""The ways of making the file small that were compared; each reads and writes a path."""
