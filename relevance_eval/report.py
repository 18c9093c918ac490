"""A saved comparison as one page that needs nothing beside itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from relevance_eval.changed import Changes
from relevance_eval.figures import Bars, Estimate, Forest, bars, forest
from relevance_eval.judge import LEANING
from relevance_eval.saved import (
    ContrastPart,
    DifferencePart,
    RankerPart,
    Saved,
    SettledPart,
    SlicePart,
)
from relevance_eval.thrift import settled_text

__all__ = ["report_html"]

TEMPLATE = "report.html.j2"
LONGEST = 160
"""Characters of a title or a query that are shown."""
LONGEST_SENTENCE = 1000
"""Characters of a sentence of ours, which may name a ranker or quote a query's id."""
MOST_QUERIES = 1000
"""Rows of the table of all queries; beyond it the saved files have the rest."""
HEADLINES = {
    "better": "{ranker} is better than {baseline}",
    "worse": "{ranker} is worse than {baseline}",
    "equivalent": "{ranker} and {baseline} are equivalent",
    "inconclusive": "Not enough evidence that {ranker} differs from {baseline}",
    "untrusted": "No verdict on {ranker} against {baseline}: the labeler is untrusted",
}
CORRECTIONS = {"holm": "Holm", "maxt": "MaxT"}


@dataclass(frozen=True)
class Place:
    """A document at a rank of a list.

    Attributes:
        title: its title, or its id where it has none.
        grade: 0 to 3, or None if it has none.
        expected: expected grade, 0 to 3, or None likewise.
        movement: from the baseline's list to the ranker's, and so the same on both sides: `up 3`,
            `down 2`, `same`; `gone` or `new` where it is in one list alone.
        sign: class of the movement.
    """

    rank: int
    document_id: str
    title: str
    grade: int | None
    expected: float | None
    movement: str
    sign: str


@dataclass(frozen=True)
class Sides:
    """A query that changed, with both lists."""

    query_id: str
    text: str
    before: float
    after: float
    baseline: Sequence[Place]
    ranker: Sequence[Place]


@dataclass(frozen=True)
class QueryRow:
    """A query in the table of all."""

    query_id: str
    text: str
    before: float
    after: float


@dataclass(frozen=True)
class Section:
    """All that the page says of one ranker against one baseline."""

    contrast: ContrastPart
    headline: str
    primary: DifferencePart
    intervals: Forest | None
    bars: Bars
    rows: Sequence[QueryRow]
    sides: Sequence[Sides]


