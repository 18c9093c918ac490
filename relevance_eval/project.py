"""What a configuration describes, made real: connection, rankers, labeler, store."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from relevance_eval.config import Config, RankerConfig, read_config
from relevance_eval.errors import ConfigError, UnreachableError, UsageError
from relevance_eval.evaluators.query import Query, read_queries

if TYPE_CHECKING:
    # Only for annotations: a verb imports the client, the model runtime and the statistics when it
    # needs them, so that help and small verbs start at once.
    from elasticsearch import Elasticsearch

    from relevance_eval.evaluators.audit import Audit
    from relevance_eval.evaluators.comparison import Plan
    from relevance_eval.evaluators.judgments import Judgments
    from relevance_eval.evaluators.labelling import Labeler
    from relevance_eval.exporters.settings import Endpoint
    from relevance_eval.exporters.teach import Teacher
    from relevance_eval.plugin.collection import Source
    from relevance_eval.plugin.embedders import Embedder
    from relevance_eval.plugin.rankers import Ranker, StoredRanker, Target, TemplateRanker
    from relevance_eval.plugin.searches import Load
    from relevance_eval.thrift import Thrift

__all__ = ["Project", "Task", "open_project", "untold"]

Task = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Opens a named piece of long work; what it gives is called with (done, total)."""
HOME = ".relevance-eval"
ENDPOINT = "endpoint:"


@contextmanager
def untold(name: str) -> Generator[Callable[[int, int], None]]:
    """A Task that shows nothing."""
    yield lambda done, total: None


def open_project(path: Path, *, required: bool = True) -> Project:
    """The project of a configuration file.

    Args:
        required: without it, a file that is not there stands for the defaults.
    """
    if not required and not path.exists():
        return Project(Config(), Path.cwd())
    return Project(read_config(path), path.resolve().parent)


