"""Questions in a file, answers in another, and nothing taken for what it is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relevance_eval.errors import BudgetError, InputError
from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.judgments import Judgments
from relevance_eval.evaluators.labelling import label
from relevance_eval.evaluators.pair import Pair
from relevance_eval.exporters.settings import Endpoint, TeachSettings
from relevance_eval.exporters.teach import Teacher
from relevance_eval.exporters.teachers.batch import BatchAnswers, write_batch

WHERE = "[endpoints.teacher]"
Make = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Judgments]:
    with Judgments(tmp_path / "judgments.sqlite") as opened:
        yield opened


def teacher(**settings: Any) -> Teacher:
    return Teacher(Endpoint(model="small", **settings), TeachSettings(), where=WHERE)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def answered(name: str, response: tuple[int, Any, bytes]) -> dict[str, Any]:
    status, _, content = response
    return {
        "id": "batch_req_1",
        "custom_id": name,
        "response": {"status_code": status, "request_id": "r", "body": json.loads(content)},
        "error": None,
    }


def write(path: Path, lines: list[dict[str, Any]], end: bytes = b"") -> Path:
    path.write_bytes("".join(json.dumps(line) + "\n" for line in lines).encode() + end)
    return path


def test_a_batch_asks_once_about_each_pair_what_the_endpoint_would_be_asked(
    tmp_path: Path, some_pairs: Make
) -> None:
    pairs = some_pairs(2, 2)
    empty = Pair(pairs[0].query, Document("e", {}))
    estimate = write_batch(tmp_path / "in.jsonl", teacher(), [*pairs, pairs[0], empty])
    asked = rows(tmp_path / "in.jsonl")
    assert estimate.requests == len(asked) == 4
    assert {row["method"] + row["url"] for row in asked} == {"POST/v1/chat/completions"}
    for row, pair in zip(asked, pairs, strict=True):
        told = teacher().request(pair).body("small")
        told["max_completion_tokens"] = told.pop("max_tokens")
        assert row["body"] == told
    assert len({row["custom_id"] for row in asked}) == 4
    before = (tmp_path / "in.jsonl").read_bytes()
    write_batch(tmp_path / "in.jsonl", teacher(concurrency=9), pairs)
    assert (tmp_path / "in.jsonl").read_bytes() == before


def test_answers_come_back_to_their_pairs_in_any_order(
    tmp_path: Path, some_pairs: Make, completion: Make, store: Judgments
) -> None:
    pairs = some_pairs(2, 2)
    write_batch(tmp_path / "in.jsonl", teacher(), pairs)
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    lines = [
        answered(row["custom_id"], completion(f'{{"grade": {i}}}', {str(i): 0.9}, usage=usage))
        for i, row in enumerate(rows(tmp_path / "in.jsonl"))
    ]
    asking = teacher(input_price=1.0, output_price=10.0)
    answers = BatchAnswers(asking, write(tmp_path / "out.jsonl", lines[::-1]), pairs)
    found = label(pairs, answers, store)
    assert [found.judgments[p.key].grade for p in pairs] == [0, 1, 2, 3]
    assert (answers.unknown, answers.broken) == (0, 0)
    assert (answers.used.requests, answers.used.tokens) == (4, 440)
    assert answers.used.cost == pytest.approx((400 + 400) / 1e6)
    assert label(pairs, teacher(), store).reused == 4


def test_what_went_wrong_in_a_batch_is_counted_and_stays_to_be_asked(
    tmp_path: Path, some_pairs: Make, completion: Make, trouble: Make, store: Judgments
) -> None:
    pairs = some_pairs(1, 6)
    write_batch(tmp_path / "in.jsonl", teacher(), pairs)
    names = [row["custom_id"] for row in rows(tmp_path / "in.jsonl")]
    expired = {"custom_id": names[1], "response": None, "error": {"code": "batch_expired"}}
    lines = [
        answered(names[0], completion('{"grade": 2}')),
        expired,
        answered(names[2], trouble(400, "too long")),
        answered(names[3], trouble(400, "no", code="content_filter")),
        answered("somebody-elses", completion('{"grade": 3}')),
    ]
    half = json.dumps(answered(names[4], completion('{"grade": 2}'))).encode()[:50]
    path = write(tmp_path / "out.jsonl", lines, b"\n[1]\nnull\n" + half)
    answers = BatchAnswers(teacher(), path, pairs)
    found = label(pairs, answers, store)
    assert (answers.unknown, answers.broken) == (1, 3)
    assert (found.bought, found.failed, found.refused, found.unasked) == (1, 2, 1, 2)
    reasons = [found.judgments[p.key].reason for p in pairs[1:3]]
    assert "batch_expired" in reasons[0]
    assert reasons[1].startswith("HTTP 400: ")
    assert "too long" in reasons[1]


def test_answers_to_other_words_are_not_taken(
    tmp_path: Path, some_pairs: Make, completion: Make
) -> None:
    pairs = some_pairs(1, 2)
    write_batch(tmp_path / "in.jsonl", teacher(), pairs)
    lines = [
        answered(row["custom_id"], completion('{"grade": 2}'))
        for row in rows(tmp_path / "in.jsonl")
    ]
    other = Teacher(Endpoint(model="small"), TeachSettings(), "Be strict.", where=WHERE)
    answers = BatchAnswers(other, write(tmp_path / "out.jsonl", lines), pairs)
    assert answers.unknown == 2
    assert list(answers.label(pairs)) == []


def test_a_batch_above_the_budget_is_not_written(
    tmp_path: Path, some_pairs: Make, complains: Make
) -> None:
    with complains(
        BudgetError,
        "4 requests may take",
        code=2,
        where=WHERE,
        remedy="nothing was written",
    ) as caught:
        write_batch(tmp_path / "in.jsonl", teacher(max_requests=3), some_pairs(2, 2))
    assert "max_requests = 3" in caught.value.message
    assert not (tmp_path / "in.jsonl").exists()


@pytest.mark.parametrize("limit", ["max_cost", "max_tokens"])
def test_a_batch_is_paid_for_even_if_every_answer_is_as_long_as_it_may_be(
    tmp_path: Path, some_pairs: Make, complains: Make, limit: str
) -> None:
    path, pairs = tmp_path / "in.jsonl", some_pairs(2, 2)

    def asking(**limits: Any) -> Teacher:
        endpoint = Endpoint(model="small", input_price=0.0, output_price=1000.0, **limits)
        return Teacher(endpoint, TeachSettings(answer_tokens=500), where=WHERE)

    most = asking().estimate(pairs).most
    assert (most.requests, most.output_tokens) == (4, 2000)
    assert most.input_tokens == sum(asking().request(pair).input_tokens for pair in pairs)
    assert most.cost == pytest.approx(2.0)
    needed: float = {"max_cost": 2.0, "max_tokens": most.tokens}[limit]
    says = f"4 requests may take {most.tokens:,} tokens and cost 2.0000, above {limit} = "
    with complains(BudgetError, says, code=2, where=WHERE, remedy="lower answer_tokens"):
        write_batch(path, asking(**{limit: needed - 1}), pairs)
    assert not path.exists()
    assert write_batch(path, asking(**{limit: needed}), pairs).cost < 0.1


def test_an_output_file_that_is_not_there(
    tmp_path: Path, some_pairs: Make, complains: Make
) -> None:
    path = tmp_path / "out.jsonl"
    with complains(InputError, "there is no such file", code=2, where=str(path)):
        BatchAnswers(teacher(), path, some_pairs(1, 1))
