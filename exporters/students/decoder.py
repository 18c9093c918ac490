"""A causal language model that grades by the probabilities of its grade tokens."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from relevance_eval.exporters.students.adapters import bare
from relevance_eval.exporters.students.base import loading

__all__ = ["Decoder"]


class Decoder(torch.nn.Module):
    """Any causal model of `transformers`; `grade_ids` are the tokens of grade 0, 1, 2, 3."""

    def __init__(self, model: Any, grade_ids: Sequence[int]):
        super().__init__()
        self.model = model
        self.register_buffer("grade_ids", torch.tensor(list(grade_ids)), persistent=False)

    @classmethod
    def read(cls, base: Path, grade_ids: Sequence[int]) -> Decoder:
        """From a folder or a .gguf file. Raises LabelerError."""
        with loading(base):
            if base.is_file():
                folder, options = base.parent, {"gguf_file": base.name}
            else:
                folder, options = base, {}
            model = AutoModelForCausalLM.from_pretrained(str(folder), **options)
        return cls(model.float(), grade_ids)

    has_segments = False

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits of the grade tokens after the last token, shape [batch, 4].

        Padding stands on the right. Of the vocabulary's matrix only four rows are multiplied, and
        no cache of keys and values is kept.
        """
        model = bare(self.model)
        states = model.base_model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        last = attention_mask.sum(dim=1) - 1
        state = states[torch.arange(states.shape[0], device=states.device), last]
        head = model.get_output_embeddings()
        bias = None if head.bias is None else head.bias[self.grade_ids]
        return torch.nn.functional.linear(state, head.weight[self.grade_ids], bias)

    def write(self, folder: Path) -> None:
        self.model.save_pretrained(str(folder), safe_serialization=True)
