"""What the embedded node keeps on disk, for both sides: the parent and the child process.

<project>/.relevance-eval/node/
├── users.lock      each user's process holds it shared; the child waits for it exclusively
├── child.lock      the child holds it as long as it lives, whatever becomes of it
├── turn.lock       a user's process holds it while it loads documents
├── state.json      where the running node listens: url, pid, version
├── node.log        what the running node says (node.log.1: what the last one said)
├── data/           Elasticsearch's own
├── data-version    the Elasticsearch version that last wrote data/
└── home/           jars by symbolic link, made anew at each start; config/, logs/, tmp/
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FAILED", "NodeFolder", "State"]

FAILED = "relevance-eval: the node failed:"  # starts the child's last line when it gives up


@dataclass(frozen=True)
class State:
    """A node that has been announced; whether it still runs, child.lock says."""

    url: str
    pid: int
    version: str


class NodeFolder:
    """The paths below the node's folder (absolute), and what may be done with them."""

    def __init__(self, root: Path):
        self.root = root.absolute()
        self.users_lock = self.root / "users.lock"
        self.child_lock = self.root / "child.lock"
        self.turn_lock = self.root / "turn.lock"
        self.log = self.root / "node.log"
        self.data = self.root / "data"
        self.home = self.root / "home"
        self.lib = self.home / "lib"
        self.modules = self.home / "modules"
        self.config = self.home / "config"
        self.logs = self.home / "logs"
        self.temporary = self.home / "tmp"
        self._state = self.root / "state.json"
        self._data_version = self.root / "data-version"

    def prepare_home(self, jars: Iterable[Path]) -> None:
        """Lay the jars out as Elasticsearch expects them: its HTTP layer is a module of its own."""
        shutil.rmtree(self.home, ignore_errors=True)
        netty = self.modules / "transport-netty4"
        for folder in (self.lib, netty, self.config, self.logs, self.temporary, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        for jar in jars:
            of_netty = "netty" in jar.name or "ssl-config" in jar.name
            ((netty if of_netty else self.lib) / jar.name).symlink_to(jar.resolve())
            if jar.name.startswith("transport-netty4"):
                _unpack_descriptors(jar, netty)

    def data_version(self) -> str | None:
        """The Elasticsearch version that last wrote the data; None without data or record."""
        if not self.data.is_dir() or not any(self.data.iterdir()):
            return None
        try:
            return self._data_version.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def announce(self, state: State) -> None:
        """Record a node that runs now, and that its version has written the data."""
        _write(self._data_version, state.version)
        _write(self._state, json.dumps(vars(state)))

    def withdraw(self) -> None:
        self._state.unlink(missing_ok=True)

    def state(self) -> State | None:
        """The node announced last; None when it has gone in good order."""
        try:
            return State(**json.loads(self._state.read_text(encoding="utf-8")))
        except (FileNotFoundError, TypeError, ValueError):
            return None  # no node, or one of a release that wrote this file in another way

    def log_tail(self, size: int = 65536) -> list[str]:
        """The lines among the last `size` bytes of the log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - size))
                return log.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return []


def _unpack_descriptors(jar: Path, module: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        for name in ("plugin-descriptor.properties", "entitlement-policy.yaml"):
            content = archive.read(f"META-INF/es-plugins/transport-netty4/{name}")
            (module / name).write_bytes(content)


def _write(file: Path, text: str) -> None:
    """Write in one step: nobody reads half a file."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
