"""Low-rank adapters: few weights that learn in place of all (LoRA, Hu et al. 2021)."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from typing import Any

from relevance_eval.errors import DependencyError

__all__ = ["adapted", "bare", "merged"]

DROPOUT = 0.05


def adapted(module: Any, rank: int) -> None:
    """Puts adapters beside every linear layer of `module.model`, and freezes the rest.

    An encoder's head is new and learns in full. Raises DependencyError without `peft`.
    """
    try:
        import peft
    except ImportError:
        raise DependencyError.for_extra("train", "training with adapters") from None
    heads = [n for n in ("classifier", "score") if hasattr(module.model, n)]
    settings = peft.LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=DROPOUT,
        target_modules="all-linear",
        modules_to_save=heads or None,
        task_type="SEQ_CLS" if heads else "CAUSAL_LM",
    )
    module.model = peft.get_peft_model(module.model, settings)


def bare(model: Any) -> Any:
    """The model itself, whose layers hold the adapters if there are any."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def merged(module: Any) -> None:
    """Adds the adapters to the weights they stand beside; nothing happens where there are none."""
    if hasattr(module.model, "merge_and_unload"):
        module.model = module.model.merge_and_unload()
