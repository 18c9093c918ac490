"""What is compared: runs of rankers and of files, with the documents in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relevance_eval.errors import ConfigError, InputError, UsageError
from relevance_eval.evaluators.document import Document, read_corpus
from relevance_eval.evaluators.pair import Pair, pool
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Run, read_run
from relevance_eval.project import Project, Task

if TYPE_CHECKING:
    # The client of Elasticsearch is imported when something is asked of it.
    from relevance_eval.plugin.pull import Pull
    from relevance_eval.plugin.rankers import Ranker

__all__ = ["Collected", "collect", "is_file"]


@dataclass(frozen=True)
class Collected:
    """Runs with the documents in them.

    Attributes:
        seconds: spent on the server's side; 0 for run files.
        indices: index to its settings and mapping, of those that were asked.
        absent: queries of the set that none of the rankers, all of them run files, has.
        strangers: run file to the queries in it that the set does not have.
        lacking: fields that the configuration names and none of the documents has.
    """

    queries: Sequence[Query]
    runs: Sequence[Run]
    documents: Mapping[str, Document]
    depth: int
    seconds: float
    indices: Mapping[str, Any] = field(default_factory=dict[str, Any])
    absent: Sequence[str] = ()
    strangers: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    lacking: Sequence[str] = ()

    @property
    def pairs(self) -> list[Pair]:
        return pool(self.runs, self.queries, self.documents, self.depth)

    @property
    def missing(self) -> list[str]:
        """Distinct documents in the runs of which there is no text."""
        ids = {q.id for q in self.queries}
        found = {h.document_id for r in self.runs for i in ids for h in r.hits(i)[: self.depth]}
        return sorted(found - self.documents.keys())


def collect(
    project: Project,
    names: Sequence[str],
    queries: Sequence[Query],
    task: Task,
    corpus: Path | None = None,
    *,
    whole: bool = False,
) -> Collected:
    """Runs of configured rankers, pulled now, and of TREC run files, in the order of `names`.

    Args:
        names: configured rankers, or paths of run files.
        corpus: where the documents of run files are; those of the index, if None.
        whole: keep queries that no run file has, as if nothing was found for them. They are left
            out else: they would be ties of lists that nobody made.

    Raises:
        UsageError: a name is neither, a run file knows none of the queries, none of its documents
            is in the corpus, or a ranker finds nothing for any query.
        ConfigError: none of the fields that the configuration names is in any document.
    """
    files = {n: read_run(Path(n)) for n in names if is_file(project, n)}
    check_files(files, queries)
    absent = absent_from(files, queries) if len(files) == len(names) else []
    if not whole:
        queries = [q for q in queries if q.id not in absent]
    depth = project.config.compare.depth
    runs = {name: cut(run, depth) for name, run in files.items()}
    rankers = [project.ranker(n) for n in names if n not in files]
    wanted = frozenset(h.document_id for r in runs.values() for q in queries for h in r.hits(q.id))
    documents: dict[str, Document] = {}
    seconds = 0.0
    indices: dict[str, Any] = {}
    if rankers or corpus is None:
        pulled, indices = ask(project, rankers, queries, frozenset() if corpus else wanted, task)
        runs |= {run.ranker: run for run in pulled.runs}
        documents |= pulled.documents
        seconds = pulled.seconds
    if corpus is not None:
        documents |= read_corpus(corpus, project.config.documents, wanted)
    check_found(runs.values(), queries)
    check_texts(wanted, documents, corpus)
    known = {q.id for q in queries}.union(absent)
    strangers = {n: sorted(run.results.keys() - known) for n, run in files.items()}
    return Collected(
        queries,
        [runs[n] for n in names],
        documents,
        depth,
        seconds,
        indices,
        absent,
        {Path(n).stem: found for n, found in strangers.items() if found},
        lacking_fields(project, documents),
    )


def ask(
    project: Project,
    rankers: Sequence[Ranker],
    queries: Sequence[Query],
    wanted: frozenset[str],
    task: Task,
) -> tuple[Pull, dict[str, Any]]:
    """What Elasticsearch has: the rankers' runs with their documents, the documents wanted, and how
    the indices asked are set up."""
    from relevance_eval.plugin.index_state import index_states
    from relevance_eval.plugin.pull import pull
    from relevance_eval.plugin.rankers import Target, components
    from relevance_eval.plugin.snapshot import snapshot

    embedders = project.embedders(rankers)
    fields, index = project.config.documents, project.config.elasticsearch.index
    asked = {c.target.index for ranker in rankers for c in components(ranker)} or {index}
    with project.session(task) as client:
        states = index_states(client, asked)
        found: dict[str, Document] = {}
        if wanted:
            with snapshot(client, Target(index), (), fields, project.load) as state:
                found = state.by_id(wanted)
        with task("pulling") as progress:
            pulled = pull(
                client,
                rankers,
                queries,
                k=project.config.compare.depth,
                fields=fields,
                embedders=embedders,
                load=project.load,
                progress=progress,
            )
    return replace(pulled, documents=found | dict(pulled.documents)), states


def is_file(project: Project, name: str) -> bool:
    if name in project.config.rankers:
        return False
    if Path(name).is_file():
        return True
    if Path(name).suffix == ".run" or "/" in name:
        raise InputError("there is no such run file", where=name)
    remedy = project.unknown("ranker", name, project.config.rankers).remedy
    raise UsageError(f"there is no ranker and no run file {name!r}", remedy=remedy)


def check_files(files: Mapping[str, Run], queries: Sequence[Query]) -> None:
    for path, run in files.items():
        if not any(run.hits(q.id) for q in queries):
            raise UsageError(
                "the run knows none of the queries",
                where=path,
                remedy="name the query set that it was made with: --queries FILE",
            )


def absent_from(files: Mapping[str, Run], queries: Sequence[Query]) -> list[str]:
    """The queries that no file has."""
    return [q.id for q in queries if not any(run.hits(q.id) for run in files.values())]


def check_texts(wanted: Set[str], documents: Mapping[str, Document], corpus: Path | None) -> None:
    """Raises UsageError where not one document of the run files has been found."""
    if wanted and wanted.isdisjoint(documents):
        raise UsageError(
            f"none of the {len(wanted):,} documents of the runs is there, such as {min(wanted)}",
            where=str(corpus) if corpus else "the index",
            remedy="name the corpus, or the index, that the runs were made from",
        )


def check_found(runs: Iterable[Run], queries: Sequence[Query]) -> None:
    """Raises UsageError for a ranker that found nothing at all: its field names are wrong."""
    for run in runs:
        if not any(run.hits(q.id) for q in queries) and not run.problems():
            raise UsageError(
                "found nothing for any query",
                where=f"ranker {run.ranker}",
                remedy="check the field names in its template, and that the index has documents",
            )


def lacking_fields(project: Project, documents: Mapping[str, Document]) -> list[str]:
    """The fields that [documents] names and none of these documents has.

    Raises ConfigError if these are all that it names: there is no text to grade.
    """
    if "documents" not in project.config.model_fields_set or not documents:
        return []
    named = project.config.documents
    present = {role for document in documents.values() for role in document.fields}
    if named and present.isdisjoint(named):
        raise ConfigError(
            f"none of {len(documents):,} documents has a field {' or '.join(named.values())}",
            where="[documents]",
            remedy="say there which field of your index plays which role",
        )
    return [name for role, name in named.items() if role not in present]


def cut(run: Run, depth: int) -> Run:
    results = {q: replace(r, hits=r.hits[:depth]) for q, r in run.results.items()}
    return Run(run.ranker, results)
