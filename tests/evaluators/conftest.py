"""What the tests of runs, judgments, measures and verdicts share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relevance_eval.errors import RelevanceEvalError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query
from relevance_eval.evaluators.run import Hit, Result, Run


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "judgments.sqlite"


@pytest.fixture
def store(store_path: Path) -> Iterator[Judgments]:
    with Judgments(store_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def make_pairs() -> Callable[[int], list[Pair]]:
    """That many pairs, no two alike: query q0 with document d0, and so on."""

    def pairs(count: int) -> list[Pair]:
        return [
            Pair(Query(f"q{i}", f"query {i}"), Document(f"d{i}", {"body": f"text {i}"}))
            for i in range(count)
        ]

    return pairs


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """A run that returned these document ids in this order: `make_run("a", q1="x y z")`."""

    def run(name: str, **ranked: str) -> Run:
        results = {
            query_id: Result(tuple(Hit(i, -float(r)) for r, i in enumerate(ids.split())))
            for query_id, ids in ranked.items()
        }
        return Run(name, results)

    return run


@pytest.fixture(scope="session")
def certain() -> Callable[..., dict[str, Judgment]]:
    """Grades of one query as people give them: `certain(x=3, y=0)`."""
    return lambda **grades: {i: Judgment.certain("person:ann", g) for i, g in grades.items()}


@pytest.fixture(scope="session")
def explained() -> Callable[..., None]:
    """Checks that an error tells its place, its remedy and its exit code, and no internals."""

    def check(
        error: RelevanceEvalError, *, code: int, where: str | None, says: str, remedy: str = ""
    ) -> None:
        assert error.exit_code == code
        assert error.where == where
        assert says in error.message
        assert remedy in (error.remedy or "")
        assert bool(error.remedy) == bool(remedy)
        assert str(error).startswith(f"{where}: " if where else error.message)
        assert "Traceback" not in str(error)
        assert 'File "' not in str(error)

    return check
