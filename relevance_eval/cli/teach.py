"""`relevance-eval teach`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_eval.cli.options import FILE, Session, common
from relevance_eval.cli.spending import amounts, told

if TYPE_CHECKING:
    import rich.console

    from relevance_eval.evaluators.example import Example
    from relevance_eval.exporters.endpoints.budget import Spent
    from relevance_eval.exporters.teach import Lesson, Teacher
    from relevance_eval.project import Project

__all__ = ["teach"]

REASONS_SHOWN = 5


@click.command()
@common
@click.argument("pairs", required=False, type=FILE)
@click.option("--endpoint", help="Endpoint that grades.  [default: the configuration's]")
@click.option(
    "--guidelines",
    type=FILE,
    help="Text on what counts as relevant here, for the teacher.  [default: the configuration's]",
)
@click.option("--dry-run", is_flag=True, help="Say about what it would take, and ask nothing.")
@click.option(
    "--batch-out",
    type=FILE,
    help="Write the requests to this file for a Batch API, and ask nothing.  [default: none]",
)
@click.option(
    "--batch-in",
    type=FILE,
    help="Take the answers out of this output file of a Batch API.  [default: none]",
)
@click.option(
    "--out",
    type=FILE,
    help="Graded pairs, JSON Lines.  [default: graded.jsonl in the training folder]",
)
def teach(
    session: Session,
    pairs: Path | None,
    endpoint: str | None,
    guidelines: Path | None,
    dry_run: bool,
    batch_out: Path | None,
    batch_in: Path | None,
    out: Path | None,
) -> None:
    """Have a language model grade PAIRS (JSON Lines; pairs.jsonl in the training folder).

    Every answer is stored as it comes: stopped half-way, or at the end of its budget, it goes on
    from there the next time, and pays for nothing twice.
    """
    from relevance_eval.errors import UsageError

    if sum((dry_run, batch_out is not None, batch_in is not None)) > 1:
        raise UsageError("--dry-run, --batch-out and --batch-in exclude each other")
    project = session.project()
    teacher = teacher_of(project, endpoint, guidelines)
    examples = read_pairs(pairs or project.training / "pairs.jsonl")
    if dry_run or batch_out:
        foresee(session, project, teacher, examples, batch_out)
    else:
        grade(session, project, teacher, examples, batch_in, out)


def teacher_of(project: Project, endpoint: str | None, guidelines: Path | None) -> Teacher:
    """Raises UsageError if no endpoint is named, or none of this name is configured."""
    from relevance_eval.errors import UsageError
    from relevance_eval.exporters.teach import open_teacher

    settings = project.config.training.teach
    name = endpoint or settings.endpoint
    if name is None:
        raise UsageError(
            "no endpoint is named that grades",
            where="[training.teach] endpoint",
            remedy="describe one in [endpoints.NAME], and name it there or with --endpoint",
        )
    if guidelines:
        settings = settings.model_copy(update={"guidelines": guidelines.resolve()})
    return open_teacher(project.endpoint(name), name, settings, project.base)


def read_pairs(path: Path) -> list[Example]:
    """Raises InputError if there are none."""
    from relevance_eval.errors import InputError
    from relevance_eval.evaluators.example import read_examples

    if not path.exists():
        raise InputError(
            "there is no such file", where=str(path), remedy="make it with: relevance-eval mine"
        )
    examples = read_examples(path)
    if not examples:
        raise InputError("the file holds no pairs", where=str(path))
    return examples


def foresee(
    session: Session,
    project: Project,
    teacher: Teacher,
    examples: list[Example],
    batch: Path | None,
) -> None:
    """What it would take to grade what is not graded yet; with `batch`, the requests too."""
    from relevance_eval.answer import envelope
    from relevance_eval.cli.printable import one_line
    from relevance_eval.exporters.teachers.batch import write_batch

    distinct = list({e.pair.key: e.pair for e in examples}.values())
    with project.store() as store:
        known = store.get(distinct, teacher.fingerprint, people=False)
    missing = [pair for pair in distinct if pair.key not in known]
    estimate = write_batch(batch, teacher, missing) if batch else teacher.estimate(missing)
    result = {
        "pairs": len(distinct),
        "reused": len(known),
        "estimate": amounts(estimate),
        "most": amounts(estimate.most),
        "file": str(batch) if batch else None,
    }

    def show(console: rich.console.Console) -> None:
        console.print(f"{len(distinct):,} pairs, {len(known):,} graded before")
        console.print(
            f"about {told(estimate)} for the rest, by {one_line(teacher.name)}", markup=False
        )
        console.print(f"at the most {told(estimate.most)}", markup=False)
        if batch:
            console.print(f"the requests are in {one_line(batch)}", markup=False, soft_wrap=True)

    session.console.answer(envelope("teach", project.hash, result), show)


def grade(
    session: Session,
    project: Project,
    teacher: Teacher,
    examples: list[Example],
    batch: Path | None,
    out: Path | None,
) -> None:
    """Asks, or reads the answers of a batch, and writes what is graded."""
    from relevance_eval.answer import envelope
    from relevance_eval.errors import storage_error
    from relevance_eval.evaluators.example import write_examples
    from relevance_eval.exporters.teach import teach as ask
    from relevance_eval.exporters.teachers.batch import BatchAnswers

    target = out or project.training / "graded.jsonl"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, target) from error
    answers = BatchAnswers(teacher, batch, [e.pair for e in examples]) if batch else None
    with project.store() as store, session.console.task("grading") as progress:
        lesson = ask(examples, answers or teacher, store, progress)
    write_examples(target, lesson.examples)
    spent = answers.used if answers else teacher.spent
    result = lesson_result(lesson, spent, target)
    result |= {"stopped": teacher.stopped.message if teacher.stopped else None}
    if answers:
        result |= {"unknown": answers.unknown, "broken": answers.broken}

    def show(console: rich.console.Console) -> None:
        from relevance_eval.cli.printable import one_line

        show_lesson(console, lesson, spent, teacher)
        if answers and (answers.unknown or answers.broken):
            console.print(
                f"[yellow]{answers.broken:,} lines of the batch cannot be read, and "
                f"{answers.unknown:,} answer other questions[/]"
            )
        console.print(f"graded pairs are in {one_line(target)}", markup=False, soft_wrap=True)

    session.console.answer(envelope("teach", project.hash, result), show)


def lesson_result(lesson: Lesson, spent: Spent, target: Path) -> dict[str, Any]:
    """Counts of distinct pairs, why some have no grade, and what it took."""
    labelling = lesson.labelling
    return {
        "needed": labelling.needed,
        "reused": labelling.reused,
        "graded": labelling.bought,
        "failed": labelling.failed,
        "refused": labelling.refused,
        "not_asked": labelling.unasked,
        "reasons": dict(lesson.reasons),
        "spent": amounts(spent),
        "seconds": round(labelling.seconds, 3),
        "examples": len(lesson.examples),
        "file": str(target),
    }


def show_lesson(
    console: rich.console.Console, lesson: Lesson, spent: Spent, teacher: Teacher
) -> None:
    from relevance_eval.cli.printable import one_line

    labelling = lesson.labelling
    rate = f" at {labelling.bought / labelling.seconds:,.1f}/s" if labelling.bought else ""
    console.print(
        f"{labelling.needed:,} pairs: {labelling.reused:,} graded before, "
        f"{labelling.bought:,} now{rate}, by {one_line(teacher.name)}",
        markup=False,
    )
    if lesson.reasons:
        console.print(f"[yellow]{labelling.failed:,} failed, {labelling.refused:,} refused[/]")
        for reason, count in list(lesson.reasons.items())[:REASONS_SHOWN]:
            console.print(f"  {count:,}: {one_line(reason, 200)}", markup=False)
    if teacher.stopped:
        stopped = teacher.stopped
        console.print(f"[yellow]{labelling.unasked:,} were not asked about[/]")
        console.print(f"  {one_line(stopped.message)}; {stopped.remedy}", markup=False)
    console.print(f"spent: {told(spent)}", markup=False)
