"""Mining with what a configuration describes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from relevance_eval.evaluators.query import Query
from relevance_eval.plugin.guard import Guard
from relevance_eval.plugin.mine import Mining, mine
from relevance_eval.plugin.positives import Positives
from relevance_eval.plugin.rankers import Target
from relevance_eval.plugin.settings import MineSettings
from relevance_eval.project import Project, Task

__all__ = ["mine_project"]


def mine_project(
    project: Project,
    queries: Sequence[Query],
    positives: Positives,
    task: Task,
    *,
    settings: MineSettings | None = None,
    seed: int | None = None,
) -> Mining:
    """Mines the project's index with its rankers, embedders, load, guard and store.

    Args:
        positives: as `known_positives` finds them.
        settings, seed: in place of [training.mine] and of [training] seed.

    Raises:
        UsageError: a ranker is not configured.
        LabelerError: the guard cannot be loaded.
        What `mine` raises.
    """
    chosen = settings or project.config.training.mine
    rankers = [project.ranker(name) for name in chosen.rankers]
    labeler = project.configured_labeler(chosen.guard) if chosen.guard else None
    with (
        project.store() if labeler else nullcontext() as store,
        project.session(task) as client,
        task("mining") as progress,
    ):
        return mine(
            client,
            queries,
            positives,
            chosen,
            target=Target(project.config.elasticsearch.index),
            rankers=rankers,
            fields=project.config.documents,
            load=project.load,
            embedders=project.embedders(rankers),
            guard=Guard(labeler, store) if labeler and store else None,
            seed=project.config.training.seed if seed is None else seed,
            progress=progress,
        )