@dataclass(frozen=True)
class Project:
    """A configuration and the folder that its paths begin in."""

    config: Config
    base: Path

    @property
    def home(self) -> Path:
        """Where everything of ours is kept: the store, the embedded node, results."""
        return self.base / HOME

    @property
    def hash(self) -> str:
        """SHA-256 of the configuration in force and of the rankers' templates."""
        digest = hashlib.sha256(self.config.hash.encode())
        for name, ranker in sorted(self.config.rankers.items()):
            path = self.base / ranker.template if ranker.template else None
            if path and path.is_file():
                digest.update(f"\n{name} ".encode() + path.read_bytes())
        return digest.hexdigest()

    @property
    def training(self) -> Path:
        """The folder in which the steps from an index to a labeler leave their files."""
        given = self.config.training.folder
        return self.base / given if given else self.home / "training"

    def endpoint(self, name: str) -> Endpoint:
        """Raises UsageError for a name that is not configured."""
        if name not in self.config.endpoints:
            raise self.unknown("endpoint", name, self.config.endpoints)
        return self.config.endpoints[name]

    def queries(self, file: Path | None = None) -> list[Query]:
        """Raises InputError with the line of what cannot be used."""
        return read_queries(file or self.base / self.config.queries.file)

    def thrift(
        self,
        labels: str | None = None,
        max_labels: int | None = None,
        max_minutes: float | None = None,
        *,
        loss: bool = False,
    ) -> Thrift | None:
        """How labels are bought, where not all are; what is None is the configuration's.

        Raises UsageError for a budget that all labels have no use for, LabelerError if there is no
        such forecaster.
        """
        from relevance_eval.evaluators.decisive.comparison import Budget
        from relevance_eval.thrift import Thrift

        usual = self.config.compare
        mode = labels or usual.labels
        minutes = max_minutes or usual.max_minutes
        if mode == "all":
            if max_labels or max_minutes:
                raise UsageError(
                    "all labels have no budget", remedy="say --labels decisive, or exact, as well"
                )
            return None
        budget = Budget(max_labels or usual.max_labels, minutes and 60 * minutes)
        forecaster = self.configured_labeler(usual.forecaster) if usual.forecaster else None
        return Thrift("exact" if mode == "exact" else "decisive", budget, loss, forecaster)

    def audit(self, file: Path | None = None) -> Audit | None:
        """The audit of this file, or of the configuration; None without one.

        Raises InputError for a file that is no audit.
        """
        from relevance_eval.evaluators.audit import read_audit

        configured = self.config.compare.audit
        path = file or (self.base / configured if configured else None)
        return read_audit(path) if path else None

    def store(self) -> Judgments:
        """Raises StorageError if the store cannot be opened."""
        from relevance_eval.evaluators.judgments import Judgments

        return Judgments(self.home / "judgments.sqlite")

    def labeler(self, name: str | None = None) -> Labeler:
        """The labeler of this name, or the configuration's.

        Args:
            name: as on the command line, where a folder's path begins in the working folder.

        Raises LabelerError if there is no such labeler, UsageError if no such endpoint.
        """
        if name:
            return self.labeler_of(name, Path.cwd())
        return self.configured_labeler(self.config.labeler)

    def configured_labeler(self, name: str) -> Labeler:
        """As `labeler`, of a name that the configuration holds, in whose folder paths begin."""
        return self.labeler_of(name, self.base)

    def labeler_of(self, name: str, base: Path) -> Labeler:
        from relevance_eval.evaluators.labelers.load import load_labeler
        from relevance_eval.people import People

        if name.startswith(ENDPOINT):
            return self.teacher(name.removeprefix(ENDPOINT))
        if name == People.name:
            return People(self.home / "sheets")
        return load_labeler(name, base=base, threads=self.config.labelling.threads)

    def teacher(self, name: str) -> Teacher:
        """The language model behind a configured endpoint, as a labeler."""
        from relevance_eval.exporters.teach import open_teacher

        return open_teacher(self.endpoint(name), name, self.config.training.teach, self.base)

    def plan(self, seed: int | None = None) -> Plan:
        """What to measure and how to decide. Raises UsageError for a measure that is none."""
        from relevance_eval.evaluators.comparison import Plan
        from relevance_eval.evaluators.measures import parse_measure
        from relevance_eval.evaluators.verdict import Rule

        c = self.config.compare
        primary = parse_measure(c.primary, relevant=c.relevant, gain=c.gain)
        others = tuple(
            parse_measure(m, relevant=c.relevant, gain=c.gain)
            if m.startswith(("EnDCG", "sDCG", "RBP"))
            else parse_measure(m, relevant=c.relevant)
            for m in c.measures
        )
        deepest = max(m.depth or 0 for m in (primary, *others))
        if deepest > c.depth:
            raise ConfigError(
                f"a measure looks at {deepest} hits, and depth = {c.depth} pulls fewer",
                where="[compare]",
                remedy=f"set depth = {deepest}",
            )
        return Plan(
            primary=primary,
            others=others,
            rule=Rule(c.alpha, c.margin),
            no_gain=c.no_gain,
            seed=c.seed if seed is None else seed,
            permutations=c.permutations,
            correction=c.correction,
            target=c.target,
            resamples=c.resamples,
            label_draws=c.label_draws,
        )

    @property
    def load(self) -> Load:
        from relevance_eval.plugin.searches import Load

        c = self.config.pull
        return Load(c.batch, c.in_flight, c.retries, c.pause)

    # rankers

    def ranker(self, name: str) -> Ranker:
        """Raises UsageError for a name that is not configured, TemplateError for a broken body."""
        from relevance_eval.plugin.rankers import FusedRanker

        settings = self.ranker_config(name)
        if settings.fuse is None:
            return self.single(name, settings)
        parts: list[TemplateRanker | StoredRanker] = []
        for part in settings.fuse:
            inner = self.ranker_config(part)
            if inner.fuse is not None:
                raise ConfigError(f"{part} is fused itself", where=f"[rankers.{name}] fuse")
            parts.append(self.single(part, inner))
        return FusedRanker(name, tuple(parts), settings.rank_constant, settings.window)

    def single(self, name: str, settings: RankerConfig) -> TemplateRanker | StoredRanker:
        from relevance_eval.plugin.rankers import (
            SAMPLES,
            StoredRanker,
            TemplateRanker,
            check_vector,
        )
        from relevance_eval.plugin.templates import read_template

        target = self.target(settings)
        if settings.stored_template is not None:
            return StoredRanker(
                name, target, settings.stored_template, settings.timeout, settings.params
            )
        if settings.embedder and settings.embedder not in self.config.embedders:
            raise self.unknown("embedder", settings.embedder, self.config.embedders)
        path = self.base / (settings.template or "")
        template = read_template(path, {**SAMPLES, **settings.params})
        ranker = TemplateRanker(
            name, target, template, settings.timeout, settings.embedder, settings.params
        )
        check_vector(ranker)
        return ranker

    def target(self, settings: RankerConfig) -> Target:
        from relevance_eval.plugin.rankers import Target

        index = settings.index or self.config.elasticsearch.index
        return Target(index, settings.routing, settings.preference)

    def ranker_config(self, name: str) -> RankerConfig:
        if name not in self.config.rankers:
            raise self.unknown("ranker", name, self.config.rankers)
        return self.config.rankers[name]

    def unknown(self, kind: str, name: str, known: Iterable[str]) -> UsageError:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        listed = f"configured: {', '.join(names)}" if names else f"no {kind} is configured"
        remedy = f"did you mean {near[0]}?" if near else listed
        return UsageError(f"there is no {kind} {name!r}", remedy=remedy)

    # Elasticsearch

    @contextmanager
    def session(self, task: Task, *, fill: bool = True) -> Generator[Elasticsearch]:
        """A client of a supported server; the embedded node runs as long as the context is open.

        Args:
            task: shows how the embedded node is started and filled.
            fill: load the documents of [load] into the embedded node if it does not hold them.
        """
        if not self.config.elasticsearch.embedded:
            with self.client(self.config.elasticsearch.url) as client:
                yield client
            return
        from relevance_eval.plugin.embedded import EmbeddedNode

        with EmbeddedNode(self.home, heap=self.config.elasticsearch.heap) as node:
            with task("starting Elasticsearch"):
                url = node.start()
            try:
                with self.client(url) as client:
                    if fill:
                        with node.alone():
                            self.fill(client, task)
                    yield client
            except UnreachableError as error:
                raise node.failure() or error from error

    @contextmanager
    def client(self, url: str) -> Generator[Elasticsearch]:
        from relevance_eval.plugin.server import Connection, connect, server_version

        c = self.config.elasticsearch
        client = connect(
            Connection(
                url=None if c.cloud_id else url,
                cloud_id=c.cloud_id,
                api_key_env=c.api_key_env,
                username_env=c.username_env,
                password_env=c.password_env,
                ca_file=self.base / c.ca_file if c.ca_file else None,
                timeout=c.timeout,
            )
        )
        try:
            server_version(client)
            yield client
        finally:
            client.close()

    def fill(self, client: Elasticsearch, task: Task) -> None:
        from relevance_eval.plugin.collection import is_loaded, load_documents, read_mapping

        settings, index = self.config.load, self.config.elasticsearch.index
        if settings is None:
            return
        source = self.source(settings.documents)
        embedder = self.embedder(settings.embedder) if settings.embedder else None
        body = read_mapping(self.base / settings.mapping) if settings.mapping else None
        fields = self.config.documents
        if is_loaded(client, index, source, body=body, embedder=embedder, fields=fields):
            return
        with task("loading documents") as progress:
            load_documents(
                client,
                index,
                source,
                body=body,
                embedder=embedder,
                fields=fields,
                replace=True,
                progress=progress,
            )

    def source(self, name: str) -> Source:
        from relevance_eval.plugin.collection import open_source

        return open_source(name if name.startswith("irds:") else str(self.base / name))

    def embedders(self, rankers: Iterable[Ranker]) -> dict[str, Embedder]:
        """The embedders that these rankers use, by name."""
        from relevance_eval.plugin.rankers import TemplateRanker, components

        singles = [c for r in rankers for c in components(r) if isinstance(c, TemplateRanker)]
        return {c.embedder: self.embedder(c.embedder) for c in singles if c.embedder}

    def embedder(self, name: str) -> Embedder:
        """Raises UsageError for a name that is not configured, ConfigError for a broken model."""
        from relevance_eval.plugin.embedders import EmbedderSettings, load_embedder

        if name not in self.config.embedders:
            raise self.unknown("embedder", name, self.config.embedders)
        if name not in self.loaded:
            configured = self.config.embedders[name].model_dump(exclude={"base"})
            settings = EmbedderSettings(**configured)
            self.loaded[name] = load_embedder(settings, self.base)
        return self.loaded[name]

    @cached_property
    def loaded(self) -> dict[str, Embedder]:
        """Embedders that were used already: filling an index and asking it need the same one."""
        return {}
