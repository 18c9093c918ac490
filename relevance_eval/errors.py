"""Every error a user can meet, in one tree.

RelevanceEvalError (5)
├── UsageError (2)                what was asked for is wrong, and can be mended by the user
│   ├── ConfigError               the configuration file, or a value in it
│   ├── InputError                a file of queries, documents, runs or judgments
│   └── TemplateError             a ranker's query body
├── DependencyError (2)           an extra that this command needs is not installed
├── LabelerError (2)              a labeler that cannot be loaded or does not fit its manifest
├── BudgetError (2)               a budget that does not pay for what was asked
├── ExportError (5)               a student that cannot be exported, or loses too much by it
├── EndpointError (5)             a language model's server: absent, refuses, or never answers
├── StorageError (5)              a file or folder that cannot be read or written
└── ServerError (5)               Elasticsearch
    ├── UnreachableError          absent, or gone away half-way
    ├── AuthenticationError       refuses the key, or the key may not do this
    ├── UnsupportedServerError    not Elasticsearch, or of a version that is not supported
    ├── MissingIndexError (2)     an index or alias that does not exist
    ├── RequestError (2)          a request that the server calls wrong
    └── EmbeddedNodeError         the node that runs in a child process

The number is the exit code. Each error says what was wrong, where, and what to do about it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

__all__ = [
    "AuthenticationError",
    "BudgetError",
    "ConfigError",
    "DependencyError",
    "EmbeddedNodeError",
    "EndpointError",
    "ExportError",
    "InputError",
    "LabelerError",
    "MissingIndexError",
    "RelevanceEvalError",
    "RequestError",
    "ServerError",
    "StorageError",
    "TemplateError",
    "UnreachableError",
    "UnsupportedServerError",
    "UsageError",
    "storage_error",
]


class RelevanceEvalError(Exception):
    """What went wrong, where (a file and line, a field, a query id), and what to do (`remedy`)."""

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, *, where: str | None = None, remedy: str | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"\n  {self.remedy}" if self.remedy else ""
        return f"{place}{self.message}{hint}"


class UsageError(RelevanceEvalError):
    exit_code = 2


class ConfigError(UsageError):
    """A configuration file that is missing, is not TOML, or holds a wrong key or value."""


class InputError(UsageError):
    """A file of queries, documents, runs or judgments that cannot be used as it is."""


class TemplateError(UsageError):
    """A ranker's query body that is not JSON or holds a placeholder nobody fills."""


class DependencyError(RelevanceEvalError):
    """An optional package is missing; the remedy names the extra that brings it."""

    exit_code = 2

    @classmethod
    def for_extra(cls, extra: str, purpose: str) -> DependencyError:
        return cls(
            f"{purpose} needs packages that are not installed",
            remedy=f"pip install 'relevance-eval[{extra}]'",
        )


class LabelerError(RelevanceEvalError):
    """A labeler's files are missing, broken, or do not fit together."""

    exit_code = 2


class BudgetError(RelevanceEvalError):
    """The budget pays for no request, or not for all that the next step needs."""

    exit_code = 2


class ExportError(RelevanceEvalError):
    """A student has no ONNX form here, or its ONNX form is not the same labeler any more."""


class EndpointError(RelevanceEvalError):
    """A language model's server is absent, refuses the key or the request, or never answers."""


class StorageError(RelevanceEvalError):
    """The disk is full, or a file cannot be read or written."""


class ServerError(RelevanceEvalError):
    """Elasticsearch could not do what was asked."""


class UnreachableError(ServerError):
    """No answer: absent, refused, timed out after the last retry, or gone away half-way."""


class AuthenticationError(ServerError):
    """The server refuses the credentials, or they lack a privilege."""


class UnsupportedServerError(ServerError):
    """What answers is not an Elasticsearch that this project supports."""


class MissingIndexError(ServerError):
    exit_code = 2


class RequestError(ServerError):
    """The server calls a request wrong, a ranker's body for one."""

    exit_code = 2


class EmbeddedNodeError(ServerError):
    """The embedded node could not be fetched, started, or kept running."""


def storage_error(error: OSError, path: str | os.PathLike[str]) -> StorageError:
    """An operating-system error about `path` as an error of ours."""
    return StorageError(
        error.strerror or str(error),
        where=str(Path(path)),
        remedy="free some space or choose another folder; what was written before is kept",
    )
