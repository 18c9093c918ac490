"""An encoder that reads query and document together, with four logits on top."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.exporters.students.adapters import bare
from relevance_eval.exporters.students.base import loading

__all__ = ["Encoder"]


class Encoder(torch.nn.Module):
    """Any encoder of `transformers` with a classification head of four outputs."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    @classmethod
    def read(cls, folder: Path) -> Encoder:
        """A head of another size (a reranker's one logit) is made anew. Raises LabelerError."""
        with loading(folder):
            model = AutoModelForSequenceClassification.from_pretrained(
                str(folder), num_labels=len(GRADES), ignore_mismatched_sizes=True
            )
        return cls(model.float())

    @property
    def has_segments(self) -> bool:
        """Whether the model tells the first text from the second by segment numbers."""
        return (getattr(bare(self.model).config, "type_vocab_size", 0) or 0) > 1

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits, shape [batch, 4], from ids, mask and segments of shape [batch, tokens]."""
        given = {"token_type_ids": token_type_ids} if self.has_segments else {}
        model = bare(self.model)
        return model(input_ids=input_ids, attention_mask=attention_mask, **given).logits

    def write(self, folder: Path) -> None:
        self.model.save_pretrained(str(folder), safe_serialization=True)
