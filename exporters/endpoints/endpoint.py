"""A language model behind an OpenAI-compatible server: one question, one reply."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Self, cast
from urllib.parse import urlsplit

from relevance_eval.errors import ConfigError, DependencyError, EndpointError
from relevance_eval.exporters.endpoints.budget import Budget, BudgetSpent, Spent
from relevance_eval.exporters.endpoints.pace import Pace
from relevance_eval.exporters.endpoints.reply import Reply, Token, one_line, read_reply
from relevance_eval.exporters.endpoints.request import Message, Request
from relevance_eval.exporters.settings import Endpoint

try:
    import openai
except ImportError:
    raise DependencyError.for_extra("teach", "a language model's endpoint") from None

__all__ = ["BudgetSpent", "Chat", "Message", "Reply", "Request", "Spent", "Token"]

LOG = logging.getLogger(__name__)
OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""The client wants a key; servers that need none ignore it."""
LONGEST_PAUSE = 60.0
REJECTED_IN_A_ROW = 5
"""Requests rejected with none answered in between, from which the fault is not in the texts."""
NO_CREDIT = "insufficient_quota"
RETRIED = {408, 409, 429}
REJECTED = {400, 413, 422}
REFUSED = {401, 403}
"""403 is also what some say where log-probabilities alone are not allowed: see `learn`."""
OPTIONAL = {
    "max_tokens": ("max_completion_tokens",),
    "response_format": ("response_format", "json_schema", "guided", "structured"),
    "top_logprobs": ("logprobs",),
    "temperature": ("temperature",),
    "seed": ("seed",),
}
"""Parameter that a server may not know, to words in its complaint that mean this one."""


class Chat:
    """Asks one model within its rate limit and budget; safe to use from several threads.

    Use as a context manager.

    Args:
        where: place in the configuration, such as `[endpoints.teacher]`, for messages.
        budget: shared with other chats; one of its own, of the endpoint's limits, if None.

    Raises:
        ConfigError: the environment variable that is to hold the key is missing or empty, or those
            for proxies and certificates hold what cannot be used.
    """

    def __init__(self, settings: Endpoint, *, where: str, budget: Budget | None = None):
        self.settings = settings
        self.where = where
        self.url = (settings.base_url or OPENAI_URL).partition("?")[0]
        self.key = read_key(settings, where)
        try:
            self.client = client_of(settings, self.key)
        except (OSError, ValueError, ImportError) as error:  # without a package, no SOCKS proxy
            said = self.scrubbed(str(error))
            raise ConfigError(
                f"the environment's proxy or certificates cannot be used: {said}",
                where=where,
                remedy="correct SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
            ) from None
        self.budget = budget or Budget(settings, where)
        self.requests = Pace(settings.requests_per_minute)
        self.tokens = Pace(settings.tokens_per_minute)
        self.without: frozenset[str] = frozenset()
        self.rejected = 0
        self.lock = threading.Lock()
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all waiting; whoever asks from now on, or waits to ask again, gets an error."""
        self.closed.set()
        self.client.close()

    @property
    def spent(self) -> Spent:
        return self.budget.spent

    def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, Any] | None = None,
        logprobs: int = 0,
        seed: int | None = None,
    ) -> Reply:
        """The model's answer; see Request for the arguments.

        A parameter that the server rejects (schema, log-probabilities, temperature, seed) is left
        out from then on. An answer of no use, a refusal for one, comes back as a reply.

        Raises:
            BudgetError: the whole budget is too small for this request.
            BudgetSpent: what is left of the budget is.
            EndpointError: nobody answers after all retries, or the server refuses the key, the
                model, or one request after another.
        """
        return self.answer(Request(messages, max_tokens, temperature, schema, logprobs, seed))

    def answer(self, request: Request) -> Reply:
        """As `ask`, for a request that is made already."""
        tried = 0
        while True:
            without = self.without
            try:
                return self.send(request, without)
            except openai.APIStatusError as error:
                if self.learn(error, request, without):
                    continue
                if error.status_code in REJECTED:
                    return self.reject(error)
                if not is_passing(error) or tried >= self.settings.retries:
                    raise self.failure(error, tried) from None
                pause = pause_after(error.response.headers) or self.pause(tried)
                what = f"HTTP {error.status_code}"
            except openai.APIConnectionError as error:
                if tried >= self.settings.retries:
                    raise self.silence(error, tried) from None
                pause, what = self.pause(tried), "no answer"
            LOG.debug("%s: %s, asking again in %.1f s", self.where, what, pause)
            self.wait(pause)
            tried += 1

    def send(self, request: Request, without: frozenset[str]) -> Reply:
        """One request, paid for. Raises what the client raises, and the budget's errors."""
        need = self.budget.reserve(request.input_tokens, request.max_tokens)
        used = Spent()
        try:
            self.wait(max(self.requests.delay(1), self.tokens.delay(need.tokens)))
            used = self.budget.used(0, 0)  # one that the server turns away
            create: Any = self.client.chat.completions.with_raw_response.create
            reply = read_reply(create(**request.body(self.settings.model, without)).content)
            used = self.budget.used(
                need.input_tokens if reply.input_tokens is None else reply.input_tokens,
                need.output_tokens if reply.output_tokens is None else reply.output_tokens,
            )
        except openai.APITimeoutError:
            used = need  # it may be answered, and billed, when nobody listens any more
            raise
        finally:
            self.budget.settle(need, used)
            self.tokens.correct(used.tokens - need.tokens)
        self.rejected = 0
        return reply

    def wait(self, seconds: float) -> None:
        """Raises EndpointError if the chat is closed meanwhile."""
        if self.closed.wait(seconds) if seconds > 0 else self.closed.is_set():
            raise EndpointError("closed before it was asked", where=self.where)

    def pause(self, tried: int) -> float:
        return min(self.settings.pause * 2**tried, LONGEST_PAUSE)

    def learn(
        self, error: openai.APIStatusError, request: Request, without: frozenset[str]
    ) -> bool:
        """Whether the server complains of a parameter that can be left out; it is from now on."""
        if error.status_code not in {400, 403, 422}:
            return False
        sent = request.body(self.settings.model, without)
        said = f"{error.param or ''} {self.words(error)}".lower()
        for name, words in OPTIONAL.items():
            if name in sent and any(word in said for word in words):
                with self.lock:
                    self.without |= {name}
                LOG.debug("%s: the server does not take %s", self.where, name)
                return True
        # another thread may have learned it while this request was under way
        return self.without > without

    def reject(self, error: openai.APIStatusError) -> Reply:
        """A request turned away for what is in it: too long, or caught by a content filter."""
        if "content_filter" in f"{error.code} {self.words(error)}":
            return Reply(refusal="the server's content filter turned the request away")
        said = f"HTTP {error.status_code}: {self.words(error)}"
        with self.lock:
            # one text too long says nothing about the next
            self.rejected += "context" not in said
            hopeless = self.rejected >= REJECTED_IN_A_ROW
        if hopeless:
            raise EndpointError(
                f"the server rejects one request after another, {said}",
                where=self.where,
                remedy="what was answered before is kept; correct the endpoint and run again",
            ) from None
        return Reply(problem=f"rejected with {said}")

    def failure(self, error: openai.APIStatusError, tried: int) -> EndpointError:
        """A status that stands for all requests, as an error of ours."""
        status = error.status_code
        if status in REFUSED:
            variable = self.settings.api_key_env
            what = f"the key in {variable}" if variable else "a request without a key"
            remedy = f"correct {variable}" if variable else "name a variable: api_key_env"
            return EndpointError(
                f"{self.url} refuses {what} (HTTP {status})", where=self.where, remedy=remedy
            )
        if status == 404:
            return EndpointError(
                f"{self.url} knows no model {self.settings.model!r} (HTTP 404)",
                where=self.where,
                remedy="correct model, or base_url, which ends in /v1 for most servers",
            )
        tries = f" after {tried + 1} tries" if tried else ""
        remedy = "look into the server's log, then run again"
        if status == 429:
            remedy = "lower requests_per_minute, tokens_per_minute or concurrency, then run again"
        if error.code == NO_CREDIT:
            remedy = "add credit to the account, then run again"
        return EndpointError(
            f"{self.url} answers HTTP {status}{tries}: {self.words(error)}",
            where=self.where,
            remedy=remedy,
        )

    def silence(self, error: openai.APIConnectionError, tried: int) -> EndpointError:
        """No answer at all, as an error of ours."""
        tries = f"{tried + 1} tries" if tried else "one try"
        if isinstance(error, openai.APITimeoutError):
            return EndpointError(
                f"no answer of {self.url} within {self.settings.timeout:g} s, in {tries}",
                where=self.where,
                remedy="raise timeout, or lower concurrency",
            )
        cause = self.scrubbed(str(error.__cause__ or error))
        certificate = "CERTIFICATE_VERIFY_FAILED" in cause
        return EndpointError(
            f"nothing answers at {self.url}, in {tries}: {cause}",
            where=self.where,
            remedy="name your certificate authority in SSL_CERT_FILE"
            if certificate
            else "start the server, or correct base_url",
        )

    def words(self, error: openai.APIStatusError) -> str:
        """What the server says of it."""
        body = error.body
        said = cast(dict[str, Any], body).get("message") if isinstance(body, dict) else body
        return self.scrubbed(str(said or error.message))

    def scrubbed(self, text: str) -> str:
        """On one line and without the key, which some servers repeat."""
        shown = text if self.key == NO_KEY else text.replace(self.key, "***")
        return one_line(shown)


