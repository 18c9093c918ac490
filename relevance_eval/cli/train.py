"""`relevance-eval train`."""

from __future__ import annotations

from pathlib import Path

import click

from relevance_eval.cli.options import FILE, FOLDER, Session, common

__all__ = ["train"]


@click.command()
@common
@click.argument("graded", nargs=-1, type=FILE)
@click.option(
    "--qrels",
    type=FILE,
    multiple=True,
    help="A teacher's grades bought elsewhere, TREC format; with --queries and --corpus.  "
    "[default: none]",
)
@click.option(
    "--people",
    type=FILE,
    multiple=True,
    help="Grades by people, TREC format; with --queries and --corpus.  [default: none]",
)
@click.option(
    "--queries", help="Queries of the grades, JSON Lines or irds:NAME.  [default: configured]"
)
@click.option(
    "--corpus", help="Documents of the grades, JSON Lines or irds:NAME.  [default: [load]]"
)
@click.option(
    "--kind",
    type=click.Choice(["encoder", "decoder"]),
    help="What the student is.  [default: the configuration's, encoder]",
)
@click.option(
    "--base",
    help="minilm, a folder, owner/name of a hub, or a .gguf file.  "
    "[default: the configuration's, minilm]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the data, at most.  [default: the configuration's, 3]",
)
@click.option(
    "--out", type=FOLDER, help="Folder of the student.  [default: student/ in the training folder]"
)
@click.option("--restart", is_flag=True, help="Forget a training that was in the folder before.")
def train(
    session: Session,
    graded: tuple[Path, ...],
    qrels: tuple[Path, ...],
    people: tuple[Path, ...],
    queries: str | None,
    corpus: str | None,
    kind: str | None,
    base: str | None,
    epochs: int | None,
    out: Path | None,
    restart: bool,
) -> None:
    """Teach a student what GRADED files hold: JSON Lines as `teach` writes them.

    Without any file, graded.jsonl in the training folder. Stopped half-way, it goes on from the
    last evaluation, to the same numbers.
    """
    from relevance_eval.answer import envelope
    from relevance_eval.cli.training_table import show_training
    from relevance_eval.errors import DependencyError
    from relevance_eval.learning import changed_settings, gathered

    project = session.project(required=out is None or not (graded or qrels))
    settings = changed_settings(project.config.training.train, kind=kind, base=base, epochs=epochs)
    examples = gathered(project, graded, qrels=qrels, people=people, queries=queries, corpus=corpus)
    try:
        from relevance_eval.exporters.train import train as teach_student
    except ImportError:
        raise DependencyError.for_extra("train", "training a student") from None
    with session.console.task("training, steps") as progress:
        training = teach_student(
            examples,
            settings,
            out or project.training / "student",
            seed=project.config.training.seed if session.seed is None else session.seed,
            beside=project.base if base is None else Path(),
            progress=progress,
            notice=session.console.notice,
            restart=restart,
        )
    result = {"folder": str(training.folder), "fresh": training.fresh, **training.record}
    answer = envelope("train", project.hash, result)
    session.console.answer(answer, lambda console: show_training(console, training))
