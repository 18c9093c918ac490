"""Result folders: everything a comparison was made from, in files that other tools read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relevance_eval.errors import storage_error
from relevance_eval.evaluation import Collected, Evaluation, Judged
from relevance_eval.evaluators.document import write_documents
from relevance_eval.evaluators.jsonl import write_rows
from relevance_eval.evaluators.qrels import write_qrels
from relevance_eval.evaluators.query import write_queries
from relevance_eval.evaluators.run import Run, write_run

__all__ = ["write_collected", "write_evaluation"]


def write_evaluation(home: Path, evaluation: Evaluation, answer: Mapping[str, Any]) -> Path:
    """A new folder below `home/results`, named by time and rankers; returns it.

    Raises StorageError if it cannot be written; labels are in the store by then.
    """
    stamp = re.sub(r"[-:]|\+.*", "", answer["created"])
    names = [file_name(run) for run in evaluation.collected.runs]
    folder = fresh(home / "results", f"{stamp}-{'-'.join(names)}"[:120])
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
    """`queries.jsonl`, `documents.jsonl`, and a TREC run file for each ranker."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    write_queries(folder / "queries.jsonl", collected.queries)
    write_documents(folder / "documents.jsonl", collected.documents.values())
    for run in collected.runs:
        write_run(folder / f"{file_name(run)}.run", run)


def fresh(parent: Path, name: str) -> Path:
    """A folder that does not exist yet: two comparisons of one second do not share one."""
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


def file_name(run: Run) -> str:
    return re.sub(r"[^\w.-]", "_", run.ranker)


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