def read_key(settings: Endpoint, where: str) -> str:
    if settings.api_key_env is None:
        return NO_KEY
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        raise ConfigError(
            f"the environment variable {settings.api_key_env} is not set or empty",
            where=f"{where} api_key_env",
            remedy="put the key in it",
        )
    if not (key.isascii() and key.isprintable()):
        # a header cannot hold it, and those who say so repeat it
        raise ConfigError(
            f"what {settings.api_key_env} holds is no key: it has letters other than ASCII, or a "
            "line's end in it",
            where=f"{where} api_key_env",
            remedy="put the key alone in it",
        )
    return key


def client_of(settings: Endpoint, key: str) -> openai.OpenAI:
    """The official client, whose own retries are off: ours know the budget."""
    common: dict[str, Any] = {"api_key": key, "timeout": settings.timeout, "max_retries": 0}
    version = settings.azure_api_version
    url = settings.base_url or OPENAI_URL
    client = (
        openai.OpenAI(base_url=url, **common)
        if version is None
        else openai.AzureOpenAI(azure_endpoint=url, api_version=version, **common)
    )
    if not f".{urlsplit(url).hostname}".endswith(f".{urlsplit(OPENAI_URL).hostname}"):
        # The client takes them from the environment; they are no other server's business.
        client.organization = client.project = None
    return client


def is_passing(error: openai.APIStatusError) -> bool:
    """Whether the same request may be answered later; an account without credit stays so."""
    if error.code == NO_CREDIT:
        return False
    return error.status_code in RETRIED or error.status_code >= 500


def pause_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait for, or until a time of day; 60 at most, or None."""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(seconds, LONGEST_PAUSE) if seconds > 0 else None
