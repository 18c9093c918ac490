"""One question, one reply: what is asked, what comes back, and every way in which it does not."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import ValidationError

from relevance_eval.errors import ConfigError, EndpointError
from relevance_eval.exporters.endpoints.endpoint import Chat, Message, Reply, client_of, pause_after
from relevance_eval.exporters.settings import Endpoint

WHERE = "[endpoints.teacher]"
SCHEMA = {"type": "object", "properties": {"grade": {"type": "integer"}}}
HELLO = [Message("system", "Be brief."), Message("user", "Hello.")]
Canned = Callable[..., Any]
Make = Callable[..., Any]


def chat(url: str, **settings: Any) -> Chat:
    given = {"model": "small", "base_url": url, "pause": 0.01, "retries": 2, **settings}
    return Chat(Endpoint(**given), where=WHERE)


def ask(opened: Chat, **more: Any) -> Reply:
    return opened.ask(HELLO, **{"max_tokens": 8, "temperature": 0.0, **more})


def test_what_is_asked_and_what_comes_back(canned: Canned, completion: Make) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 2}
    server = canned(lambda body, n: completion("Hi", {"Hi": 0.5}, tokens=["H", "i"], usage=usage))
    with chat(server.url, input_price=1.0, output_price=10.0) as opened:
        reply = ask(opened, schema=SCHEMA, logprobs=5, seed=3)
        spent = opened.spent
    assert (reply.text, reply.refusal, reply.problem) == ("Hi", None, None)
    assert [p.token for p in reply.positions] == ["H", "i"]
    assert (spent.requests, spent.input_tokens, spent.output_tokens) == (1, 11, 2)
    assert spent.cost == pytest.approx((11 * 1 + 2 * 10) / 1e6)
    (body,) = server.bodies
    assert body["model"] == "small"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
    ]
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (8, 0.0, 3)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize(
    ("parameter", "complaint"),
    [
        ("response_format", "'response_format' of type 'json_schema' is not supported"),
        ("top_logprobs", "You are not allowed to request logprobs from this model"),
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model"),
        ("seed", "unknown field seed"),
    ],
)
def test_a_parameter_that_the_server_rejects_is_left_out_from_then_on(
    canned: Canned, completion: Make, trouble: Make, parameter: str, complaint: str, status: int
) -> None:
    def answer(body: dict[str, Any], number: int) -> Any:
        return trouble(status, complaint) if parameter in body else completion("Hi")

    server = canned(answer)
    with chat(server.url) as opened:
        wanted = {"schema": SCHEMA, "logprobs": 5, "seed": 1}
        assert [ask(opened, **wanted).text for _ in range(2)] == ["Hi", "Hi"]
    sent = [parameter in body for body in server.bodies]
    assert sent == [True, False, False]
    others = {"response_format", "top_logprobs", "temperature", "seed"} - {parameter}
    assert all(others <= body.keys() for body in server.bodies)


def test_a_model_that_wants_the_newer_name_of_a_limit_gets_it(
    canned: Canned, completion: Make, trouble: Make
) -> None:
    said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."

    def answer(body: dict[str, Any], number: int) -> Any:
        return trouble(400, said, param="max_tokens") if "max_tokens" in body else completion("Hi")

    server = canned(answer)
    with chat(server.url) as opened:
        assert ask(opened).text == "Hi"
    assert server.bodies[1]["max_completion_tokens"] == 8


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_what_may_pass_is_tried_again(
    canned: Canned, completion: Make, trouble: Make, status: int
) -> None:
    server = canned(lambda body, n: trouble(status) if n < 2 else completion("Hi"))
    with chat(server.url) as opened:
        assert ask(opened).text == "Hi"
        assert opened.spent.requests == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_retry_after_is_obeyed(
    canned: Canned, completion: Make, trouble: Make, form: str
) -> None:
    wait = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)

    def answer(body: dict[str, Any], number: int) -> Any:
        return completion("Hi") if number else trouble(429, headers={"Retry-After": wait})

    started = time.monotonic()
    with chat(canned(answer).url, pause=0) as opened:
        assert ask(opened).text == "Hi"
    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize(
    "said",
    ["soon", "nan", "-1", "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 99999999999 00:00:00 GMT"],
)
def test_a_retry_after_that_says_nothing_is_no_pause(said: str) -> None:
    assert pause_after({"retry-after": said}) is None


@pytest.mark.parametrize(
    ("reply", "says", "remedy"),
    [
        ((500, "out of memory"), "answers HTTP 500 after 3 tries: out of memory", "server's log"),
        ((429, "slow down"), "answers HTTP 429 after 3 tries: slow down", "requests_per_minute"),
        ((401, "bad key sk-secret-1"), "refuses the key in TEACHER_KEY (HTTP 401)", "TEACHER_KEY"),
        ((403, "sk-secret-1 may not"), "refuses the key in TEACHER_KEY (HTTP 403)", "TEACHER_KEY"),
        ((404, "no such model"), "knows no model 'small' (HTTP 404)", "/v1"),
        ((418, "a pot, sk-secret-1"), "answers HTTP 418: a pot, ***", "server's log"),
    ],
)
def test_a_server_that_refuses_all_is_one_clear_error_without_the_key(
    canned: Canned,
    trouble: Make,
    complains: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    reply: tuple[int, str],
    says: str,
    remedy: str,
) -> None:
    monkeypatch.setenv("TEACHER_KEY", "sk-secret-1")
    caplog.set_level(logging.DEBUG, "relevance_eval")
    server = canned(lambda body, n: trouble(*reply))
    with (
        chat(server.url, api_key_env="TEACHER_KEY") as opened,
        complains(EndpointError, says, code=5, where=WHERE, remedy=remedy) as caught,
    ):
        ask(opened)
    assert server.url in caught.value.message
    assert server.headers[0]["Authorization"] == "Bearer sk-secret-1"
    assert "secret" not in str(caught.value) + caplog.text


def test_the_environments_account_is_told_to_its_own_server_alone(
    canned: Canned, completion: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-ours")
    server = canned(lambda body, n: completion("Hi"))
    for options in ({}, {"azure_api_version": "2024-10-21", "api_key_env": "TEACHER_KEY"}):
        monkeypatch.setenv("TEACHER_KEY", "sk-secret-1")
        with chat(server.url, **options) as opened:
            ask(opened)
    assert len(server.headers) == 2
    assert not any("ours" in str(headers) for headers in server.headers)
    for url in (None, "https://api.openai.com/v1/", "https://eu.api.openai.com/v1"):
        own = client_of(Endpoint(model="m", base_url=url), "key").default_headers
        assert own["OpenAI-Organization"] == "org-ours"
    other = client_of(Endpoint(model="m", base_url="https://notapi.openai.com/v1"), "key")
    assert other.organization is None


def test_an_account_without_credit_is_not_asked_again(
    canned: Canned, trouble: Make, complains: Make
) -> None:
    server = canned(lambda body, n: trouble(429, "You have no credit", code="insufficient_quota"))
    with (
        chat(server.url) as opened,
        complains(EndpointError, "You have no credit", code=5, where=WHERE, remedy="credit"),
    ):
        ask(opened)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_key_that_is_not_there_is_named_before_anything_is_sent(
    complains: Make, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEACHER_KEY", value)
    place = f"{WHERE} api_key_env"
    with complains(ConfigError, "TEACHER_KEY", code=2, where=place, remedy="put the key in it"):
        chat("http://127.0.0.1:9/v1", api_key_env="TEACHER_KEY")


@pytest.mark.parametrize("value", ["sk-secret\nsk-other", "sk-sécret", "sk-sec\x01ret"])
def test_what_no_header_can_hold_is_refused_and_not_repeated(
    canned: Canned, completion: Make, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TEACHER_KEY", value)
    server = canned(lambda body, n: completion("Hi"))
    with pytest.raises(ConfigError, match="what TEACHER_KEY holds is no key") as caught:
        chat(server.url, api_key_env="TEACHER_KEY")
    assert not any(part in str(caught.value) for part in value.split())
    assert server.bodies == []


@pytest.mark.parametrize("url", ["http://", "http://host:port/v1", "http://[", "http://host:0/v1"])
def test_an_address_that_is_none_is_an_error_of_the_configuration(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url needs a host"):
        Endpoint(model="small", base_url=url)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SSL_CERT_FILE", "/no/such/file.pem", "No such file"),
        ("SSL_CERT_FILE", __file__, "no certificate"),
        ("HTTPS_PROXY", "ftp://ada:s3cret@proxy:8080", "Unknown scheme for proxy"),
        pytest.param(
            "ALL_PROXY",
            "socks5://proxy:1080",
            "Using SOCKS proxy",
            marks=pytest.mark.skipif(find_spec("socksio") is not None, reason="socksio is there"),
        ),
    ],
)
def test_a_proxy_or_a_certificate_that_cannot_be_used(
    complains: Make, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(variable, value)
    with complains(ConfigError, says, code=2, where=WHERE, remedy=variable) as caught:
        chat("http://127.0.0.1:1/v1")
    assert "proxy or certificates cannot be used" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_probability_beyond_all_numbers_is_left_out(canned: Canned, completion: Make) -> None:
    def answer(body: dict[str, Any], number: int) -> Any:
        status, headers, content = completion("3", {"3": 1.0, "2": 0.5})
        return status, headers, content.replace(b'"logprob": -0.69', b'"logprob": -1' + b"0" * 400)

    with chat(canned(answer).url) as opened:
        (place,) = ask(opened, logprobs=2).positions
    assert [token.text for token in place.top] == ["3"]


def test_a_server_that_is_absent(complains: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    says = f"nothing answers at {url}, in 3 tries"
    with (
        chat(url) as opened,
        complains(EndpointError, says, code=5, where=WHERE, remedy="start the server"),
    ):
        ask(opened)


def test_a_server_that_is_slow(canned: Canned, completion: Make, complains: Make) -> None:
    done = threading.Event()

    def answer(body: dict[str, Any], number: int) -> Any:
        done.wait(10)
        return completion("Hi")

    with (
        chat(canned(answer).url, timeout=0.2, retries=1) as opened,
        complains(
            EndpointError, "within 0.2 s, in 2 tries", code=5, where=WHERE, remedy="raise timeout"
        ),
    ):
        try:
            ask(opened)
        finally:
            done.set()
    assert opened.spent.requests == 2
    assert opened.spent.input_tokens > 0  # may be billed, though nobody heard the answer


def test_a_connection_that_breaks_off_is_tried_again(canned: Canned, completion: Make) -> None:
    def answer(body: dict[str, Any], number: int) -> Any:
        status, headers, content = completion("Hi")
        if number:
            return status, headers, content
        return status, {**headers, "Content-Length": "9999", "Connection": "close"}, content[:20]

    with chat(canned(answer).url, timeout=2) as opened:
        assert ask(opened).text == "Hi"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"choices": [{"mess', "the server's answer is not JSON"),
        (b"<html>", "the server's answer is not JSON"),
        (b"[" * 100_000, "the server's answer is not JSON"),
        (b"[]", "the server's answer has no choice"),
        (b'{"choices": []}', "the server's answer has no choice"),
        (b'{"choices": null, "usage": 3}', "the server's answer has no choice"),
        (b'{"choices": ["x"]}', "the answer is empty"),
        (b'{"choices": [{"message": {"content": null}}]}', "the answer is empty"),
        (b'{"choices": [{"message": {"content": " "}}]}', "the answer is empty"),
        (
            b'{"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}',
            "the answer was cut before it began",
        ),
    ],
)
def test_an_answer_of_no_use_is_a_reply_that_says_so(
    canned: Canned, content: bytes, problem: str
) -> None:
    server = canned(lambda body, n: (200, JSON, content))
    with chat(server.url) as opened:
        reply = ask(opened)
    assert (reply.text, reply.problem, reply.refusal) == ("", problem, None)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda completion, trouble: completion(None, refusal="I will not."),
        lambda completion, trouble: completion("", finish="content_filter"),
        lambda completion, trouble: trouble(400, "filtered", code="content_filter"),
    ],
    ids=["model", "stopped", "azure"],
)
def test_a_refusal_is_a_reply(
    canned: Canned, completion: Make, trouble: Make, answer: Callable[..., Any]
) -> None:
    with chat(canned(lambda body, n: answer(completion, trouble)).url) as opened:
        reply = ask(opened)
    assert reply.refusal
    assert (reply.text, reply.problem) == ("", None)


def test_half_a_character_in_a_refusal_becomes_a_whole_one(canned: Canned) -> None:
    content = rb'{"choices": [{"message": {"content": null, "refusal": "No \ud83d"}}]}'
    with chat(canned(lambda body, n: (200, JSON, content)).url) as opened:
        assert ask(opened).refusal == "No ?"


def test_a_text_that_is_too_long_does_not_stop_the_others(
    canned: Canned, completion: Make, trouble: Make
) -> None:
    said = "request (9031 tokens) exceeds the available context size"
    server = canned(lambda body, n: completion("Hi") if n == 9 else trouble(400, said))
    with chat(server.url) as opened:
        replies = [ask(opened) for _ in range(10)]
    assert {r.problem for r in replies[:9]} == {f"rejected with HTTP 400: {said}"}
    assert replies[9].text == "Hi"


def test_a_server_that_rejects_one_request_after_another_is_an_error(
    canned: Canned, trouble: Make, complains: Make
) -> None:
    server = canned(lambda body, n: trouble(400, "model is not a chat model"))
    with chat(server.url) as opened:
        assert [ask(opened).problem is None for _ in range(4)] == [False] * 4
        with complains(
            EndpointError, "not a chat model", code=5, where=WHERE, remedy="correct the endpoint"
        ):
            ask(opened)


def test_a_rate_limit_spreads_requests(canned: Canned, completion: Make) -> None:
    server = canned(lambda body, n: completion("Hi"))
    started = time.monotonic()
    with (
        chat(server.url, requests_per_minute=600) as opened,
        ThreadPoolExecutor(5) as pool,
    ):
        list(pool.map(lambda _: ask(opened), range(5)))
    assert 0.4 <= time.monotonic() - started < 3


def test_a_chat_that_is_closed_ends_all_waiting(canned: Canned, trouble: Make) -> None:
    server = canned(lambda body, n: trouble(503))
    opened = chat(server.url, pause=30)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, opened)
        while not server.bodies:
            time.sleep(0.01)
        started = time.monotonic()
        opened.close()
        with pytest.raises(EndpointError):
            asked.result(timeout=5)
    assert time.monotonic() - started < 5


def test_azure_is_asked_by_deployment_and_version(
    canned: Canned, completion: Make, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", "a-key")
    seen: list[tuple[str, str | None]] = []

    def answer(request: Any, content: bytes) -> Any:
        seen.append((request.path, request.headers["api-key"]))
        return completion("Hi")

    with chat(serve(answer), azure_api_version="2024-10-21", api_key_env="AZURE_KEY") as opened:
        assert ask(opened).text == "Hi"
    path = "/openai/deployments/small/chat/completions?api-version=2024-10-21"
    assert seen == [(path, "a-key")]
