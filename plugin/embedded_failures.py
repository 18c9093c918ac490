"""What can be wrong with the embedded node, as errors with the remedy that fits."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from relevance_eval.errors import EmbeddedNodeError
from relevance_eval.plugin.embedded_layout import FAILED, NodeFolder, State

__all__ = [
    "data_refused",
    "heap_exceeds",
    "not_supported",
    "other_version",
    "start_failed",
    "stopped",
    "timed_out",
    "unusable_jars",
]

# what the log says, what it means, what to do; the first that fits is told
_CAUSES = [
    (
        r"Could not reserve enough space|Invalid (maximum|initial) heap size|Too small maximum heap"
        r"|insufficient memory|Native memory allocation",
        "Java cannot have a heap of {heap}",
        "choose another heap, or free memory",
    ),
    (
        r"OutOfMemoryError",
        "a heap of {heap} is not enough",
        "give the node a larger heap",
    ),
    (
        r"BindHttpException|BindTransportException",
        "no port of 127.0.0.1 can be had",
        "close programs that hold many connections, and check that 127.0.0.1 is up",
    ),
    (
        r"failed to obtain node locks|AlreadyBoundException",
        "its data is in use by another Elasticsearch, or cannot be written",
        "end the other one, or make {data} writable",
    ),
    (
        r"cannot downgrade a node|cannot upgrade a node",
        "its data was written by an Elasticsearch that does not go with this version",
        "remove {data}; its indices must then be made again",
    ),
    (
        r"No space left on device",
        "the disk is full",
        "free some space",
    ),
]


def not_supported(otherwise: str) -> EmbeddedNodeError:
    return EmbeddedNodeError(
        "the embedded Elasticsearch node needs Linux or macOS",
        remedy=otherwise,
    )


def unusable_jars(jars: Path, version: str) -> EmbeddedNodeError:
    """The jars are of a version that is laid out in another way, or have been damaged since."""
    return EmbeddedNodeError(
        f"Elasticsearch {version} cannot be run from these jars",
        where=str(jars),
        remedy=f"if {version} has run before, remove {jars}; else choose 9.2.2",
    )


def data_refused(folder: NodeFolder, version: str) -> EmbeddedNodeError | None:
    """Why the data cannot be opened by `version`; None when it can: same major, not newer."""
    written = folder.data_version()
    if written is None:
        return None
    try:
        old, new = _numbers(written), _numbers(version)
    except ValueError:
        return None  # Elasticsearch itself also looks at what it reads
    if old[0] == new[0] and old <= new:
        return None
    return EmbeddedNodeError(
        f"the data was written by Elasticsearch {written} and cannot be opened by {version}",
        where=str(folder.data),
        remedy=f"remove {folder.data} (its indices must then be made again), or use {written}",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def heap_exceeds(heap: str) -> EmbeddedNodeError | None:
    """Refuse a heap that this machine cannot hold: Java would take it, and be killed later."""
    size = int(heap[:-1]) << {"k": 10, "m": 20, "g": 30}[heap[-1]]
    memory = _memory()
    if size < memory:
        return None
    return EmbeddedNodeError(
        f"a heap of {heap} does not fit into this machine's memory of {memory / (1 << 30):.1f} GiB",
        remedy="choose a smaller heap for the embedded node, such as 1g",
    )


def _memory() -> int:
    """The bytes that processes here may use: the machine's, or the container's if it has fewer."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        container = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8").strip()
    except OSError:
        return machine
    return min(machine, int(container)) if container.isdecimal() else machine


def other_version(folder: NodeFolder, state: State, version: str) -> EmbeddedNodeError:
    return EmbeddedNodeError(
        f"a node of version {state.version} (process {state.pid}) is in use, not {version}",
        where=str(folder.root),
        remedy="wait for its users to end, or ask for the same version",
    )


def timed_out(folder: NodeFolder, seconds: float) -> EmbeddedNodeError:
    """No answer in time: of a node that is still starting, or of one that hangs."""
    state = folder.state()
    if state is None:  # it ends by itself, when nobody waits for it any more
        what, remedy = "the node", "try again with more time, or when the machine is less busy"
    else:
        what, remedy = f"the node (process {state.pid})", f"it may hang: kill -9 {state.pid}"
    return EmbeddedNodeError(
        f"{what} did not answer within {seconds:g} s; its log ends: {_end(folder)}",
        where=str(folder.log),
        remedy=remedy,
    )


def start_failed(folder: NodeFolder, code: int, heap: str) -> EmbeddedNodeError:
    """The child ended with `code` before it answered."""
    return _ended(folder, code, heap, "the node could not start")


def stopped(folder: NodeFolder, code: int | None, heap: str) -> EmbeddedNodeError:
    """The child ended while in use, with `code` when this process is its parent."""
    return _ended(folder, code, heap, "the node has stopped")


def _ended(folder: NodeFolder, code: int | None, heap: str, what: str) -> EmbeddedNodeError:
    if code == -signal.SIGKILL:
        return EmbeddedNodeError(
            f"{what}: it was killed, most likely by the system because memory ran out",
            where=str(folder.log),
            remedy=f"free memory, or give the node a smaller heap than {heap}",
        )
    for pattern, meaning, remedy in _CAUSES:
        if line := _last_line(folder, pattern):
            return EmbeddedNodeError(
                f"{what}: {meaning.format(heap=heap)}; {line}",
                where=str(folder.log),
                remedy=remedy.format(data=folder.data),
            )
    exit_code = "" if code is None else f" (exit code {code})"
    return EmbeddedNodeError(
        f"{what}{exit_code}; its log says: {_telling(folder)}",
        where=str(folder.log),
        remedy="read the log named here",
    )


def _telling(folder: NodeFolder) -> str:
    """The line of the log that says most: why the child gave up, else an error, else the last."""
    patterns = (re.escape(FAILED), r"(?i)error|exception|fatal")
    found = filter(None, (_last_line(folder, each) for each in patterns))
    return next(found, None) or _end(folder)


def _end(folder: NodeFolder) -> str:
    return _last_line(folder, r"\S") or "nothing"


def _last_line(folder: NodeFolder, pattern: str, limit: int = 400) -> str | None:
    """The last line of the log that fits, without what stands before the child's own words."""
    for line in reversed(folder.log_tail()):
        if re.search(pattern, line):
            return line.rpartition(FAILED)[2].strip()[:limit]
    return None
