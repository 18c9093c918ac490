"""A measure by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import ir_measures

from relevance_eval.errors import UsageError
from relevance_eval.evaluators.judgment import RELEVANT
from relevance_eval.evaluators.measures.discount import Gain

__all__ = ["Measure", "parse_measure"]

NAME = re.compile(
    r"(?P<kind>EnDCG|nDCG|sDCG|RBP|P|RR|ERR|AP|R|Judged)(?:@(?P<depth>[1-9]\d{0,3}))?"
)
NEEDS_DEPTH = {"EnDCG", "sDCG", "RBP", "P", "R", "ERR", "Judged"}


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of one ranked list.

    Attributes:
        kind: EnDCG, nDCG, sDCG, RBP, P, R, RR, AP, ERR or Judged.
        depth: ranks that count; None for all that were pulled.
        relevant: the lowest grade that is relevant, for P, R, RR and AP.
        gain: linear (as `trec_eval`) or exponential, for EnDCG, nDCG, sDCG and RBP.
        persistence: of RBP, how likely a user goes on to the next rank, above 0 and below 1.
    """

    kind: str
    depth: int | None
    relevant: int = RELEVANT
    gain: Gain = "linear"
    persistence: float = 0.8

    def __str__(self) -> str:
        return self.kind + (f"@{self.depth}" if self.depth else "")

    def ir_measure(self) -> Any:
        """The measure of `ir-measures` that computes this one."""
        relevant = f"(rel={self.relevant})" if self.kind in ("P", "R", "RR", "AP") else ""
        depth = f"@{self.depth}" if self.depth else ""
        return ir_measures.parse_measure(f"{self.kind}{relevant}{depth}")


def parse_measure(name: str, *, relevant: int = RELEVANT, gain: Gain = "linear") -> Measure:
    """`nDCG@10` as a Measure. Raises UsageError for a name that is not one."""
    match = NAME.fullmatch(name.strip())
    if not match or (match["kind"] in NEEDS_DEPTH and not match["depth"]):
        raise UsageError(
            f"{name!r} is not a measure",
            remedy="EnDCG@k, nDCG@k, sDCG@k, RBP@k, P@k, R@k, RR, RR@k, AP, ERR@k or Judged@k, "
            "say EnDCG@10",
        )
    kind, depth = match["kind"], match["depth"]
    if kind == "nDCG" and gain == "exponential":
        raise UsageError(
            "nDCG is trec_eval's, with linear gain",
            remedy="use EnDCG for exponential gain, or set gain = 'linear'",
        )
    return Measure(kind, int(depth) if depth else None, relevant, gain)