def report_html(saved: Saved, changes: Changes | None = None, against: str = "") -> str:
    """The page: it asks for nothing, runs nothing, and is the same for the same folder.

    Args:
        changes: what differs from an older comparison, whose folder is named `against`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
    )
    environment.filters |= {
        "signed": signed,
        "p_value": p_value,
        "share": share,
        "settled": settled,
        "sentence": sentence,
    }
    return environment.get_template(TEMPLATE).render(values(saved, changes, against))


def values(saved: Saved, changes: Changes | None, against: str) -> dict[str, Any]:
    """Names of the template."""
    result = saved.result
    sections = [section(saved, contrast) for contrast in result.comparisons]
    return {
        "saved": saved,
        "answer": saved.answer,
        "result": result,
        "plan": result.plan,
        "primary": result.plan.primary,
        "correction": CORRECTIONS.get(result.plan.correction, result.plan.correction),
        "title": "; ".join(s.headline for s in sections),
        "sections": sections,
        "overview": forest([estimate(s) for s in sections], result.plan.margin),
        "measures": list(result.rankers[0].measures),
        "corrected": any(c.corrected for c in result.comparisons),
        "leaning": LEANING,
        "few": any(c.settled for c in result.comparisons),
        "doubtful": any(p.in_doubt for c in result.comparisons for p in c.slices),
        "noisy": any(s.primary.noise is not None for s in sections),
        "problems": list(problems(result.rankers)),
        "total_seconds": sum(result.seconds.values()),
        "changes": changes,
        "against": against,
        "most_queries": MOST_QUERIES,
    }


def section(saved: Saved, contrast: ContrastPart) -> Section:
    primary = contrast.differences[saved.result.plan.primary]
    before, after = saved.values(contrast.baseline), saved.values(contrast.ranker)
    if contrast.per_query is not None:
        after = {q: before[q] + d for q, d in contrast.per_query.items() if q in before}
    both = [q for q in saved.queries if q in before and q in after]
    rows = [QueryRow(q, saved.queries[q].text, before[q], after[q]) for q in both]
    rows.sort(key=lambda row: row.after - row.before)
    slices = [slice_estimate(part) for part in contrast.slices]
    names = {"ranker": contrast.ranker, "baseline": contrast.baseline}
    return Section(
        contrast=contrast,
        headline=HEADLINES[contrast.verdict].format(**names),
        primary=primary,
        intervals=forest(slices, saved.result.plan.margin) if slices else None,
        bars=bars([row.after - row.before for row in rows] or [0.0]),
        rows=rows[:MOST_QUERIES],
        sides=list(side_by_side(saved, contrast)),
    )


def estimate(part: Section) -> Estimate:
    label = f"{part.contrast.ranker} − {part.contrast.baseline}"
    found = part.contrast.corrected or part.primary
    ends = (None, None) if part.contrast.untested else (found.low, found.high)
    return Estimate(cut(label, 34), found.mean, *ends, str(part.contrast.verdict))


def slice_estimate(part: SlicePart) -> Estimate:
    found = part.difference
    label = f"{part.tag} {part.value} ({found.queries})"
    return Estimate(cut(label, 34), found.mean, *found.of_queries, str(part.verdict))


def side_by_side(saved: Saved, contrast: ContrastPart) -> Iterator[Sides]:
    for change in contrast.changed_most:
        query_id = change.query_id
        lists = {
            name: [h.document_id for h in saved.runs[name].hits(query_id)[: saved.result.depth]]
            for name in (contrast.baseline, contrast.ranker)
        }
        before, after = lists[contrast.baseline], lists[contrast.ranker]
        yield Sides(
            query_id=query_id,
            text=change.text,
            before=change.baseline,
            after=change.ranker,
            baseline=[place(saved, query_id, i, before, after, n) for n, i in enumerate(before)],
            ranker=[place(saved, query_id, i, before, after, n) for n, i in enumerate(after)],
        )


def place(
    saved: Saved,
    query_id: str,
    document_id: str,
    before: Sequence[str],
    after: Sequence[str],
    above: int,
) -> Place:
    """A document with `above` others above it in its list."""
    judgment = saved.judgments.get(query_id, {}).get(document_id)
    moved, sign = movement(document_id, before, after)
    return Place(
        rank=above + 1,
        document_id=document_id,
        title=title_of(saved, document_id),
        grade=judgment.grade if judgment else None,
        expected=judgment.expected if judgment else None,
        movement=moved,
        sign=sign,
    )


def movement(document_id: str, before: Sequence[str], after: Sequence[str]) -> tuple[str, str]:
    if document_id not in after:
        return "gone", "gone"
    if document_id not in before:
        return "new", "new"
    ranks = before.index(document_id) - after.index(document_id)
    if ranks == 0:
        return "same", "same"
    return (f"up {ranks}", "up") if ranks > 0 else (f"down {-ranks}", "down")


def title_of(saved: Saved, document_id: str) -> str:
    """What a person would know the document by."""
    document = saved.documents.get(document_id)
    fields: Mapping[str, str] = document.fields if document else {}
    named = (fields[role] for role in ("title", "file_name", "body") if role in fields)
    return next(named, document_id)


def problems(rankers: Sequence[RankerPart]) -> Iterator[tuple[str, str, str]]:
    """(ranker, query id, what went wrong), at most three of each ranker."""
    for ranker in rankers:
        for query_id, problem in list(ranker.problems.items())[:3]:
            yield ranker.name, query_id, problem


def shown(value: Any) -> Any:
    """Texts of others on one line, without what cannot be seen or turns the direction."""
    return cut(value, LONGEST) if type(value) is str else value


def sentence(text: str) -> Markup:
    """A whole sentence of ours, escaped: `shown` does not cut what is marked."""
    return escape(cut(text, LONGEST_SENTENCE))


def cut(text: str, longest: int) -> str:
    line = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def signed(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:+.{digits}f}"


def p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def settled(part: SettledPart) -> str:
    text = settled_text(part.how, part.low, part.high)
    return text[0].upper() + text[1:]


def share(value: float) -> str:
    return "less than 1 %" if 0 < value < 0.01 else f"{100 * value:.0f} %"
