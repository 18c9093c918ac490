"""Servers that are not as wished: each ends in one message, and no secret is in any."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from relevance_eval.errors import (
    AuthenticationError,
    ConfigError,
    RequestError,
    ServerError,
    UnreachableError,
    UnsupportedServerError,
)
from relevance_eval.plugin.server import Connection, connect, server_version, translated

Complains = Callable[..., Any]
Serve = Callable[..., str]
Reply = tuple[int, Mapping[str, str], bytes]

PRODUCT = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
SECRET = "c2VjcmV0OmtleQ-do-not-show"


def reply(content: object, status: int = 200, **headers: str) -> Callable[..., Reply]:
    """The same answer to whatever is asked."""
    return lambda request, body: (status, {**PRODUCT, **headers}, json.dumps(content).encode())


def failure(kind: str, reason: str, status: int) -> Callable[..., Reply]:
    cause = {"type": kind, "reason": reason}
    return reply({"error": {"root_cause": [cause], **cause}, "status": status}, status)


Clients = Callable[..., Elasticsearch]


def test_the_page_of_a_proxy_is_not_repeated_whole(
    serve: Serve, client_of: Clients, complains: Complains
) -> None:
    page = b"<html>\n<h1>413 Request Entity Too Large</h1>\n" + b"<!-- padding -->\n" * 999
    proxy = serve(lambda request, body: (413, {"Content-Type": "text/html"}, page))
    says = "413: <html> <h1>413 Request Entity Too Large</h1> <!-- padding -->"
    with complains(ServerError, says, code=5) as caught:
        server_version(client_of(proxy))
    assert len(caught.value.message) < 220


def test_the_embedded_node_says_its_version(es: Elasticsearch) -> None:
    assert re.fullmatch(r"9\.\d+\.\d+", server_version(es))


@pytest.mark.parametrize("number", ["8.12.0", "8.19.3", "9.0.0-rc1", "9.40.1"])
def test_supported_versions(serve: Serve, client_of: Clients, number: str) -> None:
    client = client_of(serve(reply({"version": {"number": number}})))
    assert server_version(client) == number


@pytest.mark.parametrize("number", ["7.17.9", "8.5.3", "8.11.4", "10.0.0"])
def test_other_versions_are_refused(
    serve: Serve, client_of: Clients, complains: Complains, number: str
) -> None:
    client = client_of(serve(reply({"version": {"number": number}})))
    says = f"this is Elasticsearch {number}; 8.12 to 9.x is supported"
    with complains(UnsupportedServerError, says, code=5, remedy="url = 'embedded'"):
        server_version(client)


def test_a_version_that_does_not_speak_our_protocol(
    serve: Serve, client_of: Clients, complains: Complains
) -> None:
    """As 7.17 answers to a client of 8, before it says its version."""
    reason = "Invalid media-type value on headers [Accept]"
    client = client_of(serve(failure("media_type_header_exception", reason, 400)))
    with complains(UnsupportedServerError, reason, code=5, remedy="a supported version"):
        server_version(client)


def test_what_is_no_elasticsearch(serve: Serve, client_of: Clients, complains: Complains) -> None:
    fork = serve(lambda request, body: (200, {"Content-Type": "application/json"}, b"{}"))
    says, remedy = "not Elasticsearch", "check [elasticsearch] url"
    with complains(UnsupportedServerError, says, code=5, remedy=remedy):
        server_version(client_of(fork))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("form", ["key", "password"])
def test_refused_credentials_are_never_shown(
    serve: Serve,
    client_of: Clients,
    complains: Complains,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    form: str,
) -> None:
    received: list[str] = []

    def refuse(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        received.append(request.headers["Authorization"])
        return failure("security_exception", "unable to authenticate", status)(request, body)

    monkeypatch.setenv("MY_SECRET", SECRET)
    monkeypatch.setenv("MY_USER", "ada")
    options = {
        "key": {"api_key_env": "MY_SECRET"},
        "password": {"username_env": "MY_USER", "password_env": "MY_SECRET"},
    }[form]
    caplog.set_level(logging.DEBUG)
    client = client_of(serve(refuse), **options)
    says, remedy = "the server refuses: unable to authenticate", "check the key or user"
    with complains(AuthenticationError, says, code=5, remedy=remedy) as caught:
        server_version(client)
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caplog.text}"
    scheme, sent = received[0].split()
    assert scheme == {"key": "ApiKey", "password": "Basic"}[form]
    assert SECRET not in shown
    assert sent not in shown


def test_a_secret_in_place_of_a_name_is_not_repeated(complains: Complains) -> None:
    where = "[elasticsearch] api_key_env"
    says = "the name of an environment variable is needed"
    with complains(ConfigError, says, code=2, where=where, remedy="into a variable") as caught:
        connect(Connection("http://localhost:9200", api_key_env=SECRET))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [None, ""])
def test_a_secret_that_is_not_set(
    complains: Complains, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_SUCH_KEY", value)
    says, where = "the environment variable NO_SUCH_KEY is not set", "[elasticsearch] api_key_env"
    with complains(ConfigError, says, code=2, where=where, remedy="export NO_SUCH_KEY=…"):
        connect(Connection("http://localhost:9200", api_key_env="NO_SUCH_KEY"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_end_of_a_secret_is_not_sent(
    serve: Serve, client_of: Clients, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    received: list[str] = []

    def let_in(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        received.append(request.headers["Authorization"])
        return reply({"version": {"number": "9.2.2"}})(request, body)

    monkeypatch.setenv("MY_SECRET", SECRET + end)
    server_version(client_of(serve(let_in), api_key_env="MY_SECRET"))
    assert received == [f"ApiKey {SECRET}"]


@pytest.mark.parametrize("odd", ["two\n", "ü", "…", "\x1b"])
def test_a_key_that_no_header_can_hold_is_not_repeated(
    complains: Complains, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.setenv("MY_SECRET", f"{odd}{SECRET}")
    says, where = "what MY_SECRET holds cannot be sent", "[elasticsearch] api_key_env"
    with complains(ConfigError, says, code=2, where=where, remedy="the secret alone") as caught:
        connect(Connection("http://localhost:9200", api_key_env="MY_SECRET"))
    assert SECRET not in str(caught.value)


def test_a_password_may_have_any_letters(
    serve: Serve, client_of: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[str] = []

    def let_in(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        received.append(request.headers["Authorization"])
        return reply({"version": {"number": "9.2.2"}})(request, body)

    monkeypatch.setenv("MY_USER", "jörg")
    monkeypatch.setenv("MY_SECRET", "säge:…")
    server_version(client_of(serve(let_in), username_env="MY_USER", password_env="MY_SECRET"))
    (sent,) = received
    assert b64decode(sent.removeprefix("Basic ")).decode() == "jörg:säge:…"


@pytest.mark.parametrize("url", ["localhost:9200", "http://localhost", "", "http://h:port"])
def test_an_address_that_cannot_be_used(complains: Complains, url: str) -> None:
    says, where = "cannot use this address", "[elasticsearch]"
    with complains(ConfigError, says, code=2, where=where):
        connect(Connection(url))


def test_a_certificate_authority_that_is_not_there(complains: Complains, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with complains(ConfigError, str(path), code=2, where="[elasticsearch] ca_file"):
        connect(Connection("https://localhost:9200", ca_file=path))


def test_a_server_without_a_trusted_connection(
    serve: Serve, client_of: Clients, complains: Complains
) -> None:
    url = serve(reply({})).replace("http:", "https:")
    says, remedy = "no trusted connection", "set ca_file"
    with complains(UnreachableError, says, code=5, remedy=remedy):
        server_version(client_of(url))


def test_no_server(client_of: Clients, complains: Complains) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    says, remedy = "cannot be reached", "check [elasticsearch] url"
    with complains(UnreachableError, says, code=5, remedy=remedy):
        server_version(client_of(url))


def test_a_server_that_hangs(serve: Serve, client_of: Clients, complains: Complains) -> None:
    over = threading.Event()

    def hang(request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        over.wait(60)
        request.close_connection = True
        return 204, {}, b""

    client = client_of(serve(hang), timeout=0.2)
    says, remedy = "no answer in time", "raise timeout in [elasticsearch]"
    try:
        with complains(UnreachableError, says, code=5, remedy=remedy):
            server_version(client)
    finally:
        over.set()


def test_a_server_that_breaks_off(serve: Serve, client_of: Clients, complains: Complains) -> None:
    url = serve(reply({"version": {}}, **{"Content-Length": "4096"}))
    says, remedy = "cannot be reached", "check [elasticsearch] url"
    with complains(UnreachableError, says, code=5, remedy=remedy):
        server_version(client_of(url))


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(400, RequestError, 2), (404, ServerError, 5), (409, ServerError, 5), (500, ServerError, 5)],
)
def test_other_refusals_say_the_root_cause_and_where(
    serve: Serve,
    client_of: Clients,
    complains: Complains,
    status: int,
    kind: type[ServerError],
    code: int,
) -> None:
    client = client_of(serve(failure("some_exception", "the root of it", status)))
    with complains(kind, "the root of it", code=code, where="here"), translated("here"):
        client.info()
