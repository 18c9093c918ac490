"""From a bare index to a labeler of one's own: the steps in order, those that are done skipped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from relevance_eval.config import RankerConfig
from relevance_eval.errors import (
    BudgetError,
    ConfigError,
    DependencyError,
    UsageError,
    storage_error,
)
from relevance_eval.evaluators.example import Example, read_examples, write_examples
from relevance_eval.evaluators.judgment import PERSON, Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import read_qrels
from relevance_eval.evaluators.query import read_queries
from relevance_eval.exporters.settings import Precision
from relevance_eval.ledger import Ledger, key_of
from relevance_eval.project import Project, Task
from relevance_eval.standing import Standing, standing

__all__ = ["STEPS", "Distillation", "Done", "distill"]

STEPS = ("synthesize", "mine", "people", "teach", "train", "export")
EXTRAS = {
    "train": ("torch", "transformers", "accelerate", "optimum", "onnx"),
    "teach": ("openai",),
}
"""Extra to the packages that the steps import of it."""
Notice = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """A step that is done.

    Attributes:
        result: what it came to, in counts and figures.
        seconds: that it took now; 0 if it was done before.
    """

    step: str
    result: Mapping[str, Any]
    seconds: float
    skipped: bool


@dataclass(frozen=True)
class Distillation:
    """What was made, and how it compares.

    Attributes:
        folder: the finished labeler.
        reference: whose grades the standings are against: `people`, or the teacher's name. The
            labeler's calibration was fitted on these pairs, its weights never saw them.
    """

    folder: Path
    steps: Sequence[Done]
    reference: str
    standings: Sequence[Standing]


@dataclass(frozen=True)
class Step:
    """One step to come.

    Attributes:
        settings: whatever its outcome depends on, beside its inputs.
        run: does it; is told whether it was begun before under the same settings and inputs.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: Sequence[Path]
    output: Path
    run: Callable[[bool], Mapping[str, Any]]


def distill(
    project: Project,
    task: Task,
    notice: Notice,
    *,
    seed: int | None = None,
    again: str | None = None,
) -> Distillation:
    """Synthesizes, mines, teaches, trains and exports by [training], then compares labelers.

    Stopped at any point, it goes on from there the next time. A step is done again when its
    settings, its inputs or its output have changed; a changed index is not noticed.

    Args:
        seed: in place of [training] seed.
        again: a step that is done again with all after it, even if nothing has changed.

    Raises:
        ConfigError: no endpoint is named that grades.
        BudgetError: the budget ended before all pairs were graded.
        DependencyError: the extra `train` or `teach` is not installed.
        What the steps raise.
    """
    if project.config.training.teach.endpoint is None:
        raise ConfigError(
            "no endpoint is named that grades",
            where="[training.teach] endpoint",
            remedy="describe one in [endpoints.NAME], and name it there",
        )
    check_extras(project.config.training.export.precision)
    try:
        project.training.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, project.training) from error
    ledger = Ledger(project.training / "distill.json")
    chosen = project.config.training.seed if seed is None else seed
    done: list[Done] = []
    first = len(STEPS) if again is None else STEPS.index(again)
    for step in steps(project, task, notice, chosen):
        forced = STEPS.index(step.name) >= first
        done.append(advance(step, ledger, notice, forced=forced))
    labeler = project.training / "labeler"
    reference, standings = standing(project, labeler, task, chosen)
    return Distillation(labeler, done, reference, standings)


def check_extras(precision: Precision) -> None:
    """Raises DependencyError now, not when the teacher has been paid."""
    rounding = ("nncf",) if precision == "int8-static" else ()
    for extra, packages in (EXTRAS | {"train": (*EXTRAS["train"], *rounding)}).items():
        if any(find_spec(package) is None for package in packages):
            raise DependencyError.for_extra(extra, "distill")


def advance(step: Step, ledger: Ledger, notice: Notice, *, forced: bool) -> Done:
    """Does the step unless it is done."""
    key = key_of(step.settings, step.inputs)
    before = None if forced else ledger.result(step.name, key, step.output)
    if before is not None:
        notice(f"{step.name}: done before")
        return Done(step.name, before, 0.0, skipped=True)
    resumed = ledger.begun(step.name, key) and not forced
    ledger.begin(step.name, key)
    started = time.perf_counter()
    result = step.run(resumed)
    ledger.end(step.name, key, step.output, result)
    return Done(step.name, result, time.perf_counter() - started, skipped=False)


