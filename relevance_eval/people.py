"""People as the labeler: what is not graded yet is put on a sheet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from relevance_eval.errors import LabelerError, storage_error
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.sheet import row_of, write_sheet

__all__ = ["People"]


class People:
    """Grades that people have given already, and a sheet for those that are asked for next.

    With `labels = "decisive"` each sheet holds the pairs that can move the verdict most.

    Args:
        sheets: the folder of sheets.
    """

    name = "people"
    fingerprint = "people"

    def __init__(self, sheets: Path):
        self.sheets = sheets

    def label(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Judgment]]:
        """Raises LabelerError, with the sheet, if there are any: nobody has graded them."""
        if not pairs:
            return iter(())
        path = self.sheets / f"sheet-{named(pairs)}.csv"
        try:
            self.sheets.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, self.sheets) from error
        if not path.exists():  # it may be filled in by half
            ordered = sorted(pairs, key=lambda p: p.query.id)
            write_sheet(path, (row_of(p.query, p.document.id, p.document) for p in ordered))
        raise LabelerError(
            f"{len(pairs):,} pairs wait for a person's grades",
            where=str(path),
            remedy=f"fill it in, then: relevance-eval audit read {path} --out grades.txt, and the "
            "same command again with --qrels grades.txt",
        )


def named(pairs: Sequence[Pair]) -> str:
    """The same for the same pairs."""
    ids = sorted((p.query.id, p.document.id, p.document.content_hash) for p in pairs)
    return hashlib.sha256(repr(ids).encode("utf-8", "surrogatepass")).hexdigest()[:8]
