"""A labeler's word against candidates that answer the query after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelling import Labeler, label
from relevance_eval.evaluators.pair import Pair
from relevance_eval.plugin.mining_report import Drop, GuardReport

__all__ = ["Guard"]


@dataclass(frozen=True)
class Guard:
    """A labeler whose judgments are stored as they come, and bought once.

    People's grades in the store stand before the labeler's.
    """

    labeler: Labeler
    store: Judgments

    def objections(
        self, pairs: Sequence[Pair], grade: float, report: GuardReport
    ) -> list[Drop | None]:
        """What the labeler has against each pair; its labels are counted in `report`.

        Args:
            grade: expected grade from which a document is no negative.

        Raises:
            StorageError: the store cannot be written.
        """
        labelling = label(pairs, self.labeler, self.store)
        report.add(labelling)
        return [objection(labelling.judgments[pair.key], grade) for pair in pairs]


def objection(judgment: Judgment, grade: float) -> Drop | None:
    if not judgment.graded:
        return Drop.UNGUARDED
    return Drop.GUARD if judgment.expected >= grade else None
