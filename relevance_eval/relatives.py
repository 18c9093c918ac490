"""Which rankers are built on the labeler's own model: then its grades are no second opinion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relevance_eval.people import People
from relevance_eval.project import ENDPOINT, Project

if TYPE_CHECKING:
    from relevance_eval.evaluators.circularity import Kinship, ModelPrint

__all__ = ["relatives"]

BUILTIN = "builtin"
BUILTIN_BASE = "sentence-transformers/all-MiniLM-L6-v2"
MAVEN = "maven:"


def relatives(project: Project, names: Sequence[str], labeler: str | None) -> list[Kinship]:
    """The rankers whose embedder is a relative of the labeler's model, in the order given.

    Nothing is known of run files, of templates that the server stores, of models that run on the
    server, of labelers behind an endpoint, and of people.

    Args:
        names: rankers as they were asked for: configured names or run files.
        labeler: as on the command line; the configuration's if None.

    Raises:
        LabelerError: there is no such labeler.
        InputError: a model that is no ONNX model.
    """
    from relevance_eval.evaluators.circularity import kindred, print_model

    wanted = labeler or project.config.labeler
    used = list(embedders(project, names))
    if not used or wanted == People.name or wanted.startswith(ENDPOINT):
        return []
    own = labeler_print(wanted, Path.cwd() if labeler else project.base)
    found: dict[str, Kinship] = {}
    for ranker, embedder in used:
        model = embedder_model(project, embedder)
        if not model.is_file():  # the ranker cannot be asked, which is told when it is
            continue
        base = project.config.embedders[embedder].base
        for kinship in kindred(own, {ranker: print_model(model, base)}):
            found.setdefault(ranker, kinship)
    return list(found.values())


def embedders(project: Project, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(ranker, embedder), of all parts of a fused ranker."""
    for name in names:
        settings = project.config.rankers.get(name)
        if settings is None:
            continue
        for part in settings.fuse or [name]:
            embedder = project.ranker_config(part).embedder
            if embedder in project.config.embedders:
                yield name, embedder


def labeler_print(name: str, base: Path) -> ModelPrint:
    from relevance_eval.evaluators.circularity import print_model
    from relevance_eval.evaluators.labelers.load import folder_of
    from relevance_eval.evaluators.labelers.manifest import read_manifest

    folder = folder_of(name, base)
    made_from = read_manifest(folder / "labeler.json").base
    if name == BUILTIN:  # said here and not in its file, whose hash is the labeler's fingerprint
        made_from = made_from or BUILTIN_BASE
    return print_model(folder / "model.onnx", made_from)


def embedder_model(project: Project, name: str) -> Path:
    """Where the embedder's ONNX file is; one from Maven is downloaded the first time."""
    from relevance_eval.plugin.embedders import unpacked

    model = project.config.embedders[name].model
    if model.startswith(MAVEN):
        folder = unpacked(model.removeprefix(MAVEN))
    else:
        folder = project.base / Path(model).expanduser()
    return folder / "model.onnx"
