"""A gate's checks as JUnit XML, which continuous integration systems show as tests."""

from __future__ import annotations

import re
from typing import Literal
from xml.etree import ElementTree

from relevance_eval.evaluators.gate import Check, Decision, Ruling

__all__ = ["Inconclusive", "junit_xml"]

Inconclusive = Literal["exit 3", "fail", "pass"]
"""What a result that decides nothing means for the build."""
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold, not even escaped."""
ENDS = {"exit 3": "error", "fail": "failure", "pass": "skipped"}
"""Element for a check that is inconclusive."""


def junit_xml(ruling: Ruling, *, created: str, seconds: float, inconclusive: Inconclusive) -> str:
    """One test case for each check.

    A failed check is a `failure`, an untrusted one an `error`; an inconclusive one is what the
    build makes of it: an `error` that ends with code 3, a `failure`, or `skipped`.

    Args:
        created: ISO 8601 time of the comparison.
        seconds: that the comparison took; the checks themselves take none.
    """
    marks = [mark(check, inconclusive) for check in ruling.checks]
    counts = {
        "tests": str(len(marks)),
        "failures": str(marks.count("failure")),
        "errors": str(marks.count("error")),
        "skipped": str(marks.count("skipped")),
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "relevance-eval", **counts})
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": "relevance-eval gate", "timestamp": created, **counts}
    )
    for check, element in zip(ruling.checks, marks, strict=True):
        add_case(suite, check, element)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def mark(check: Check, inconclusive: Inconclusive) -> str | None:
    """The element that says how a test case ended; None for one that passed."""
    if check.decision is Decision.PASSED:
        return None
    if check.decision is Decision.INCONCLUSIVE:
        return ENDS[inconclusive]
    return "failure" if check.decision is Decision.FAILED else "error"


def add_case(suite: ElementTree.Element, check: Check, element: str | None) -> None:
    names = {"classname": f"relevance-eval.{legal(check.subject)}", "name": legal(check.name)}
    case = ElementTree.SubElement(suite, "testcase", {**names, "time": "0"})
    if element:
        told = {"type": check.decision.value, "message": legal(check.detail)}
        ElementTree.SubElement(case, element, told)
    else:
        ElementTree.SubElement(case, "system-out").text = legal(check.detail)


def legal(text: str) -> str:
    return NOT_XML.sub("�", text)
