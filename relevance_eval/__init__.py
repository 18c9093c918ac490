"""Is ranker B better than ranker A, how sure are we, and what did it cost to know?

The same in Python as on the command line:

    project = open_project(Path("relevance-eval.toml"))
    evaluation = evaluate(
        project, ["bm25", "hybrid"], project.queries(), project.plan(), labeler=project.labeler()
    )
    evaluation.comparison.contrasts[0].verdict
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance_eval.evaluation import Evaluation, evaluate
    from relevance_eval.project import Project, open_project

__all__ = ["Evaluation", "Project", "__version__", "evaluate", "open_project"]

__version__ = "0.1.0"

HOMES = {
    "Evaluation": "relevance_eval.evaluation",
    "Project": "relevance_eval.project",
    "evaluate": "relevance_eval.evaluation",
    "open_project": "relevance_eval.project",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used, so that importing the package stays cheap."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