def steps(project: Project, task: Task, notice: Notice, seed: int) -> Iterator[Step]:
    """Each when those before it are done, since its key depends on what they wrote."""
    c, folder = project.config.training, project.training
    source = {
        "server": project.config.elasticsearch.model_dump(include={"url", "cloud_id", "index"}),
        "documents": project.config.documents,
        "seed": seed,
    }
    queries, pairs, graded = (folder / f"{n}.jsonl" for n in ("queries", "pairs", "graded"))
    people, student, labeler = folder / "people.jsonl", folder / "student", folder / "labeler"
    writer = project.endpoint(c.synthesize.endpoint).model if c.synthesize.endpoint else None
    yield Step(
        "synthesize",
        {**source, **c.synthesize.model_dump(mode="json"), "model": writer},
        loaded(project),
        queries,
        lambda resumed: synthesized(project, queries, task, seed),
    )
    miners = mining_rankers(project)
    templates = (project.base / r.template for r in miners.values() if r.template)
    yield Step(
        "mine",
        {**source, **c.mine.model_dump(mode="json"), "rankers": described(project, miners)},
        (queries, *templates),
        pairs,
        lambda resumed: mined(project, queries, pairs, task, seed),
    )
    learned = (graded,)
    if c.people:  # before the teacher is paid: these grades may be of another index
        asked = project.base / project.config.queries.file
        yield Step(
            "people",
            source,
            (project.base / c.people, asked),
            people,
            lambda resumed: by_people(project, asked, people, task),
        )
        learned = (graded, people)
    teacher = {"model": project.endpoint(c.teach.endpoint or "").model}
    guidelines = (project.base / c.teach.guidelines,) if c.teach.guidelines else ()
    yield Step(
        "teach",
        c.teach.model_dump(mode="json") | teacher,
        (pairs, *guidelines),
        graded,
        lambda resumed: taught(project, pairs, graded, task),
    )
    yield Step(
        "train",
        c.train.model_dump(mode="json") | {"seed": seed},
        learned,
        student,
        lambda resumed: trained(project, learned, student, task, notice, seed, resumed),
    )
    yield Step(
        "export",
        c.export.model_dump(mode="json") | {"name": labeler_name(project)},
        (student,),
        labeler,
        lambda resumed: exported(project, student, labeler, task, notice),
    )


def labeler_name(project: Project) -> str:
    return project.config.training.export.name or f"{project.config.elasticsearch.index}-labeler"


def loaded(project: Project) -> tuple[Path, ...]:
    """The file that the embedded node is filled with, if it is one of ours."""
    settings = project.config.load
    files = (project.base / settings.documents,) if settings else ()
    return tuple(path for path in files if path.is_file())


def mining_rankers(project: Project) -> dict[str, RankerConfig]:
    """Those that mine, and those that they fuse, by name."""
    named = {n: project.ranker_config(n) for n in project.config.training.mine.rankers}
    fused = sorted({n for r in named.values() for n in r.fuse or ()})
    return named | {n: project.ranker_config(n) for n in fused}


def described(project: Project, rankers: Mapping[str, RankerConfig]) -> dict[str, Any]:
    """Settings of the rankers, and of their embedders: templates are inputs of their own."""
    embedders = project.config.embedders
    return {
        name: r.model_dump(mode="json")
        | (
            {"model": embedders[r.embedder].model_dump(mode="json")}
            if r.embedder in embedders
            else {}
        )
        for name, r in rankers.items()
    }


def synthesized(project: Project, out: Path, task: Task, seed: int) -> Mapping[str, Any]:
    from relevance_eval.synthesis import synthesize_project

    synthesis = synthesize_project(project, task, out=out, seed=seed)
    asking = synthesis.report.asking
    if asking and asking.unasked:
        raise BudgetError(
            f"the budget is spent: {asking.unasked:,} documents were not asked about",
            where=f"[endpoints.{project.config.training.synthesize.endpoint}]",
            remedy="run distill again to go on: nothing is paid for twice",
        )
    return {"queries": len(synthesis.queries), **synthesis.report.result()}


