"""The README.md of a labeler: what it is, what it was made of, and what it is worth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from relevance_eval.errors import ExportError

__all__ = ["KINDS", "Card", "interval", "markdown", "number", "place_free", "rendered"]

TEMPLATE = "card.md.j2"
LONGEST = 300
"""Characters of one value: a card is no place for a document."""
INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
MEANING = re.compile(r"([\\`*_{}\[\]<>()#!|~&$:@])")
"""Characters that begin something in Markdown, or end a cell of a table."""
MEASURES = ("kappa", "quadratic_kappa", "relevant_kappa", "pairwise_accuracy", "ndcg")
KINDS = {
    "cross-encoder": "encoder that reads query and document together",
    "decoder": "causal language model, by the probabilities of its grade tokens",
    "bi-encoder": "encoder of query and document apart, with a head",
}


@dataclass(frozen=True)
class Card:
    """What a card tells, all of it as JSON has it.

    Attributes:
        manifest: what labeler.json holds.
        fingerprint: the finished labeler's.
        training: what training.json holds; what it lacks is said to be not recorded.
        export: what export.json holds.
    """

    manifest: Mapping[str, Any]
    fingerprint: str
    training: Mapping[str, Any]
    export: Mapping[str, Any]

    def text(self) -> str:
        """The card in Markdown; the same content gives the same text.

        Every value is escaped: no name, origin or note can bring a link, a picture, HTML or a row
        of a table. Raises ExportError if training.json is of another shape.
        """
        try:
            return rendered(TEMPLATE, self.values())
        except (TypeError, ValueError, AttributeError, jinja2.TemplateError) as error:
            raise ExportError(
                f"the record of the training is not of the known form: {error}",
                where="training.json",
                remedy="run relevance-eval train again",
            ) from None

    def values(self) -> dict[str, Any]:
        """Names of the template."""
        data, settings = self.training.get("data", {}), dict(self.training.get("settings", {}))
        if "base" in settings:
            settings["base"] = place_free(str(settings["base"]))
        labelers = data.get("labelers", {})
        export, parity = self.export, self.export["parity"]
        return {
            "name": self.manifest["name"],
            "license": self.manifest["license"],
            "kind": KINDS[self.manifest["architecture"]],
            "fields": [role for role, _ in self.manifest["fields"]],
            "tokens": sum(self.manifest["max_tokens"].values()),
            "manifest": self.manifest,
            "fingerprint": self.fingerprint,
            "training": {**self.training, "settings": settings},
            "data": data,
            "labelers": sorted(labelers),
            "people": any(name.startswith("person:") for name in labelers),
            "figures": self.training.get("held_out", {}),
            "calibration": self.training.get("calibration", {}),
            "measures": MEASURES,
            "precision": export["precision"],
            "reuses_prompt": export.get("reuses_prompt", False),
            "megabytes": export["megabytes"][export["form"]],
            "sizes": export["megabytes"],
            "parity": parity,
            "pairs": next(iter(parity.values()))["pairs"],
            "bounds": export["bounds"],
            "versions": export["versions"],
            "number": number,
            "interval": interval,
        }


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """A template of this folder with its values, each of which `markdown` has made plain."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # escapes HTML, and this is Markdown: `finalize` does it
        finalize=markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.ChainableUndefined,
    )
    text = environment.get_template(template).render(values)
    return re.sub(r"\n{3,}", "\n\n", text)


def markdown(value: object) -> str:
    """A value as plain words on one line, at most 300 characters of it."""
    text = INVISIBLE.sub(" ", str(value))
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return MEANING.sub(r"\\\1", cut).replace("www.", r"www\.")


def place_free(base: str) -> str:
    """A folder's name without its place, which is nobody's business; owner/name stays."""
    return Path(base).name if base.startswith(("/", "~", ".")) or "\\" in base else base


def number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def interval(figure: Mapping[str, float | None]) -> str:
    """A figure and its 95 % interval, as `0.512, 0.471 to 0.550`; a dash where there is none."""
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    if value is None:
        return "-"
    between = f", {low:.3f} to {high:.3f}" if low is not None and high is not None else ""
    return f"{value:.3f}{between}"
