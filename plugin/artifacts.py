"""Maven artifacts: Elasticsearch's jars and the embedders', kept in one cache for all projects.

Only jgo's Maven layer is used. Its environment builder fetches a whole JDK to classify jars, and
writes to the home folder; neither is wanted here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from relevance_eval.errors import DependencyError, EmbeddedNodeError, storage_error

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

__all__ = ["cache_folder", "fetch_jars"]

logger = logging.getLogger(__name__)

_PAUSES = (1, 3)  # seconds before the second and the third attempt
CENTRAL = "Maven Central"
_TIMEOUT = 30  # seconds without a byte from the repository
_STALE = 24 * 3600  # seconds after which a download left behind by a killed process is removed


def mirror() -> str | None:
    """A Maven repository to use in place of Central: `$RELEVANCE_EVAL_MAVEN`, a URL.

    It may hold a user and a password: only `shown` of it is for people.
    """
    return os.environ.get("RELEVANCE_EVAL_MAVEN") or None


def shown(text: str) -> str:
    """The text without user and password of the addresses in it."""
    return re.sub(r"//[^/\s]*@", "//", text)


def cache_folder() -> Path:
    """The folder that all projects of this user share; it need not exist yet.

    `$RELEVANCE_EVAL_CACHE`, else `$XDG_CACHE_HOME/relevance-eval`, else `~/.cache/relevance-eval`.
    """
    if own := os.environ.get("RELEVANCE_EVAL_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "relevance-eval"


def fetch_jars(
    coordinates: Sequence[str],
    *,
    cache: Path | None = None,
    transitive: bool = True,
    otherwise: str = "",
) -> list[Path]:
    """The jars of `coordinates` ("group:artifact:version"), sorted by name; blocks on a download.

    With `transitive`, the jars they need come too. The network is used only the first time: a
    complete set is kept under `cache` (`cache_folder()` when None). `otherwise` is added to the
    remedy of a download that fails: what a user can do who has no network.

    Raises DependencyError without the `embedded` extra, EmbeddedNodeError when a download fails,
    StorageError when the cache cannot be written.
    """
    jars = (cache or cache_folder()) / "jars"
    kept = jars / _key(coordinates, transitive)
    if not kept.is_dir():
        try:
            jars.mkdir(parents=True, exist_ok=True)
            _remove_stale(jars)
            with tempfile.TemporaryDirectory(prefix=".part-", dir=jars) as part:
                _download(coordinates, transitive, Path(part), otherwise or None)
                _keep(Path(part) / "jars", kept)
        except OSError as error:
            raise storage_error(error, jars) from error
    return sorted(kept.glob("*.jar"))


def _key(coordinates: Sequence[str], transitive: bool) -> str:
    """A folder name a person can read, and no other set of jars has."""
    _, artifact, version = coordinates[0].split(":")[:3]
    digest = hashlib.sha256(repr((*coordinates, transitive)).encode()).hexdigest()[:8]
    return f"{artifact}-{version}-{digest}"


def _remove_stale(jars: Path) -> None:
    for part in jars.glob(".part-*"):
        if time.time() - part.stat().st_mtime > _STALE:
            shutil.rmtree(part, ignore_errors=True)


def _keep(finished: Path, kept: Path) -> None:
    """Give a finished download its name in one step, so that the name means: complete."""
    try:
        finished.rename(kept)
    except OSError:
        if not kept.is_dir():  # another process may have brought the same jars meanwhile
            raise


def _download(
    coordinates: Sequence[str], transitive: bool, part: Path, otherwise: str | None
) -> None:
    """Bring the jars into `part/jars`."""
    names = ", ".join(" ".join(c.split(":")[1:]) for c in coordinates)
    logger.info("downloading %s from %s (once)", names, shown(mirror() or CENTRAL))
    context = _context(part / "repository")
    try:
        artifacts = _artifacts(context, coordinates, transitive)
        with ThreadPoolExecutor(8) as pool:
            files = list(pool.map(_resolve, artifacts))
    except (OSError, RuntimeError, ParseError, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk: the network's errors, from requests, have no number
        raise _not_downloaded(coordinates, error, otherwise) from error
    (part / "jars").mkdir()
    for file in files:
        with file.open("rb") as content:
            os.fsync(content.fileno())
        file.rename(part / "jars" / file.name)


def _not_downloaded(
    coordinates: Iterable[str], error: Exception, otherwise: str | None
) -> EmbeddedNodeError:
    """Which jars are missing and why; an exception of requests is a page long, its name says it."""
    if isinstance(error, OSError):
        reason = f"no connection ({type(error).__name__})"
        remedies = ["connect to the internet once: what is downloaded is kept"]
    else:
        reason = shown(str(error))
        remedies = ["check the version, and that no proxy alters downloads"]
    remedies += [otherwise] if otherwise else []
    return EmbeddedNodeError(
        f"cannot download {' '.join(coordinates)}: {reason}",
        where=shown(mirror() or CENTRAL),
        remedy="; or ".join(remedies),
    )


def _context(repository: Path) -> MavenContext:
    """jgo's Maven layer, which writes below `repository` alone."""
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise DependencyError.for_extra("embedded", "downloading Maven artifacts") from error

    class PatientResolver(PythonResolver):
        def download(self, artifact: Artifact) -> Path | None:
            return _patiently(super().download, artifact)

    return MavenContext(
        resolver=PatientResolver(),
        repo_cache=repository,
        remote_repos={"mirror": url} if (url := mirror()) else None,
        timeout=_TIMEOUT,
    )


def _patiently(download: Callable[[Artifact], Path | None], artifact: Artifact) -> Path | None:
    """Download one file and check it, again after an error: of 150 files one may well break off.

    jgo leaves half a file where it would look for a whole one, and only warns of a damaged one.
    """
    for pause in _PAUSES:
        try:
            return _checked(download(artifact))
        except (OSError, zipfile.BadZipFile) as error:
            logger.debug("%s: %s", artifact, shown(str(error)))
            if artifact.cached_path is not None:
                artifact.cached_path.unlink(missing_ok=True)
            time.sleep(pause)
    return _checked(download(artifact))


def _resolve(artifact: Artifact) -> Path:
    return artifact.resolve()


def _checked(file: Path | None) -> Path | None:
    if file is not None and file.suffix == ".jar":
        with zipfile.ZipFile(file) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"{file.name} is damaged at {damaged}")
    return file


def _artifacts(
    context: MavenContext, coordinates: Sequence[str], transitive: bool
) -> list[Artifact]:
    """The artifacts of `coordinates`, with all they need at run time if `transitive`."""
    wanted = [context.create_dependency(coordinate) for coordinate in coordinates]
    if transitive:
        inputs, needed = context.resolver.resolve(wanted)
        wanted = inputs + [each for each in needed if each.scope in ("compile", "runtime")]
    return list({each.artifact.key: each.artifact for each in wanted}.values())
