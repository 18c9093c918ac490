"""The README.md of a calibrated model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.exporters.model_card import KINDS, interval, number, rendered

__all__ = ["CalibratedCard"]

TEMPLATE = "calibrated.md.j2"
MEASURES = (
    "quadratic_kappa",
    "kappa",
    "relevant_kappa",
    "pairwise_accuracy",
    "ndcg",
    "calibration_error",
)


@dataclass(frozen=True)
class CalibratedCard:
    """What a card tells, all of it as JSON has it.

    Attributes:
        manifest: what labeler.json holds.
        fingerprint: the finished labeler's.
        record: what calibration.json holds.
    """

    manifest: Mapping[str, Any]
    fingerprint: str
    record: Mapping[str, Any]

    def text(self) -> str:
        """The card in Markdown, every value escaped; the same content gives the same text."""
        return rendered(TEMPLATE, self.values())

    def values(self) -> dict[str, Any]:
        """Names of the template."""
        manifest, record = self.manifest, self.record
        return {
            "manifest": manifest,
            "fingerprint": self.fingerprint,
            "kind": KINDS[manifest["architecture"]],
            "embeds": manifest["architecture"] == "bi-encoder",
            "prefixes": sorted(manifest.get("prefixes", {}).items()),
            "fields": [role for role, _ in manifest["fields"]],
            "tokens": sum(manifest["max_tokens"].values()),
            "megabytes": record["megabytes"],
            "precision": record["precision"],
            "labelers": sorted(record["data"]["labelers"]),
            "data": record["data"],
            "missing": any(str(g) not in record["data"]["grades"] for g in GRADES),
            "features": manifest["head"]["features"],
            "head": manifest["head"],
            "cuts": manifest["cuts"],
            "folds": record["folds"],
            "seed": record["seed"],
            "figures": record["held_out"],
            "measures": MEASURES,
            "notes": record["notes"],
            "versions": record["versions"],
            "number": number,
            "interval": interval,
        }
