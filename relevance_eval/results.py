"""Result folders: everything a comparison was made from, in files that other tools read."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from relevance_eval.collected import Collected
from relevance_eval.errors import UsageError, storage_error
from relevance_eval.evaluation import Evaluation, Judged
from relevance_eval.evaluators.document import write_documents
from relevance_eval.evaluators.jsonl import write_rows
from relevance_eval.evaluators.qrels import write_qrels
from relevance_eval.evaluators.query import write_queries
from relevance_eval.evaluators.run import Run, write_run

__all__ = [
    "check_file_names",
    "new_folder",
    "run_names",
    "write_collected",
    "write_evaluation",
]


def write_evaluation(home: Path, evaluation: Evaluation, answer: Mapping[str, Any]) -> Path:
    """A new folder below `home/results`, named by time and rankers; returns it.

    Raises StorageError if it cannot be written; labels are in the store by then.
    """
    folder = new_folder(home / "results", answer["created"], evaluation.collected)
    write_collected(folder, evaluation.collected)
    write_qrels(folder / "qrels.txt", hard_grades(evaluation.judged))
    write_rows(folder / "judgments.jsonl", judgment_rows(evaluation.judged))
    try:
        text = json.dumps(answer, indent=2, ensure_ascii=False)
        (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise storage_error(error, folder) from error
    return folder


def write_collected(folder: Path, collected: Collected) -> None:
    """`queries.jsonl`, `documents.jsonl`, `results.jsonl`, and a TREC run file for each ranker.

    Raises UsageError if two rankers' files would have one name.
    """
    check_file_names([run.ranker for run in collected.runs])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    write_queries(folder / "queries.jsonl", collected.queries)
    write_documents(folder / "documents.jsonl", collected.documents.values())
    write_rows(folder / "results.jsonl", result_rows(collected.runs))
    for run in collected.runs:
        write_run(folder / f"{file_name(run.ranker)}.run", run)


def run_names(names: Iterable[str], configured: Container[str]) -> list[str]:
    """Of rankers as a command names them; a run is named after its file."""
    return [name if name in configured else Path(name).stem for name in names]


def check_file_names(rankers: Sequence[str]) -> None:
    """Raises UsageError where one run file would be written over another."""
    seen: dict[str, str] = {}
    for ranker in rankers:
        name = file_name(ranker)
        if seen.get(name) == ranker:
            raise UsageError(
                f"two rankers have one name: {', '.join(rankers)}",
                remedy="name each once; rename one of two run files",
            )
        if name in seen:
            raise UsageError(
                f"{seen[name]!r} and {ranker!r} would both be written to {name}.run",
                remedy="rename one of the rankers",
            )
        seen[name] = ranker


def new_folder(parent: Path, created: str, collected: Collected) -> Path:
    """A new folder below `parent`, named by time and rankers: nothing is written over."""
    stamp = re.sub(r"[-:]|\+.*", "", created)
    names = [file_name(run.ranker) for run in collected.runs]
    return fresh(parent, f"{stamp}-{'-'.join(names)}"[:120])


def fresh(parent: Path, name: str) -> Path:
    """A folder that does not exist yet: what is made in one second does not share one."""
    for count in range(1, 10_000):
        folder = parent / (name if count == 1 else f"{name}-{count}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise storage_error(error, folder) from error
        return folder
    raise storage_error(OSError("no free name left"), parent)


def file_name(ranker: str) -> str:
    return re.sub(r"[^\w.-]", "_", ranker)


def result_rows(runs: Iterable[Run]) -> Iterator[Mapping[str, Any]]:
    """What a TREC run file has no place for: the server's milliseconds, and what went wrong."""
    for run in runs:
        for query_id, result in run.results.items():
            yield {
                "query": query_id,
                "ranker": run.ranker,
                "took": result.took,
                "problem": result.problem,
            }


def hard_grades(judged: Judged) -> dict[str, dict[str, int]]:
    return {
        q: {i: j.grade for i, j in sorted(known.items())} for q, known in sorted(judged.items())
    }


def judgment_rows(judged: Judged) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "query": query_id,
            "document": document_id,
            "probabilities": list(judgment.probabilities),
            "expected": judgment.expected,
            "grade": judgment.grade,
            "labeler": judgment.labeler,
        }
        for query_id, known in sorted(judged.items())
        for document_id, judgment in sorted(known.items())
    ]
