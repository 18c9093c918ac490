"""A reranker whose graph is stored in another form: smaller, and faster."""

# ONNX is optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from relevance_eval.errors import DependencyError, ExportError, LabelerError, RelevanceEvalError
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.rerankers.files import Files
from relevance_eval.exporters.rerankers.reranker import Reranker
from relevance_eval.exporters.settings import Precision

__all__ = ["in_form"]


@contextmanager
def in_form(
    reranker: Reranker, precision: Precision | None, pairs: Sequence[Pair]
) -> Generator[Reranker]:
    """The reranker with its graph in this precision, as long as the context lasts; itself for None.

    The calibration is then fitted to the scores of the graph that will label, and what rounding
    costs is in its figures.

    Args:
        pairs: 64 of them give `int8-static` its ranges, which asks for no grade. They are chosen by
            what they are, so that a few more pairs change few of them. Yet ranges that change make
            another graph, and all its scores are computed anew.

    Raises:
        DependencyError: the extra `train` is not installed.
        ExportError: the graph has no such form.
        LabelerError: the model can read none of the pairs.
    """
    if precision is None:
        yield reranker
        return
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        write(reranker, precision, pairs, model)
        yield replace(reranker, files=replace(reranker.files, model=model))


def write(reranker: Reranker, precision: Precision, pairs: Sequence[Pair], target: Path) -> None:
    """The graph in this precision. Raises as `in_form`."""
    try:
        from relevance_eval.exporters.onnx import reason
        from relevance_eval.exporters.quantize import FORMS, static
    except ImportError:
        raise DependencyError.for_extra("train", f"precision {precision}") from None

    source = plain_graph(reranker.files, target.with_name("whole"))
    try:
        form = FORMS[precision] if precision != "int8-static" else static(ranged(reranker, pairs))
        form(source, target)
    except ExportError as error:
        raise ExportError(
            error.message, where=reranker.files.name, remedy=error.remedy or "leave out --precision"
        ) from error
    except (RelevanceEvalError, OSError):
        raise
    except Exception as error:  # the libraries' exceptions share no base
        raise ExportError(
            f"its graph has no form {precision}: {reason(error)}",
            where=reranker.files.name,
            remedy="leave out --precision",
        ) from error


def plain_graph(files: Files, folder: Path) -> Path:
    """Where the graph is that is to be rounded: a copy in `folder` if weights lie beside it, for a
    hub has links to them, which `onnx` does not follow.

    Raises ExportError if it is rounded already.
    """
    import onnx

    types = onnx.TensorProto
    graph = onnx.load(str(files.model), load_external_data=False).graph
    whole = {types.FLOAT, types.DOUBLE, types.INT64, types.INT32, types.BOOL}
    rounded = {tensor.data_type for tensor in graph.initializer} - whole
    if rounded:
        kinds = ", ".join(sorted(types.DataType.Name(kind).lower() for kind in rounded))
        raise ExportError(
            f"its weights are rounded already: {kinds}",
            where=str(files.model),
            remedy="leave out --precision, or name the model in float32",
        )
    if not files.weights.exists():
        return files.model
    folder.mkdir()
    for path in (files.model, files.weights):
        shutil.copyfile(path, folder / path.name)
    return folder / files.model.name


def ranged(reranker: Reranker, pairs: Sequence[Pair]) -> list[Input]:
    """What the model reads of the pairs that give ranges. Raises LabelerError if it is nothing."""
    from relevance_eval.exporters.quantize import RANGED

    found = read_by(reranker.scorer(), sorted(pairs, key=drawn)[:RANGED])
    if not found:
        raise LabelerError(
            "the model can read none of the pairs",
            where=reranker.files.name,
            remedy="check that --field names fields of the documents",
        )
    return found


def drawn(pair: Pair) -> bytes:
    """A pair's place in an order that hangs on nothing but the pairs."""
    return hashlib.sha256(repr(pair.key).encode()).digest()


def read_by(scorer: BiEncoder | CrossEncoder, pairs: Sequence[Pair]) -> list[Input]:
    """What the model reads of these pairs; of what it cannot read, nothing."""
    if isinstance(scorer, CrossEncoder):
        found = [scorer.frame.input(pair) for pair in pairs]
        return [item for item in found if isinstance(item, Input)]
    both = [ids for p in pairs for ids in (scorer.query(p.query.text), scorer.document(p))]
    return [scorer.input(ids) for ids in both if ids]
