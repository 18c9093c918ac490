"""Query bodies with Mustache placeholders, filled on the client's side.

Elasticsearch's own search templates need a module that not every deployment has; a template
filled here runs on all of them. `{{name}}` stands for a value: as a whole string (`"{{k}}"`) or
outside of strings it becomes the JSON value, inside a longer string its text, always escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from relevance_eval.errors import TemplateError, storage_error

__all__ = ["QueryTemplate", "read_template"]

# A JSON string, or a placeholder outside of one, or an opening that never closes.
PIECE = re.compile(r'"(?:\\.|[^"\\])*"|\{\{[^{}]*\}\}|\{\{')
PLACEHOLDER = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
ANY_OPENING = re.compile(r"\{\{")

Value = str | int | float | bool | Sequence[float]


@dataclass(frozen=True)
class QueryTemplate:
    """A template that was checked when it was read.

    Attributes:
        text: as in the file.
        source: the file, for messages.
        placeholders: names used.
    """

    text: str
    source: str
    placeholders: frozenset[str]

    def fill(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """The query body. Raises TemplateError for a placeholder that `values` does not name."""
        filled = PIECE.sub(lambda m: self.piece(m, values), self.text)
        try:
            body = json.loads(filled)
        except json.JSONDecodeError as error:
            raise TemplateError(
                f"not JSON once filled: {error.msg} at column {error.colno}",
                where=f"{self.source}:{error.lineno}",
                remedy="check commas, braces and quotes around this line",
            ) from None
        if not isinstance(body, dict):
            raise TemplateError("a query body is a JSON object", where=self.source)
        return cast(dict[str, Any], body)

    def piece(self, match: re.Match[str], values: Mapping[str, Value]) -> str:
        text = match[0]
        inner = text[1:-1] if text.startswith('"') else text
        whole = PLACEHOLDER.fullmatch(inner)
        if whole:
            value = self.value(whole[1], values, match.start())
            return json.dumps(value, ensure_ascii=False)
        if not text.startswith('"'):
            raise self.broken(text, match.start())
        if "{{" not in text:
            return text
        return PLACEHOLDER.sub(lambda m: self.escaped(m, values, match.start()), text)

    def escaped(self, inner: re.Match[str], values: Mapping[str, Value], start: int) -> str:
        value = self.value(inner[1], values, start + inner.start())
        text = value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text, ensure_ascii=False)[1:-1]

    def value(self, name: str, values: Mapping[str, Value], start: int) -> Value:
        if name not in values:
            raise TemplateError(
                f"nothing fills the placeholder {{{{{name}}}}}",
                where=self.place(start),
                remedy=f"known here: {', '.join(sorted(values))}; others go into 'params'",
            )
        return values[name]

    def broken(self, text: str, start: int) -> TemplateError:
        return TemplateError(
            f"the placeholder {text!r} is not of the form {{{{name}}}}",
            where=self.place(start),
            remedy="sections, partials and toJson are not supported: write the body out",
        )

    def place(self, start: int) -> str:
        return f"{self.source}:{self.text.count(chr(10), 0, start) + 1}"

    def check(self) -> None:
        """Raises TemplateError if any `{{` opens something that is not a placeholder."""
        for opening in ANY_OPENING.finditer(self.text):
            if not PLACEHOLDER.match(self.text, opening.start()):
                snippet = self.text[opening.start() : opening.start() + 24].split("\n")[0]
                raise self.broken(snippet, opening.start())


def read_template(path: Path, samples: Mapping[str, Value]) -> QueryTemplate:
    """A template from a file, checked by filling it once with `samples`.

    Raises TemplateError, with file, line and placeholder, for whatever is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TemplateError("there is no such template", where=str(path)) from None
    except UnicodeDecodeError:
        raise TemplateError("not a text file in UTF-8", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
    template = QueryTemplate(text, str(path), frozenset(PLACEHOLDER.findall(text)))
    template.check()
    template.fill(samples)
    return template
