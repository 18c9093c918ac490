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

from relevance_eval.errors import LabelerError
from relevance_eval.exporters.students.adapters import bare
from relevance_eval.exporters.students.base import loading

__all__ = ["Decoder", "Past"]

Past = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of the tokens before, of each layer, float [1, heads, past, width]."""


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
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                str(folder), output_loading_info=True, **options
            )
            model, told = loaded
            if told["missing_keys"]:  # they would be random: an encoder's, for instance
                raise LabelerError(
                    "this is no causal language model: it has no head that predicts tokens",
                    where=str(base),
                    remedy="name one of these as the base, or train the kind encoder",
                )
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
        states = bare(self.model).base_model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        )
        return self.grades(states.last_hidden_state, attention_mask)

    def continued(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, past: Past
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Logits [batch, 4] of texts that all begin with the same tokens, which were read before.

        Padding stands on the right, where no token before it looks: its mask only tells which
        token is the last one.

        Args:
            input_ids, attention_mask: int64 [batch, tokens], of what follows the common beginning.
            past: of the common beginning; empty if there is none.

        Returns:
            The logits, and keys and values of the first text, beginning included.
        """
        cache = Beginning(past)
        start, tokens = cache.get_seq_length(), input_ids.shape[1]
        places = torch.arange(start, start + tokens, device=input_ids.device)
        earlier = torch.arange(start + tokens, device=input_ids.device)
        hidden = (earlier[None, :] > places[:, None])[None, None]
        lowest = torch.finfo(self.model.dtype).min
        states = bare(self.model).base_model(
            input_ids=input_ids,
            attention_mask=torch.zeros_like(hidden, dtype=self.model.dtype).masked_fill(
                hidden, lowest
            ),
            position_ids=places[None],
            cache_position=places,
            past_key_values=cache,
        )
        logits = self.grades(states.last_hidden_state, attention_mask)
        return logits, [cache.found[layer] for layer in sorted(cache.found)]

    def grades(self, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits [batch, 4] of the grade tokens, from the state of each row's last token."""
        last = attention_mask.sum(dim=1) - 1
        state = states[torch.arange(states.shape[0], device=states.device), last]
        head = bare(self.model).get_output_embeddings()
        bias = None if head.bias is None else head.bias[self.grade_ids]
        return torch.nn.functional.linear(state, head.weight[self.grade_ids], bias)

    def write(self, folder: Path) -> None:
        self.model.save_pretrained(str(folder), safe_serialization=True)


class Beginning:
    """What a layer's attention asks of a cache: to put keys and values of the beginning first.

    The library's own caches have as many rows as the batch. Here one row serves all of them.
    """

    def __init__(self, past: Past):
        self.past = past
        self.found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.past[layer_idx][0].shape[2] if self.past else 0

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, cache_kwargs: Any = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Both with the beginning's before them, float [batch, heads, past + tokens, width]."""
        if self.past:
            before = [p.expand(keys.shape[0], -1, -1, -1) for p in self.past[layer_idx]]
            keys = torch.cat([before[0], keys], dim=2)
            values = torch.cat([before[1], values], dim=2)
        self.found[layer_idx] = keys[:1], values[:1]
        return keys, values
