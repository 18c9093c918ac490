"""Queries for an index that nobody has asked anything yet, each written about one document."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elasticsearch import Elasticsearch

from relevance_eval.errors import ConfigError, InputError, UsageError, storage_error
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.query import Query, write_queries
from relevance_eval.exporters.endpoints.budget import Spent
from relevance_eval.exporters.queries.draft import Draft, slots_of
from relevance_eval.exporters.queries.extractive import EXTRACTIVE, extract
from relevance_eval.exporters.queries.screens import SCREENS, Screens
from relevance_eval.exporters.queries.vocabulary import Vocabulary
from relevance_eval.exporters.queries.worksheet import Worksheet
from relevance_eval.exporters.settings import Endpoint, Kind, SynthesizeSettings
from relevance_eval.plugin.sample import Sample, sample_documents
from relevance_eval.plugin.searches import Load
from relevance_eval.plugin.significance import significant_terms

if TYPE_CHECKING:
    # Only for annotations: without an endpoint the client of one need not be installed.
    from relevance_eval.exporters.endpoints.endpoint import Chat
    from relevance_eval.exporters.queries.asking import Asking

__all__ = ["WORKSHEET", "Foresight", "Report", "Synthesis", "foresee", "synthesize"]

WORKSHEET = "synthesis.jsonl"
"""Beside the queries: what models answered."""
DIMENSIONS = ("folder", "kind", "age")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Report:
    """What became of the documents and the drafts.

    Attributes:
        by: who wrote: `extractive`, or the model's name.
        documents: drawn from the index.
        held: in the index.
        short: left out by the sample, since they hold too little text.
        strata: `folder`, `kind` and `age`, each with the documents drawn by its values.
        drafts: queries written, before the screens.
        kinds: of the queries kept, with their numbers.
        dropped: screen to the drafts that it dropped, every screen named.
        asking: what the model was asked; None without one.
    """

    by: str
    documents: int
    held: int
    short: int
    strata: Mapping[str, Mapping[str, int]]
    drafts: int
    kinds: Mapping[str, int]
    dropped: Mapping[str, int]
    asking: Asking | None = None

    def result(self) -> dict[str, Any]:
        """The report as JSON has it."""
        shown = {name: value for name, value in vars(self).items() if name != "asking"}
        if self.asking is None:
            return shown
        told = {name: value for name, value in vars(self.asking).items() if name != "drafts"}
        return {**shown, **told, "spent": asdict(self.asking.spent)}


@dataclass(frozen=True)
class Synthesis:
    """Queries in the order of the sample, and how they came about.

    Each has the tags `kind`, `seed` (id of the document it was written about) and `by`.
    """

    queries: tuple[Query, ...]
    report: Report


def synthesize(
    client: Elasticsearch,
    index: str,
    settings: SynthesizeSettings,
    *,
    fields: Mapping[str, str],
    out: Path,
    seed: int,
    chat: Chat | None = None,
    load: Load | None = None,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """Writes queries about a sample of the index to `out`.

    With a chat, its model writes them, and every answer is kept in `synthesis.jsonl` beside `out`
    as it comes: started again after any end, this pays for no answer twice. Without, they are made
    of the documents' own words. The same sample, answers, settings and seed give the same file.

    Args:
        fields: role to index field, as in `document_from`.
        out: JSON Lines; written over, and only once all is done.
        progress: called with (documents done, documents in all).

    Raises:
        UsageError: `out` has the name of the answers' file.
        ConfigError, InputError: as `sample_documents`; or no query can be made, or none is kept.
        BudgetError: the budget does not pay for one request.
        EndpointError: the endpoint does not answer, or no answer is of use.
        StorageError: a file cannot be written; answers written before are kept.
    """
    answers = worksheet_beside(out)
    plan = lay_out(
        client, index, settings, model=chat is not None, fields=fields, seed=seed, load=load
    )
    vocabulary = Vocabulary(plan.sample.documents)
    asking: Asking | None = None
    if chat is None:
        terms = terms_of(client, index, plan.sample, fields, load, progress)
        drafts = {
            d.id: extract(d, slots, vocabulary, terms.get(d.id, {}), seed)
            for d, slots in plan.wanted
        }
    else:
        from relevance_eval.exporters.queries.asking import ask_about, questions_of

        asking = ask_about(
            chat,
            questions_of(plan.wanted, settings, chat.settings.model),
            Worksheet(answers),
            run=hash_of(settings, seed, index),
            seed=seed,
            progress=progress,
        )
        drafts = asking.drafts
    by = EXTRACTIVE if chat is None else chat.settings.model
    screens = Screens(settings, vocabulary)
    queries = kept_queries(plan.sample.documents, drafts, screens, by)
    report = report_of(plan.sample, drafts, queries, screens, by, asking)
    if not queries:
        raise nothing_kept(report, index)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, out) from error
    write_queries(out, queries)
    return Synthesis(queries, report)


def worksheet_beside(out: Path) -> Path:
    """Where the answers are kept. Raises UsageError if `out` would be written over them, with or
    without a model: they may have been paid for before."""
    # Some file systems tell no case apart.
    if out.name.casefold() == WORKSHEET:
        raise UsageError(
            f"{WORKSHEET} is where answers that were paid for are kept",
            where=str(out),
            remedy="give the queries another name",
        )
    return out.with_name(WORKSHEET)


@dataclass(frozen=True)
class Foresight:
    """What a model would be asked, before it is asked anything.

    Attributes:
        documents, held, short, strata: as in Report.
        reused: documents whose answer is there from before.
        most: requests, tokens and money for the others, by rules of thumb, at the most.
    """

    documents: int
    held: int
    short: int
    strata: Mapping[str, Mapping[str, int]]
    reused: int
    most: Spent


def foresee(
    client: Elasticsearch,
    index: str,
    settings: SynthesizeSettings,
    *,
    fields: Mapping[str, str],
    out: Path,
    seed: int,
    endpoint: Endpoint,
    load: Load | None = None,
) -> Foresight:
    """Draws the sample and counts; asks nothing and writes nothing. Raises as `synthesize`."""
    from relevance_eval.exporters.queries.asking import estimate, questions_of

    answers = worksheet_beside(out)
    plan = lay_out(client, index, settings, model=True, fields=fields, seed=seed, load=load)
    questions = questions_of(plan.wanted, settings, endpoint.model)
    sheet = Worksheet(answers)
    missing = [q for q in questions if not sheet.settled(q.key)]
    return Foresight(
        documents=len(plan.sample.documents),
        held=plan.sample.held,
        short=plan.sample.short,
        strata={name: plan.sample.count(name) for name in DIMENSIONS},
        reused=len(questions) - len(missing),
        most=estimate(missing, endpoint),
    )


@dataclass(frozen=True)
class Plan:
    """The seed documents, and the kinds of the queries wanted of each."""

    sample: Sample
    wanted: Sequence[tuple[Document, Sequence[Kind]]]


def lay_out(
    client: Elasticsearch,
    index: str,
    settings: SynthesizeSettings,
    *,
    model: bool,
    fields: Mapping[str, str],
    seed: int,
    load: Load | None,
) -> Plan:
    """Raises as `sample_documents`, and ConfigError if no kind is left without a model."""
    kinds: list[Kind] = [k for k in dict.fromkeys(settings.kinds) if model or k != "question"]
    if not kinds:
        raise ConfigError(
            "no kind of query is wanted that can be made without a model",
            where="[training.synthesize] kinds",
            remedy="name other kinds, or an endpoint",
        )
    sample = sample_documents(
        client,
        index,
        settings.documents,
        fields=fields,
        seed=seed,
        shortest=settings.shortest,
        date=settings.date,
        load=load,
    )
    return Plan(
        sample, [(d, slots_of(d, kinds, settings.per_document, seed)) for d in sample.documents]
    )


def terms_of(
    client: Elasticsearch,
    index: str,
    sample: Sample,
    fields: Mapping[str, str],
    load: Load | None,
    progress: Progress,
) -> Mapping[str, Mapping[str, float]]:
    """The index's significant terms of each document; none where no body is configured."""
    if "body" not in fields:
        return {}
    ids = [document.id for document in sample.documents]
    return significant_terms(client, index, ids, fields["body"], load=load, progress=progress)


