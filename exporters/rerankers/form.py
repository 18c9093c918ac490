"""A reranker whose graph is stored in another form: smaller, and faster."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from relevance_eval.errors import DependencyError, ExportError, RelevanceEvalError
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.rerankers.reranker import Reranker
from relevance_eval.exporters.settings import Precision

__all__ = ["in_form"]


@contextmanager
def in_form(
    reranker: Reranker, precision: Precision | None, pairs: Sequence[Pair]
) -> Generator[Reranker]:
    """The reranker with its graph in this precision, as long as the context lasts; itself for None.

    The calibration is then fitted to the scores of the very graph that will label, and measured on
    them: what rounding costs is in the figures.

    Args:
        pairs: some of which `int8-static` takes its ranges from.

    Raises:
        DependencyError: the extra `train` is not installed.
        ExportError: the graph has no such form.
    """
    if precision is None:
        yield reranker
        return
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        write(reranker, precision, pairs, model)
        yield replace(reranker, files=replace(reranker.files, model=model))


def write(reranker: Reranker, precision: Precision, pairs: Sequence[Pair], target: Path) -> None:
    try:
        from relevance_eval.exporters.onnx import reason
        from relevance_eval.exporters.quantize import FORMS, RANGED, static
    except ImportError:
        raise DependencyError.for_extra("train", f"precision {precision}") from None

    try:
        if precision == "int8-static":
            some = pairs[:: max(1, len(pairs) // RANGED)][:RANGED]
            static(read_by(reranker.scorer(), some))(reranker.files.model, target)
        else:
            FORMS[precision](reranker.files.model, target)
    except (RelevanceEvalError, OSError):
        raise
    except Exception as error:  # the libraries' exceptions share no base
        raise ExportError(
            f"its graph has no form {precision}: {reason(error)}",
            where=reranker.files.name,
            remedy="leave out --precision",
        ) from error


def read_by(scorer: BiEncoder | CrossEncoder, pairs: Sequence[Pair]) -> list[Input]:
    """What the model reads of these pairs; of what it cannot read, nothing."""
    if isinstance(scorer, CrossEncoder):
        found = [scorer.frame.input(pair) for pair in pairs]
        return [item for item in found if isinstance(item, Input)]
    both = [ids for p in pairs for ids in (scorer.query(p.query.text), scorer.document(p))]
    return [scorer.input(ids) for ids in both if ids]
