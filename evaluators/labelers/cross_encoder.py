"""Grades from a model that reads query and document together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.evaluators.labelers.framing import PairFrame
from relevance_eval.evaluators.labelers.manifest import LabelerFolder
from relevance_eval.evaluators.labelers.session import Input, Session
from relevance_eval.evaluators.pair import Pair

__all__ = ["CrossEncoder"]

AT_ONCE = 4096
"""Pairs whose token ids are in memory together: first labels come, and are stored, early."""


class CrossEncoder:
    """An encoder or decoder in ONNX that classifies pairs; implements the Labeler protocol.

    With four logits, probabilities are their softmax after division by the temperature. With one
    (any reranker), the manifest's ordinal head over the feature `score` makes them.

    Args:
        exact: not by OpenVINO, also where that is faster.

    Raises LabelerError if the files do not fit together.
    """

    def __init__(self, folder: LabelerFolder, threads: int = 0, exact: bool = False):
        self.name = folder.manifest.name
        self.cuts = folder.manifest.cuts
        self.manifest = folder.manifest
        self.head = folder.manifest.ordinal_head() if folder.manifest.head else None
        self.frame = PairFrame(folder.path / "tokenizer.json", folder.manifest)
        self.session = Session(folder.model, folder.manifest.output, threads, exact)
        self.arithmetic = self.session.arithmetic
        self.fingerprint = folder.fingerprint_in(self.arithmetic)

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        for i, found in self.features(pairs):
            if isinstance(found, str):
                yield i, Judgment.refused(self.fingerprint, found)
            else:
                yield i, self.judgment(self.probabilities(found[np.newaxis])[0])

    def features(
        self, pairs: Sequence[Pair]
    ) -> Iterator[tuple[int, npt.NDArray[np.float64] | str]]:
        """Yields (position, what a head over `score` sees: the logits, float64 [width]; or why the
        pair cannot be read), in any order among some thousand pairs that are read at once."""
        for start in range(0, len(pairs), AT_ONCE):
            part = range(start, min(start + AT_ONCE, len(pairs)))
            yield from self.outputs([(i, pairs[i]) for i in part])

    def outputs(
        self, pairs: Sequence[tuple[int, Pair]]
    ) -> Iterator[tuple[int, npt.NDArray[np.float64] | str]]:
        """As `features`, of numbered pairs."""
        filled: list[int] = []
        inputs: list[Input] = []
        for i, pair in pairs:
            item = self.frame.input(pair)
            if isinstance(item, str):
                yield i, item
            else:
                filled.append(i)
                inputs.append(item)
        for batch, logits in self.session.outputs(inputs):
            wide = logits.astype(np.float64).reshape(len(logits), -1)
            yield from ((filled[i], row) for i, row in zip(batch, wide, strict=True))

    def probabilities(self, wide: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Shape [batch, 4], each row summing to 1, from logits [batch, 4] or [batch, 1]."""
        if self.head and wide.shape[1] == 1:
            # An infinite score would be graded as surely as a number could be: that pair fails too.
            return np.where(np.isfinite(wide), self.head.probabilities(wide), np.nan)
        if wide.shape[1] != len(GRADES):
            raise LabelerError(
                f"{wide.shape[1]} logits where {len(GRADES)} are needed",
                where=self.name,
                remedy="a model with one score needs an ordinal 'head' in labeler.json",
            )
        scaled = wide / self.manifest.temperature
        with np.errstate(invalid="ignore"):  # an infinite logit makes NaN: that pair fails
            powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)

    def judgment(self, probabilities: npt.NDArray[np.float64]) -> Judgment:
        if not np.isfinite(probabilities).all():
            return Judgment.failed(self.fingerprint, "the model's answer is not a number")
        return Judgment.with_cuts(self.fingerprint, probabilities.tolist(), self.cuts)
