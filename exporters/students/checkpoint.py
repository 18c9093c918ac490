"""A training as it stood at an evaluation, so that it can go on after it was stopped."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from relevance_eval.errors import StorageError, UsageError

__all__ = [
    "AGAIN",
    "NAMES",
    "Checkpoint",
    "begin_anew",
    "check_hashes",
    "forget_checkpoint",
    "read_checkpoint",
    "write_checkpoint",
]

NAME = "last.pt"
PARTIAL = f"{NAME}.partial"
NAMES = (NAME, PARTIAL)
"""Files that `write_checkpoint` makes."""
AGAIN = "say --restart to begin anew, or name another folder with --out"


@dataclass(frozen=True)
class Checkpoint:
    """All that the steps still to come depend on.

    Attributes:
        hashes: of what the training was given, by name: settings, data.
        step: batches learned from, over all epochs; the batches to come follow from it.
        weights: those that learn, by name.
        best: the weights of the best evaluation so far.
        random: states of the random number generators, by device.
        curve: the evaluations so far.
    """

    hashes: dict[str, str]
    step: int
    weights: dict[str, Any]
    best: dict[str, Any]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]
    random: dict[str, Any]
    curve: list[dict[str, Any]]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the one before as a whole. Raises StorageError."""
    path = folder / NAME
    partial = folder / PARTIAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(vars(checkpoint), partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # PyTorch's writer raises the latter on a full disk
        raise StorageError(
            f"the checkpoint cannot be written: {str(error).splitlines()[0]}",
            where=str(path),
            remedy="free some space; training goes on from the checkpoint before",
        ) from None


def read_checkpoint(folder: Path, hashes: dict[str, str]) -> Checkpoint | None:
    """The last checkpoint, or None if there is none.

    Raises UsageError: it is broken, or of other settings or data.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # pickle, zip and PyTorch's own errors share no base
        raise UsageError(
            f"the checkpoint cannot be read: {str(error).splitlines()[0][:200]}",
            where=str(path),
            remedy=AGAIN,
        ) from None
    check_hashes(found.hashes, hashes, path)
    return found


def begin_anew(folder: Path) -> None:
    """Leaves a checkpoint that is only begun, by which a training's folder is still known.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PARTIAL).write_bytes(b"")
    (folder / NAME).unlink(missing_ok=True)


def forget_checkpoint(folder: Path) -> None:
    """What else is in the folder is none of ours, and stays. Raises OSError."""
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def check_hashes(found: dict[str, str], hashes: dict[str, str], path: Path) -> None:
    """Raises UsageError if a training was given something else."""
    other = [name for name in hashes if found.get(name) != hashes[name]]
    if other:
        raise UsageError(
            f"a training of other {' and '.join(other)} has been here",
            where=str(path),
            remedy=AGAIN,
        )
