"""Models of a hub, `owner/name[@revision]`, which its own client downloads and keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relevance_eval.errors import LabelerError

__all__ = ["download", "on_hub"]

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


def on_hub(name: str) -> bool:
    """Whether it could be the name of a hub's model."""
    return HUB_ID.fullmatch(name) is not None


def download(name: str, patterns: Sequence[str], *, remedy: str) -> Path:
    """The folder where the hub's client keeps the files that match.

    Args:
        name: `owner/name` or `owner/name@revision`.
        remedy: what to do where the hub has no such model.

    Raises:
        LabelerError: the hub cannot be reached, or does not give the model.
    """
    import huggingface_hub

    hub: Any = huggingface_hub
    repository, _, revision = name.partition("@")
    try:
        found = hub.snapshot_download(
            repository, revision=revision or None, allow_patterns=list(patterns)
        )
    except Exception as error:  # network, hub and cache errors share no base
        raise LabelerError(
            f"there is no folder {name!r}, and the hub does not give a model of this name: "
            f"{str(error).splitlines()[0]}",
            remedy=remedy,
        ) from None
    return Path(found)
