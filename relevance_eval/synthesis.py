"""Synthesizing with what a configuration describes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from relevance_eval.exporters.settings import SynthesizeSettings
from relevance_eval.exporters.synthesize import Foresight, Synthesis, foresee, synthesize
from relevance_eval.project import Project, Task

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from relevance_eval.exporters.endpoints.endpoint import Chat

__all__ = ["foresee_project", "synthesize_project"]


def synthesize_project(
    project: Project,
    task: Task,
    *,
    out: Path | None = None,
    settings: SynthesizeSettings | None = None,
    seed: int | None = None,
) -> Synthesis:
    """Writes queries about the project's index, by its endpoint if the settings name one.

    Args:
        out: in place of `queries.jsonl` in the training folder.
        settings, seed: in place of [training.synthesize] and of [training] seed.

    Raises:
        UsageError: the endpoint is not configured.
        ConfigError: the variable that is to hold its key is not set.
        DependencyError: the client of endpoints is not installed.
        What `synthesize` raises.
    """
    chosen = settings or project.config.training.synthesize
    with (
        chat_of(project, chosen) as chat,
        project.session(task) as client,
        task("writing queries") as progress,
    ):
        return synthesize(
            client,
            project.config.elasticsearch.index,
            chosen,
            fields=project.config.documents,
            out=out or project.training / "queries.jsonl",
            seed=project.config.training.seed if seed is None else seed,
            chat=chat,
            load=project.load,
            progress=progress,
        )


def chat_of(project: Project, settings: SynthesizeSettings) -> AbstractContextManager[Chat | None]:
    """Opened before the index is looked at: a key that is missing costs no time."""
    if settings.endpoint is None:
        return nullcontext()
    endpoint = project.endpoint(settings.endpoint)
    from relevance_eval.exporters.endpoints.endpoint import Chat

    return Chat(endpoint, where=f"[endpoints.{settings.endpoint}]")


def foresee_project(
    project: Project,
    task: Task,
    name: str,
    *,
    out: Path | None = None,
    settings: SynthesizeSettings | None = None,
    seed: int | None = None,
) -> Foresight:
    """What the endpoint of this name would be asked; needs no key. Raises as
    `synthesize_project`."""
    endpoint = project.endpoint(name)
    with project.session(task) as client:
        return foresee(
            client,
            project.config.elasticsearch.index,
            settings or project.config.training.synthesize,
            fields=project.config.documents,
            out=out or project.training / "queries.jsonl",
            seed=project.config.training.seed if seed is None else seed,
            endpoint=endpoint,
            load=project.load,
        )
