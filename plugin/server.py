"""A connection to an Elasticsearch deployment, and its errors as ours."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from elastic_transport import ConnectionError as TransportConnectionError
from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, NotFoundError, UnsupportedProductError

from relevance_eval.errors import (
    AuthenticationError,
    ConfigError,
    MissingIndexError,
    RequestError,
    ServerError,
    UnreachableError,
    UnsupportedServerError,
)

__all__ = [
    "OLDEST",
    "Connection",
    "connect",
    "reason_of",
    "server_version",
    "translated",
    "words_of",
]

OLDEST = (8, 12)
"""The first version with the `retriever`-era kNN search under a point in time that we rely on."""

SHOWN = 200
"""Characters of an answer that is none of Elasticsearch's, a proxy's page for one."""
OTHER_VERSION = "use a deployment of a supported version, or url = 'embedded'"


@dataclass(frozen=True)
class Connection:
    """Where a deployment is and how to be let in.

    Attributes:
        url: `http(s)://host:port`, or None with a cloud id.
        cloud_id: of Elastic Cloud, or None.
        api_key_env, username_env, password_env: names of environment variables, never the secrets
            themselves.
        ca_file: certificate authority in PEM, for a server of one's own.
        timeout: seconds for one request.
    """

    url: str | None = None
    cloud_id: str | None = None
    api_key_env: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    timeout: float = 30.0


def connect(connection: Connection) -> Elasticsearch:
    """A client that retries nothing by itself; nothing is sent yet.

    Raises:
        ConfigError: a named environment variable is not set, the certificate authority's file is
            not there, or the address cannot be used.
    """
    options: dict[str, Any] = {"request_timeout": connection.timeout, "max_retries": 0}
    if connection.api_key_env:
        options["api_key"] = header_of(connection.api_key_env, "api_key_env")
    elif connection.username_env and connection.password_env:
        user = secret(connection.username_env, "username_env")
        both = f"{user}:{secret(connection.password_env, 'password_env')}"
        # Encoded here, as the environment has it: the client takes ASCII alone.
        options["basic_auth"] = b64encode(os.fsencode(both)).decode()
    if connection.ca_file:
        if not connection.ca_file.is_file():
            raise ConfigError(
                f"there is no file {connection.ca_file}", where="[elasticsearch] ca_file"
            )
        options["ca_certs"] = str(connection.ca_file)
    place = {"cloud_id": connection.cloud_id} if connection.cloud_id else {"hosts": connection.url}
    try:
        return Elasticsearch(**place, **options)
    except (ValueError, TypeError, OSError) as error:
        raise ConfigError(f"cannot use this address: {error}", where="[elasticsearch]") from None


def secret(variable: str, key: str) -> str:
    """Raises ConfigError; it names the variable unless that could be the secret itself."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ConfigError(
            "the name of an environment variable is needed, not what it holds",
            where=f"[elasticsearch] {key}",
            remedy="put the secret into a variable, and the variable's name here",
        )
    value = os.environ.get(variable, "").rstrip("\r\n")  # what reads a file may keep its line's end
    if not value:
        raise ConfigError(
            f"the environment variable {variable} is not set",
            where=f"[elasticsearch] {key}",
            remedy=f"export {variable}=… before running",
        )
    return value


def header_of(variable: str, key: str) -> str:
    """As `secret`, of what a header holds as it is."""
    value = secret(variable, key)
    if not (value.isascii() and value.isprintable()):
        # a header cannot hold it, and those who say so repeat it
        raise ConfigError(
            f"what {variable} holds cannot be sent: it has letters other than ASCII, or a line's "
            "end in it",
            where=f"[elasticsearch] {key}",
            remedy="put the secret alone in it",
        )
    return value


def server_version(client: Elasticsearch) -> str:
    """The server's version number. Raises UnsupportedServerError below 8.12 or above 9.x."""
    with translated():
        try:
            number = str(client.info()["version"]["number"])
        except ApiError as error:
            # The embedded node lacks the module that answers GET /.
            if error.status_code != 405:
                raise
            nodes = client.nodes.info(metric="os", filter_path="nodes.*.version")["nodes"]
            number = str(next(iter(nodes.values()))["version"])
    major, minor = (int(part) for part in number.split(".")[:2])
    if not OLDEST <= (major, minor) < (10, 0):
        raise UnsupportedServerError(
            f"this is Elasticsearch {number}; {OLDEST[0]}.{OLDEST[1]} to 9.x is supported",
            remedy=OTHER_VERSION,
        )
    return number


@contextmanager
def translated(doing: str | None = None) -> Generator[None]:
    """Turns whatever the client raises into an error of ours; `doing` says where it happened."""
    try:
        yield
    except (TransportError, ApiError, UnsupportedProductError) as error:
        raise as_ours(error, doing) from error


def as_ours(error: Exception, doing: str | None) -> ServerError:
    if isinstance(error, UnsupportedProductError):
        return UnsupportedServerError(
            "what answers there is not Elasticsearch",
            where=doing,
            remedy="check [elasticsearch] url; forks of Elasticsearch are not supported",
        )
    if isinstance(error, ApiError):
        return of_status(error, doing)
    return unreachable(error, doing)


def of_status(error: ApiError, doing: str | None) -> ServerError:
    reason = words_of(error)
    if error.error == "media_type_header_exception":  # of another major version than the client
        return UnsupportedServerError(
            f"this Elasticsearch does not speak the protocol of version 8: {reason}",
            where=doing,
            remedy=OTHER_VERSION,
        )
    if error.status_code in (401, 403):
        return AuthenticationError(
            f"the server refuses: {reason}",
            where=doing,
            remedy="check the key or user named in [elasticsearch], and its privileges",
        )
    if isinstance(error, NotFoundError) and "index" in reason:
        return MissingIndexError(
            reason, where=doing, remedy="check [elasticsearch] index, or load the documents first"
        )
    if error.status_code == 400:
        return RequestError(reason, where=doing)
    return ServerError(f"{error.status_code}: {reason}", where=doing)


def unreachable(error: Exception, doing: str | None) -> UnreachableError:
    if isinstance(error, TlsError):
        what = f"no trusted connection: {error.message}"
        remedy = "set ca_file to the certificate authority of the server"
    elif isinstance(error, ConnectionTimeout):
        what, remedy = "no answer in time", "raise timeout in [elasticsearch], or try again later"
    elif isinstance(error, TransportConnectionError):
        what, remedy = f"cannot be reached: {error.message}", "check [elasticsearch] url"
    else:
        what, remedy = str(error), "check [elasticsearch] url"
    return UnreachableError(what, where=doing, remedy=remedy)


def words_of(error: ApiError) -> str:
    """Why the server refuses, in its words; of what is no JSON the beginning, on one line."""
    return reason_of(error.body) or " ".join(error.message.split())[:SHOWN]


def reason_of(body: Any) -> str:
    """The root cause that an error body holds, or an empty string."""
    error = cast(Mapping[str, Any], body).get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return ""
    known = cast(Mapping[str, Any], error)
    cause = (known.get("root_cause") or [known])[0]
    return str(cause.get("reason") or cause.get("type") or "")