def mined(project: Project, asked: Path, out: Path, task: Task, seed: int) -> Mapping[str, Any]:
    from relevance_eval.mining import mine_project
    from relevance_eval.plugin.positives import known_positives

    queries = read_queries(asked)
    positives = known_positives(queries, None, project.config.compare.relevant)
    mining = mine_project(project, queries, positives, task, seed=seed)
    write_examples(out, mining.examples)
    return {"pairs": len(mining.examples), **mining.report.as_dict()}


def taught(project: Project, pairs: Path, out: Path, task: Task) -> Mapping[str, Any]:
    """Raises BudgetError if the budget ended before all pairs were graded."""
    from relevance_eval.exporters.teach import teach

    teacher = project.teacher(project.config.training.teach.endpoint or "")
    with project.store() as store, task("grading") as progress:
        lesson = teach(read_examples(pairs), teacher, store, progress)
    write_examples(out, lesson.examples)
    found = lesson.labelling
    if found.unasked:
        raise BudgetError(
            f"the budget is spent: {found.unasked:,} of {found.needed:,} pairs are not graded",
            where=f"[endpoints.{project.config.training.teach.endpoint}]",
            remedy="run distill again to go on (nothing is paid for twice), or make a labeler of "
            "what there is: relevance-eval train, then export",
        )
    return {
        "graded": found.bought + found.reused,
        "reused": found.reused,
        "failed": found.failed,
        "refused": found.refused,
        "reasons": dict(lesson.reasons),
        "cost": round(teacher.spent.cost, 6),
        "requests": teacher.spent.requests,
    }


def by_people(project: Project, asked: Path, out: Path, task: Task) -> Mapping[str, Any]:
    """People's grades with the documents as the index, alias or pattern has them now.

    Raises ConfigError if none of the grades fits, or an id is in two indices.
    """
    from relevance_eval.plugin.rankers import Target
    from relevance_eval.plugin.snapshot import snapshot

    given = project.base / (project.config.training.people or "")
    qrels, name = read_qrels(given), f"{PERSON}{given.name}"
    queries = [q for q in read_queries(asked) if q.id in qrels]
    wanted = sorted({i for q in queries for i in qrels[q.id]})
    target, fields = Target(project.config.elasticsearch.index), project.config.documents
    with (
        project.session(task) as client,
        snapshot(client, target, (), fields, project.load) as state,
    ):
        documents = state.by_id(wanted)
    examples = [
        Example(Pair(q, documents[i]), "people", judgment=Judgment.certain(name, grade))
        for q in queries
        for i, grade in qrels[q.id].items()
        if i in documents
    ]
    if not examples:
        raise ConfigError(
            "none of these grades is of a query of the set and a document of the index",
            where="[training] people",
            remedy=f"check {given}, [queries] file and [elasticsearch] index",
        )
    write_examples(out, examples)
    return {"pairs": len(examples), "queries": len({e.pair.query.id for e in examples})}


def trained(
    project: Project,
    learned: Sequence[Path],
    out: Path,
    task: Task,
    notice: Notice,
    seed: int,
    resumed: bool,
) -> Mapping[str, Any]:
    from relevance_eval.exporters.folders import ELSEWHERE
    from relevance_eval.exporters.students.checkpoint import AGAIN
    from relevance_eval.exporters.train import train

    examples = [e for path in learned for e in read_examples(path)]
    try:
        with task("training") as progress:
            training = train(
                examples,
                project.config.training.train,
                out,
                seed=seed,
                beside=project.base,
                progress=progress,
                notice=notice,
                restart=not resumed,
            )
    except UsageError as error:  # distill has no --restart, and no --out
        if error.remedy not in (AGAIN, ELSEWHERE):
            raise
        again = error.remedy == AGAIN
        remedy = "run relevance-eval distill --again train" if again else "move that folder away"
        raise UsageError(error.message, where=error.where, remedy=remedy) from None
    return {key: training.record[key] for key in ("data", "held_out", "calibration")}


def exported(
    project: Project, student: Path, out: Path, task: Task, notice: Notice
) -> Mapping[str, Any]:
    from relevance_eval.exporters.export import export

    settings = project.config.training.export
    named = settings.model_copy(update={"name": labeler_name(project)})
    threads = project.config.labelling.threads
    with task("exporting") as progress:
        made = export(student, named, out, threads=threads, progress=progress)
    for note in made.notes:
        notice(note)
    return made.record
