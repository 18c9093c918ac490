"""Templates: what a person types reaches the server as it was typed, and faults have a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relevance_eval.errors import StorageError, TemplateError
from relevance_eval.plugin.rankers import SAMPLES
from relevance_eval.plugin.templates import QueryTemplate, Value, read_template

Complains = Callable[..., Any]


def filled(text: str, **values: Value) -> dict[str, Any]:
    return QueryTemplate(text, "t.json", frozenset()).fill(values)


@given(st.text())
@example('say "hi" \\ and \\" or \\\\')
@example("line\nbreak\ttab\r\x00\x1f")
@example("{{k}} {{{query}}} {{#toJson}} }} {{")
@example("🦙 naïve \u2028 \\ud83e")
def test_any_query_arrives_as_it_was_typed(query: str) -> None:
    body = filled('{"a": "{{query}}", "b": {{query}}, "c": "<{{ query }}|{{query}}>"}', query=query)
    assert body == {"a": query, "b": query, "c": f"<{query}|{query}>"}


@pytest.mark.parametrize("value", [10, 0.5, -3, True, False, [0.25, -1.0], [1e-9], ""])
def test_a_whole_string_becomes_the_value(value: Value) -> None:
    body = filled('{"a": "{{x}}", "b": {{ x }}}', x=value)
    assert (body["a"], body["b"]) == (value, value)
    assert type(body["a"]) is type(value)


def test_inside_a_string_a_number_becomes_its_text() -> None:
    assert filled('{"a": "top {{k}} of {{flag}}"}', k=10, flag=True) == {"a": "top 10 of true"}


def test_a_placeholder_may_be_a_key_and_braces_may_close_beside_it() -> None:
    assert filled('{"a":{"{{f}}":{"b":{{k}}}}}', f="title", k=2) == {"a": {"title": {"b": 2}}}


def test_an_escaped_quote_does_not_end_a_string() -> None:
    assert filled('{"a": "\\"{{q}}\\" {{q}}"}', q='x"y') == {"a": '"x"y" x"y'}


@pytest.fixture
def template(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "broken.json"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_placeholders_of_a_file_are_known(template: Callable[[str], Path]) -> None:
    path = template('{"query": {"match": {"t": "{{query}}"}}, "size": {{ k }}}')
    assert read_template(path, SAMPLES).placeholders == {"query", "k"}


@pytest.mark.parametrize("use", ['"{{qeury}}"', "{{qeury}}", '"x {{qeury}} y"'])
def test_an_unknown_placeholder_is_named_with_its_line(
    template: Callable[[str], Path], complains: Complains, use: str
) -> None:
    path = template('{\n "a": "{{query}}",\n "b": ' + use + "\n}")
    says, remedy = "nothing fills the placeholder {{qeury}}", "known here: k, query, query_vector"
    with complains(TemplateError, says, code=2, where=f"{path}:3", remedy=remedy):
        read_template(path, SAMPLES)


@pytest.mark.parametrize(
    ("use", "named"),
    [
        ("{{#toJson}}query{{/toJson}}", "{{#toJson}}"),
        ('"{{#toJson}}query{{/toJson}}"', "{{#toJson}}"),
        ("{{{query}}}", "{{{query}}}"),
        ('"{{query"', '{{query"'),
        ("{{}}", "{{}}"),
        ('"{{my query}}"', "{{my query}}"),
        ('"{{> part}}"', "{{> part}}"),
    ],
)
def test_what_is_no_placeholder_is_named_with_its_line(
    template: Callable[[str], Path], complains: Complains, use: str, named: str
) -> None:
    path = template('{\n "k": {{k}},\n "a": ' + use + "\n}")
    remedy = "write the body out"
    with complains(TemplateError, f"'{named}", code=2, where=f"{path}:3", remedy=remedy):
        read_template(path, SAMPLES)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n "a": 1\n "b": 2}', 3),
        ('{\n "a": [{{query_vector}}, \n]}', 3),
        ("{\n\n \"a\": 'b'}", 3),
        ('{"a": 1}\n}', 2),
        ("", 1),
    ],
)
def test_broken_json_is_named_with_its_line(
    template: Callable[[str], Path], complains: Complains, text: str, line: int
) -> None:
    path = template(text)
    remedy = "check commas, braces and quotes"
    with complains(TemplateError, "not JSON", code=2, where=f"{path}:{line}", remedy=remedy):
        read_template(path, SAMPLES)


@pytest.mark.parametrize("text", ["[]", '"{{query}}"', "{{k}}"])
def test_a_body_is_an_object(
    template: Callable[[str], Path], complains: Complains, text: str
) -> None:
    path = template(text)
    says = "a query body is a JSON object"
    with complains(TemplateError, says, code=2, where=str(path)):
        read_template(path, SAMPLES)


def test_a_file_that_is_missing(tmp_path: Path, complains: Complains) -> None:
    path = tmp_path / "none.json"
    with complains(TemplateError, "there is no such template", code=2, where=str(path)):
        read_template(path, SAMPLES)


def test_a_file_that_is_not_text(tmp_path: Path, complains: Complains) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes('{"a": "ü"}'.encode("latin-1"))
    with complains(TemplateError, "not a text file in UTF-8", code=2, where=str(path)):
        read_template(path, SAMPLES)


def test_a_file_that_cannot_be_read(tmp_path: Path, complains: Complains) -> None:
    says, remedy = "Is a directory", "choose another folder"
    with complains(StorageError, says, code=5, where=str(tmp_path), remedy=remedy):
        read_template(tmp_path, SAMPLES)
