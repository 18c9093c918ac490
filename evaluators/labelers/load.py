"""From what the configuration says to a labeler: `builtin`, a folder, or a model of a hub."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.decoder import Decoder
from relevance_eval.evaluators.labelers.hub import download, on_hub
from relevance_eval.evaluators.labelers.manifest import FILES, WEIGHTS, open_folder
from relevance_eval.evaluators.labelling import Labeler

__all__ = ["load_labeler"]

KINDS = {"bi-encoder": BiEncoder, "cross-encoder": CrossEncoder, "decoder": Decoder}


def load_labeler(
    name: str, *, base: Path | None = None, threads: int = 0, exact: bool = False
) -> Labeler:
    """A labeler, ready to grade.

    Args:
        name: `builtin`; a folder, absolute or relative to `base`; or `owner/name[@revision]` of a
            model hub, which is downloaded once.
        base: folder that the path begins in; the working one if None.
        threads: processor threads; 0 for one a core.
        exact: not by OpenVINO, also where that is faster: the same fingerprint on every machine.

    Raises:
        LabelerError: there is no such labeler, or its files do not fit together.
    """
    path = folder_of(name, base or Path())
    folder = open_folder(path)
    return KINDS[folder.manifest.architecture](folder, threads, exact)


def folder_of(name: str, base: Path) -> Path:
    if name == "builtin":
        return Path(str(resources.files("relevance_eval.builtin_labeler")))
    path = base / Path(name).expanduser()
    if path.is_dir():
        return path
    if on_hub(name):
        remedy = f"looked for {path} first; check the name and the network, or use 'builtin'"
        return download(name, [*FILES, WEIGHTS], remedy=remedy)
    raise LabelerError(
        f"there is no labeler {name!r}, and no folder {path}",
        remedy="use 'builtin', a folder, owner/name of a model hub, endpoint:NAME or people",
    )
