"""A gate's checks as GitHub Actions shows them: annotations, and a job summary in Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from relevance_eval.evaluators.gate import Check, Decision, Ruling

__all__ = ["commands", "summary"]

LEVELS = {
    Decision.PASSED: "notice",
    Decision.INCONCLUSIVE: "warning",
    Decision.FAILED: "error",
    Decision.UNTRUSTED: "error",
}
MARKS = {
    Decision.PASSED: "✅",
    Decision.INCONCLUSIVE: "⚠️",
    Decision.FAILED: "❌",
    Decision.UNTRUSTED: "⛔",
}
LONGEST = 200
"""Characters of one value: a summary is no place for a document."""
UNSEEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
MEANING = re.compile(r"([\\`*_{}\[\]()#!|~$@:.+-])")
"""Characters that begin something in Markdown, a mention or a link among it, or end a cell."""


def commands(ruling: Ruling) -> list[str]:
    """A workflow command for each check, one line each."""
    return [annotation(check) for check in ruling.checks]


def annotation(check: Check) -> str:
    title = property_text(f"relevance-eval: {check.decision.value}")
    text = f"{check.subject}: {check.name}: {check.detail}"
    return f"::{LEVELS[check.decision]} title={title}::{command_text(text)}"


def command_text(text: str) -> str:
    """As a workflow command's message must be written: a new line would begin another command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_text(text: str) -> str:
    return command_text(text).replace(":", "%3A").replace(",", "%2C")


def summary(ruling: Ruling, result: Mapping[str, Any]) -> str:
    """Markdown: the decision, the checks, the queries that changed most.

    Args:
        result: a comparison's, as `answer.comparison_result` has it.
    """
    decision = ruling.decision
    lines = [f"## {MARKS[decision]} relevance-eval gate: {decision.value}", ""]
    lines += table(
        ("check", "of", "decision", "figures"),
        [
            (c.name, c.subject, f"{MARKS[c.decision]} {c.decision.value}", c.detail)
            for c in ruling.checks
        ],
    )
    for warning in [*warnings(result), *result.get("notices", ())]:
        lines += ["", f"⚠️ {markdown(warning)}"]
    primary = result["plan"]["primary"]
    for contrast in result["comparisons"]:
        if contrast["changed_most"]:
            lines += ["", "<details><summary>Queries that changed most: "]
            lines[-1] += f"{plain(contrast['ranker'])} against {plain(contrast['baseline'])}"
            lines[-1] += f", {plain(primary)}</summary>"
            lines += ["", *changed(contrast), "", "</details>"]
    labels, labeler = result["labels"], result["labeler"]
    lines += [
        "",
        f"{result['queries']:,} queries; {labels['needed']:,} labels, {labels['bought']:,} of them "
        f"new, by {markdown(labeler['name'])}.",
    ]
    return "\n".join(lines) + "\n"


def warnings(result: Mapping[str, Any]) -> list[str]:
    """What there is to know of the labeler before its figures are believed."""
    kin: list[dict[str, Any]] = result.get("kinship") or []
    audit: dict[str, Any] = result.get("audit") or {}
    found = [str(kinship["told"]) for kinship in kin]
    for contrast in result["comparisons"]:
        corrected: dict[str, Any] = contrast.get("corrected") or {}
        favoured = corrected.get("favours")
        if favoured:
            found.append(
                f"the labeler favours {favoured} where {contrast['ranker']} is compared with "
                f"{contrast['baseline']}"
            )
    refusal = audit.get("refusal")
    return [*found, *([f"no figure is corrected: {refusal}"] if refusal else [])]


def changed(contrast: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            change["text"],
            f"{change['baseline']:.3f}",
            f"{change['ranker']:.3f}",
            f"{change['difference']:+.3f}",
        )
        for change in contrast["changed_most"]
    ]
    return table(("query", contrast["baseline"], contrast["ranker"], "change"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells are escaped here, and only here."""
    lines = [head, *rows]
    written = ["| " + " | ".join(markdown(cell) for cell in line) + " |" for line in lines]
    return [written[0], "|" + " --- |" * len(head), *written[1:]]


def markdown(value: str) -> str:
    """A value as plain words on one line."""
    return MEANING.sub(r"\\\1", plain(value))


def plain(value: str) -> str:
    """Without a line break, what cannot be seen, or markup; at most 200 characters of it."""
    text = UNSEEN.sub(" ", value).strip()
    return html.escape(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…", quote=False)