def hash_of(settings: SynthesizeSettings, seed: int, index: str) -> str:
    """SHA-256 of what makes a start new; a larger sample only goes on."""
    values = settings.model_dump(mode="json", exclude={"documents"})
    return hashlib.sha256(json.dumps([values, seed, index], sort_keys=True).encode()).hexdigest()


def kept_queries(
    documents: Sequence[Document],
    drafts: Mapping[str, Sequence[Draft]],
    screens: Screens,
    by: str,
) -> tuple[Query, ...]:
    """What the screens let through. An id tells the document's place in the sample and the
    query's place among those wanted of it, so it stays when the sample grows."""
    return tuple(
        Query(
            f"s{place:04}-{draft.slot}",
            draft.text,
            {"kind": draft.kind, "seed": document.id, "by": by},
        )
        for place, document in enumerate(documents, start=1)
        for draft in screens.passed(drafts.get(document.id, ()), document)
    )


def report_of(
    sample: Sample,
    drafts: Mapping[str, Sequence[Draft]],
    queries: Sequence[Query],
    screens: Screens,
    by: str,
    asking: Asking | None,
) -> Report:
    return Report(
        by=by,
        documents=len(sample.documents),
        held=sample.held,
        short=sample.short,
        strata={name: sample.count(name) for name in DIMENSIONS},
        drafts=sum(map(len, drafts.values())),
        kinds=dict(sorted(Counter(q.tags["kind"] for q in queries).items())),
        dropped={reason: screens.dropped[reason] for reason in SCREENS},
        asking=asking,
    )


def nothing_kept(report: Report, index: str) -> InputError:
    where = f"index {index}"
    if not report.drafts:
        return InputError(
            f"no query of the kinds wanted can be made of {report.documents:,} documents",
            where=where,
            remedy="name other kinds in [training.synthesize], or fields in [documents]",
        )
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in report.dropped.items() if count)
    return InputError(
        f"none of {report.drafts:,} queries by {report.by} is kept: {dropped}",
        where=where,
        remedy="draw more documents, name a larger model, or lower answered in "
        "[training.synthesize]",
    )
