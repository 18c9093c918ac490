"""Whatever Elasticsearch's client raises becomes an error of ours."""

from __future__ import annotations

import inspect
from typing import Any

import elastic_transport
import elasticsearch
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig

from relevance_eval.errors import (
    AuthenticationError,
    MissingIndexError,
    RequestError,
    ServerError,
    UnreachableError,
    UnsupportedServerError,
)
from relevance_eval.plugin.server import translated

NODE = NodeConfig("http", "127.0.0.1", 9200)


def exceptions() -> list[type[Exception]]:
    """All that the two packages export and that are raised: neither warnings nor mere bases."""
    found: set[type[Exception]] = set()
    for module in (elastic_transport, elasticsearch, elasticsearch.exceptions):
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Exception) and not issubclass(member, Warning):
                found.add(member)
    found.remove(elastic_transport.ApiError)  # a base, never raised
    return sorted(found, key=lambda c: f"{c.__module__}.{c.__name__}")


def made(kind: type[Exception], status: int = 500, reason: str = "no shard") -> Exception:
    if issubclass(kind, elasticsearch.ApiError):
        meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, NODE)
        body: Any = {"error": {"root_cause": [{"type": "some_exception", "reason": reason}]}}
        return kind("what the client calls it", meta=meta, body=body)
    if issubclass(kind, elasticsearch.UnsupportedProductError):
        return kind("the product is unknown", meta=None, body=None)
    return kind("what the client calls it")


def test_the_list_is_not_empty() -> None:
    names = {kind.__name__ for kind in exceptions()}
    assert {"ApiError", "ConnectionTimeout", "TlsError", "SerializationError"} < names


@pytest.mark.parametrize("kind", exceptions(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_client_is_translated(kind: type[Exception]) -> None:
    with pytest.raises(ServerError) as caught, translated("index wiki"):
        raise made(kind)
    assert caught.value.where == "index wiki"
    assert caught.value.message
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "kind", "reason", "ours", "code", "remedy"),
    [
        (400, elasticsearch.BadRequestError, "unknown query", RequestError, 2, None),
        (401, elasticsearch.AuthenticationException, "bad key", AuthenticationError, 5, "the key"),
        (403, elasticsearch.AuthorizationException, "no read", AuthenticationError, 5, "privileg"),
        (404, elasticsearch.NotFoundError, "no such index [x]", MissingIndexError, 2, "load the"),
        (404, elasticsearch.NotFoundError, "no template", ServerError, 5, None),
        (429, elasticsearch.ApiError, "too many", ServerError, 5, None),
        (503, elasticsearch.ApiError, "no master", ServerError, 5, None),
    ],
)
def test_a_status_has_its_error_exit_code_and_remedy(
    status: int,
    kind: type[Exception],
    reason: str,
    ours: type[ServerError],
    code: int,
    remedy: str | None,
) -> None:
    with pytest.raises(ServerError) as caught, translated():
        raise made(kind, status, reason)
    assert type(caught.value) is ours
    assert reason in caught.value.message
    assert caught.value.exit_code == code
    assert (caught.value.remedy is None) if remedy is None else (remedy in caught.value.remedy)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("error", "ours", "remedy"),
    [
        (elastic_transport.ConnectionTimeout("x"), UnreachableError, "raise timeout"),
        (elastic_transport.TlsError("x"), UnreachableError, "set ca_file"),
        (elastic_transport.ConnectionError("x"), UnreachableError, "check [elasticsearch] url"),
        (
            elasticsearch.UnsupportedProductError("x", meta=None, body=None),  # type: ignore[arg-type]
            UnsupportedServerError,
            "forks of Elasticsearch are not supported",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_answer_has_its_error_and_remedy(
    error: Exception, ours: type[ServerError], remedy: str
) -> None:
    with pytest.raises(ours) as caught, translated():
        raise error
    assert caught.value.exit_code == 5
    assert remedy in (caught.value.remedy or "")


def test_errors_of_ours_pass_as_they_are() -> None:
    ours = RequestError("mine")
    with pytest.raises(RequestError) as caught, translated():
        raise ours
    assert caught.value is ours
