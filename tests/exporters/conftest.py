"""A real language model behind a real server, and servers that answer as a test says."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Canned:
    """A server that answers as it is told, and what it was asked.

    Attributes:
        bodies: of the requests, in the order of their arrival.
        headers: of each request; names in any case.
        most: requests that were under way at the same time, at most.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[Any] = field(default_factory=list[Any])
    most: int = 0


@pytest.fixture
def canned(
    serve: Callable[..., str],
) -> Callable[[Callable[[dict[str, Any], int], Answer]], Canned]:
    """Starts servers: `canned(answer)` asks `answer(body of the request, its number from 0)`."""

    def start(answer: Callable[[dict[str, Any], int], Answer]) -> Canned:
        server, lock = Canned(), threading.Lock()
        under_way = [0]

        def respond(request: Any, content: bytes) -> Answer:
            body = json.loads(content)
            with lock:
                number = len(server.bodies)
                server.bodies.append(body)
                server.headers.append(request.headers)
                under_way[0] += 1
                server.most = max(server.most, under_way[0])
            try:
                return answer(body, number)
            finally:
                with lock:
                    under_way[0] -= 1

        server.url = f"{serve(respond)}/v1"
        return server

    return start


@pytest.fixture(scope="session")
def completion() -> Callable[..., Answer]:
    """A chat completion: `completion('{"grade": 2}', {"2": 0.7, "3": 0.2})` has probabilities of
    the digit's place, and none without them."""

    def made(
        text: str | None,
        shares: Mapping[str, float] | None = None,
        *,
        tokens: list[str] | None = None,
        usage: Mapping[str, int] | None = None,
        finish: str = "stop",
        **message: Any,
    ) -> Answer:
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        choice["message"] = {"role": "assistant", "content": text, **message}
        if shares is not None:
            tops = [{"token": t, "logprob": math.log(p)} for t, p in shares.items()]
            choice["logprobs"] = {
                "content": [
                    {
                        "token": t,
                        "logprob": 0.0,
                        "top_logprobs": tops if "0" <= t.strip() <= "3" else [],
                    }
                    for t in tokens or list(text or "")
                ]
            }
        body: dict[str, Any] = {"object": "chat.completion", "choices": [choice]}
        if usage is not None:
            body["usage"] = usage
        return ok(body)

    return made


def ok(body: object) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


@pytest.fixture(scope="session")
def trouble() -> Callable[..., Answer]:
    """An error as OpenAI's server words it."""

    def made(
        status: int, message: str = "no", headers: Mapping[str, str] | None = None, **more: str
    ):
        body = json.dumps({"error": {"message": message, "type": "error", **more}}).encode()
        return status, {"Content-Type": "application/json", **(headers or {})}, body

    return made


@pytest.fixture(scope="session")
def some_pairs() -> Callable[..., list[Pair]]:
    """`some_pairs(2, 3)`: three documents for each of two queries, no two alike."""

    def pairs(queries: int, documents: int) -> list[Pair]:
        return [
            Pair(
                Query(f"q{q}", f"query number {q}"),
                Document(f"d{q}-{d}", {"title": f"title {q} {d}", "body": f"words {q} {d}"}),
            )
            for d in range(documents)
            for q in range(queries)
        ]

    return pairs
