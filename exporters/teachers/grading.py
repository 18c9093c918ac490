"""From a teacher's reply to a judgment: a distribution where there is one, and never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from relevance_eval.evaluators.judgment import GRADES, Judgment
from relevance_eval.exporters.endpoints.reply import Position, Reply

__all__ = ["judgment_of"]

ANSWER = re.compile(r'\s*(?:```(?:json)?\s*)?\{\s*"grade"\s*:\s*([0-3])\s*\}\s*(?:```)?\s*')
DIGIT = re.compile(r"\s*([0-3])\s*")
IN_TOKENS = re.compile(r'"grade"\s*:\s*(?P<json>[0-3])|\A\W*(?P<digit>[0-3])\W*\Z')
GRADE_TOKEN = re.compile(r'[\s:"▁Ġ]*([0-3])[\s"}]*')
"""A token that says a grade: ` 3`, `3`, `:3`, with what stands around it in JSON."""


def judgment_of(reply: Reply, fingerprint: str, least_mass: float) -> Judgment:
    """Reads the reply strictly.

    The grade is where the answer has it: the digit in `{"grade": 2}`, or a lone digit. With
    log-probabilities at that place, the judgment is their distribution over the four grades, each
    the sum of its spellings, divided by the sum of all four; without them it is certain. Whatever
    is no such answer is a failure, with the reason; a refusal is a refusal.

    Args:
        least_mass: probability that the four grades must have together, 0 to 1.
    """
    if reply.refusal is not None:
        return Judgment.refused(fingerprint, reply.refusal)
    if reply.problem is not None:
        return Judgment.failed(fingerprint, reply.problem)
    found = ANSWER.fullmatch(reply.text) or DIGIT.fullmatch(reply.text)
    if found is None:
        return Judgment.failed(fingerprint, f"no grade but {excerpt(reply.text)}")
    place = position_of(reply.positions, int(found[1]))
    if place is None:
        return Judgment.certain(fingerprint, int(found[1]))
    return spread(place, fingerprint, least_mass)


def position_of(positions: Sequence[Position], grade: int) -> Position | None:
    """The place whose token says the grade; None if there is none, or more than one.

    Looked for in the tokens themselves: some servers leave tokens out of the text of the answer,
    such as the marks of a block of code around it.
    """
    written = "".join(position.token for position in positions)
    found = list(IN_TOKENS.finditer(written))
    if len(found) != 1 or int(found[0]["json"] or found[0]["digit"]) != grade:
        return None
    offset = max(found[0].start("json"), found[0].start("digit"))
    end = 0
    for position in positions:
        end += len(position.token)
        if end > offset:
            return position if position.top and GRADE_TOKEN.fullmatch(position.token) else None
    return None


def spread(place: Position, fingerprint: str, least_mass: float) -> Judgment:
    masses = [0.0] * len(GRADES)
    for token in place.top:
        found = GRADE_TOKEN.fullmatch(token.text)
        if found:
            masses[int(found[1])] += math.exp(min(token.logprob, 0.0))
    total = math.fsum(masses)
    if total < least_mass or not total:
        reason = f"the grades have less than {least_mass:g} of the probability"
        return Judgment.failed(fingerprint, reason)
    return Judgment(fingerprint, tuple(mass / total for mass in masses))


def excerpt(text: str) -> str:
    return repr(" ".join(text[:200].split())[:60])
