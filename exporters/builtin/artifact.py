"""Writing the labeler's folder: labeler.json, tokenizer.json and the model card."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.evaluation import Row
from relevance_eval.exporters.builtin.parity import SchemeCost
from relevance_eval.exporters.builtin.rendering import FIELDS, MAX_TOKENS, Renderer

__all__ = [
    "NAME",
    "cost_table",
    "figure_table",
    "gain_table",
    "head_table",
    "write_card",
    "write_manifest",
    "write_tokenizer",
]

NAME = "builtin-minilm-1"
COMMAND = "python -m relevance_eval.exporters.builtin --data ../shared/data --out fixtures/labeler"
_TEMPLATE = Path(__file__).parent / "card.md"


def write_manifest(folder: Path, head: OrdinalHead, cuts: Sequence[float], seed: int) -> None:
    """Write labeler.json."""
    manifest = {
        "schema": "relevance-eval/labeler/1",
        "architecture": "bi-encoder",
        "name": NAME,
        "grades": [0, 1, 2, 3],
        "max_tokens": dict(MAX_TOKENS),
        "fields": [list(field) for field in FIELDS],
        "output": "last_hidden_state",
        "pooling": "mean",
        "head": head.to_json(),
        "cuts": list(cuts),
        "made_by": f"{COMMAND} --seed {seed}",
        "license": "encoder: Apache-2.0; head fitted on MS MARCO passages: non-commercial research",
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / "labeler.json").write_text(text, encoding="utf-8")


def write_tokenizer(folder: Path, renderer: Renderer) -> None:
    """Write tokenizer.json; the renderer has taken padding and truncation out of it."""
    renderer.tokenizer.save(str(folder / "tokenizer.json"))


def figure_table(rows: Sequence[Row], figures: Sequence[str]) -> str:
    """A Markdown table: a labeler a row, a figure a column, a dash where it has none."""
    lines = ["| labeler | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for row in rows:
        cells = [str(row.figures[key]) if key in row.figures else "-" for key in figures]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def gain_table(rows: Sequence[Row], figures: Sequence[str]) -> str:
    """As figure_table, of the paired differences to the first row."""
    lines = ["| labeler | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for row in rows[1:]:
        if row.against:
            cells = [str(row.against[key]) for key in figures]
            lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def head_table(head: OrdinalHead) -> str:
    """A Markdown table of the head's numbers."""
    lines = ["| feature | center | scale | weight |", "|---|---|---|---|"]
    rows = zip(head.features, head.center, head.scale, head.weights, strict=True)
    lines += [f"| `{name}` | {c:.3f} | {s:.3f} | {w:.3f} |" for name, c, s, w in rows]
    cuts = ", ".join(f"{cut:.3f}" for cut in head.thresholds)
    return "\n".join([*lines, "", f"Cut points t: {cuts}."])


def cost_table(costs: Mapping[str, SchemeCost], kappas: Mapping[str, float]) -> str:
    """A Markdown table of what each way of storing the model costs."""
    lines = [
        "| stored as | MB | texts/s | largest change | mean change | flipped grades "
        "| quadratic kappa | neighbours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, cost in costs.items():
        lines.append(
            f"| {name} | {cost.megabytes:.1f} | {cost.texts_per_second:.0f} "
            f"| {cost.largest:.4f} | {cost.mean:.5f} | {100 * cost.flips:.2f} % "
            f"| {kappas[name]:.4f} | {cost.neighbours:.5f} |"
        )
    return "\n".join(lines)


def write_card(folder: Path, values: Mapping[str, str]) -> None:
    """Fill card.md's {names} in and write README.md. Raises KeyError for one not given."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    (folder / "README.md").write_text(text.format_map(dict(values)), encoding="utf-8")
