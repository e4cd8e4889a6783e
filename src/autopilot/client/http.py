"""One installation's HTTP: headers, tokens, error mapping, retries, the local log. Knows no message.

Every attempt and every stream opening has an `x-request-id` of its own; ids of the caller (`request_id`, `event_id`)
are in the body and stay the same over retries, so that repeating is safe. A 401 renews the token once, then counts.
Redirects are not followed: a token never goes where it wasn't sent. Source: docs/protocol.md, "Errors".
"""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import httpx2

from autopilot import __version__
from autopilot.client import log
from autopilot.client.answers import (
    DEFAULT_BOUNDS,
    ERROR_BODY_LIMIT_BYTES,
    AnswerBounds,
    AnswerTooLarge,
    bounded,
    whole_within,
)
from autopilot.client.backoff import Backoff, BackoffPolicy, is_transient
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.doubt import doubted, ends_doubt, leaves_doubt
from autopilot.client.tokens import StepUpSource, TokenSource
from autopilot.client.write_signer import SignsWrites
from autopilot.contract.errors import (
    AutopilotError,
    Forbidden,
    NetworkError,
    Unauthorized,
    UnknownError,
    Unprocessable,
    from_response,
)
from autopilot.contract.write_signature import HEADER, READS

UNARY_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 10.0
EVENT_STREAM = "text/event-stream"
ATTEMPTS = 4
RETRY_POLICY = BackoffPolicy(base_seconds=0.2, factor=3.0, cap_seconds=10.0)

HALF_A_SECOND = 0.5

Query = Mapping[str, str | int | None]
Trace = Callable[[], Mapping[str, str]]
"""Headers of the caller's trace (`traceparent`, `tracestate`), asked for at every call."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer."""

    status: int
    body: Any
    """Decoded JSON."""
    request_id: str
    """The `x-request-id` it was answered under."""

    @property
    def data(self) -> Any:
        """What the body carries under `data`.

        Raises:
            UnknownError: there is none.
        """
        if not isinstance(self.body, dict) or "data" not in self.body:
            raise UnknownError("the answer has no data", request_id=self.request_id, reason_code="malformed_answer")
        return self.body["data"]


class ByteStream:
    """An open response, read piece by piece. Whoever opened it closes it."""

    def __init__(self, response: httpx2.Response, request_id: str) -> None:
        self.request_id = request_id
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._chunks: AsyncGenerator[bytes] = response.aiter_raw()

    async def read(self) -> bytes | None:
        """The next bytes; None at the end.

        Raises:
            NetworkError: the connection broke.
        """
        try:
            return await anext(self._chunks, None)
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise _network_error(error, self.request_id) from error

    async def beginning(self, most_bytes: int) -> bytes:
        """All that is left, but no more than this.

        Raises:
            NetworkError: the connection broke.
        """
        try:
            return (await bounded(self._chunks, most_bytes))[0]
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise _network_error(error, self.request_id) from error

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._chunks.aclose()
        await self._response.aclose()


class Http:
    """Calls and streams of one base URL."""

    def __init__(
        self,
        base_url: str,
        *,
        tokens: TokenSource | None,
        surface: str = "sdk",
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: Callable[[], float] = random.random,
        trace: Trace | None = None,
        signs: SignsWrites | None = None,
        bounds: AnswerBounds = DEFAULT_BOUNDS,
    ) -> None:
        """`transport` replaces the network (an ASGI app in tests); `tokens` None: nothing here needs one.

        `signs`: whose key signs writes, where it is not `tokens`. `bounds`: of every answer that is no stream.

        Raises:
            NetworkError: the environment names a proxy that can't be used.
        """
        self.base_url = base_url.rstrip("/")
        self.clock = clock
        self.rng = rng
        self._tokens = tokens
        self._trace = trace
        self._bounds = bounds
        self.server_ahead_seconds: float | None = None
        """By how much the server's clock is ahead of this device's, to a second or so; None: it never said."""
        self._told_time: tuple[datetime, float] | None = None  # the server's, and when that was by our monotonic clock
        self._signs = signs or (tokens if isinstance(tokens, SignsWrites) else None)
        self._surface = surface
        self._transport = transport
        if any(name.lower().endswith("_proxy") for name in os.environ):
            _ = self._client  # what is wrong with a proxy is told at once

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        """Made at the first call: a phone shows what it knows before it has read every certificate there is."""
        with proxies_understood():
            return httpx2.AsyncClient(
                transport=self._transport,
                headers={
                    "user-agent": f"autopilot-{self._surface}/{__version__}",
                    "x-autopilot-surface": self._surface,
                },
                timeout=httpx2.Timeout(UNARY_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
                follow_redirects=False,
                trust_env=not is_loopback(self.base_url),
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def server_now(self) -> datetime:
        """The server's time, to a second or so, however this device's clock is set; where it never said, that one."""
        if self._told_time is None:
            return self.clock.now()
        said, at = self._told_time
        return said + timedelta(seconds=self.clock.monotonic() - at)

    def sign_with(self, signs: SignsWrites) -> None:
        """Have every write from now on signed by this."""
        self._signs = signs

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        encoded: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = UNARY_TIMEOUT_SECONDS,
        whole_seconds: float | None = None,
        retry: bool = True,
    ) -> Reply:
        """Do one call; `body` is encoded as JSON, `encoded` is sent as it is. With `retry`, repeating must be safe.

        An attempt may be silent for `timeout_seconds`, and takes `whole_seconds` at most: by default what the bounds
        say, and what it may be silent for beyond the usual.

        Raises:
            AutopilotError: of autopilot.contract.errors, with `status`, `code`, `request_id`; of the last attempt, and
                with `outcome: unknown` where one before it may have been recorded.
        """
        content = encoded if encoded is not None else _encode(body)
        timeout = httpx2.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
        backoff = Backoff(RETRY_POLICY, rng=self.rng)
        give_up_at = self.clock.monotonic() + self._bounds.retry_seconds
        waited_seconds = max(0.0, timeout_seconds - UNARY_TIMEOUT_SECONDS)
        within = self._bounds.whole_seconds + waited_seconds if whole_seconds is None else whole_seconds

        async def attempt(token: str | None) -> Reply:
            request = self._request(method, path, query, content, token, timeout=timeout, headers=headers)
            return await self._answer(operation, request, within, attempt=backoff.attempt + 1)

        in_doubt = False
        while True:
            try:
                return await self._authorized(attempt)
            except AutopilotError as error:
                if in_doubt and not ends_doubt(error):
                    doubted(error)
                in_doubt = method not in READS and leaves_doubt(error)
                if not retry or not is_transient(error) or backoff.attempt + 1 >= ATTEMPTS:
                    raise
                delay = backoff.next_delay(error.retry_after_seconds)
                if self.clock.monotonic() + delay > give_up_at:
                    raise
            await self.clock.sleep(delay)

    async def open(
        self,
        operation: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        media_type: str = EVENT_STREAM,
    ) -> ByteStream:
        """Open a response that is read as it comes. An event stream may be silent: whoever follows watches over that.

        Raises:
            AutopilotError: as `call`; never retried here.
        """
        silence = None if media_type == EVENT_STREAM else UNARY_TIMEOUT_SECONDS
        timeout = httpx2.Timeout(silence, connect=CONNECT_TIMEOUT_SECONDS, write=UNARY_TIMEOUT_SECONDS)
        asked = {"accept": media_type, "accept-encoding": "identity", **(headers or {})}

        async def attempt(token: str | None) -> ByteStream:
            request = self._request("GET", path, query, None, token, timeout=timeout, headers=asked)
            return await self._opened(operation, request, media_type)

        return await self._authorized(attempt)

    async def _authorized(self, attempt: Callable[[str | None], Awaitable[Any]]) -> Any:
        """`attempt`, and again after what helps against its refusal; each help once, whatever the others led to."""
        token = None if self._tokens is None else await self._tokens.access_token()
        helped: set[str] = set()
        while True:
            try:
                return await attempt(token)
            except (Unauthorized, Forbidden) as error:
                kind = self._help(error)
                if kind is None or kind in helped:
                    raise
                helped.add(kind)
                if kind == "renew" and self._tokens is not None and token is not None:
                    token = await self._tokens.renew(token)
                elif kind == "step_up" and isinstance(self._tokens, StepUpSource):
                    stepped_up = await self._tokens.step_up()
                    if stepped_up is None:
                        raise
                    token = stepped_up
                elif not self._keeps_to(error):
                    raise

    def _help(self, error: Unauthorized | Forbidden) -> str | None:
        """What helps against this refusal, if anything here does."""
        if isinstance(error, Forbidden):
            can_prove = error.reason_code == "step_up_required" and isinstance(self._tokens, StepUpSource)
            return "step_up" if can_prove else None
        if (error.reason_code or "").startswith("signature_"):
            return "clock"
        return None if self._tokens is None else "renew"

    def _keeps_to(self, error: Unauthorized | Forbidden) -> bool:
        """The token is good; where only this device's clock is off, the server's counts from now on."""
        server_time = error.fact("server_time")
        if error.reason_code != "signature_expired" or self._signs is None or not isinstance(server_time, str):
            return False
        return self._signs.keep_to(server_time)

    def _request(
        self,
        method: str,
        path: str,
        query: Query | None,
        content: bytes | None,
        token: str | None,
        *,
        timeout: httpx2.Timeout,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Request:
        sent = {**(self._trace() if self._trace else {}), "accept": "application/json", **(headers or {})}
        sent["x-request-id"] = str(uuid.uuid4())
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        if content is not None:
            sent["content-type"] = "application/json"
        params = {name: str(value) for name, value in (query or {}).items() if value is not None}
        request = self._client.build_request(
            method, self.base_url + path, params=params or None, content=content, headers=sent, timeout=timeout
        )
        if self._signs is not None and method not in READS:
            signature = self._signs.sign(method, request.url.raw_path, content or b"")
            if signature is not None:
                request.headers[HEADER] = signature
        return request

    async def _answer(self, operation: str, request: httpx2.Request, seconds: float, *, attempt: int) -> Reply:
        with _Operation(self.clock, operation, request, attempt) as running:
            async with whole_within(seconds, request):
                try:
                    response = await self._client.send(request, stream=True)
                    running.answered(response)
                    content, is_whole = await self._body(response)
                except (httpx2.TransportError, httpx2.StreamError, httpx2.DecodingError) as error:
                    raise _network_error(error, running.request_id) from error
            self._compare(response)
            if not response.is_success:
                raise self._error(response, content if is_whole else b"", running.request_id)
            if not is_whole:
                raise _too_large(response, self._bounds.most_bytes, running.request_id)
            try:
                return Reply(response.status_code, json.loads(content), running.request_id)
            except (ValueError, RecursionError) as error:  # the latter: nested deeper than anything of ours
                raise _not_ours(response, "the answer is not JSON", running.request_id) from error

    async def _body(self, response: httpx2.Response) -> tuple[bytes, bool]:
        try:
            return await bounded(response.aiter_bytes(), self._bounds.most_bytes)
        finally:
            await response.aclose()

    async def _opened(self, operation: str, request: httpx2.Request, media_type: str) -> ByteStream:
        with _Operation(self.clock, operation, request, 1) as running:
            async with whole_within(self._bounds.whole_seconds, request):
                try:
                    response = await self._client.send(request, stream=True)
                except (httpx2.TransportError, httpx2.StreamError) as error:
                    raise _network_error(error, running.request_id) from error
                running.answered(response)
                self._compare(response)
                stream = ByteStream(response, running.request_id)
                if response.is_success and _is_media(response, media_type):
                    return stream
                try:
                    if response.is_success:
                        wanted = "event stream" if media_type == EVENT_STREAM else media_type
                        raise _not_ours(response, f"the answer is no {wanted}", running.request_id)
                    said = await stream.beginning(ERROR_BODY_LIMIT_BYTES)
                    raise self._error(response, said, running.request_id)
                finally:
                    await stream.aclose()

    def _error(self, response: httpx2.Response, content: bytes, request_id: str) -> AutopilotError:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        retry_after = self._retry_after(response.headers.get("retry-after"))
        return from_response(response.status_code, body, request_id=request_id, retry_after_seconds=retry_after)

    def _retry_after(self, value: str | None) -> float | None:
        if value is None:
            return None
        try:
            return max(0.0, float(value)) if value.strip().isdigit() else self._until(value)
        except (ValueError, TypeError, OverflowError):  # neither seconds nor a date that means a moment
            return None

    def _compare(self, response: httpx2.Response) -> None:
        """Note how the server's clock stands to this one: its `Date` is of the second in which it answered."""
        with suppress(ValueError, TypeError, OverflowError):
            said = parsedate_to_datetime(response.headers.get("date", ""))
            middle = said + timedelta(seconds=HALF_A_SECOND)
            self.server_ahead_seconds = (middle - self.clock.now()).total_seconds()
            self._told_time = middle, self.clock.monotonic()

    def _until(self, http_date: str) -> float:
        return max(0.0, (parsedate_to_datetime(http_date) - self.clock.now()).total_seconds())


class _Operation:
    """One attempt in the local log: leaves its line whether it ends in an answer or an error."""

    def __init__(self, clock: Clock, operation: str, request: httpx2.Request, attempt: int) -> None:
        self.request_id = request.headers["x-request-id"]
        self._clock = clock
        self._started_at = clock.monotonic()
        self._status: int | None = None
        self._fields = {"operation": operation, "method": request.method, "path": request.url.path, "attempt": attempt}

    def answered(self, response: httpx2.Response) -> None:
        """Note the status, and the id under which the server logs it."""
        self._status = response.status_code
        self.request_id = response.headers.get("x-request-id", self.request_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = round(self._clock.monotonic() - self._started_at, 6)
        fields = {**self._fields, "x_request_id": self.request_id, "seconds": seconds}
        if isinstance(error, AutopilotError):
            log.failure("client.call_failed", error, **fields)
        elif error is None:
            log.record("client.call", status=self._status, **fields)
        else:
            log.record("client.call_ended", ended_by=type(error).__name__, **fields)


@contextmanager
def proxies_understood() -> Iterator[None]:
    """Within it, a proxy of the environment that can't be used is one of our errors: one by SOCKS, or no URL at all.

    Raises:
        NetworkError: with what is wrong with it.
    """
    try:
        yield
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        said = "proxies by SOCKS are not supported" if isinstance(error, ImportError) else str(error)
        message = f"the proxy that the environment names (http_proxy, https_proxy, all_proxy) can't be used: {said}"
        raise NetworkError(message, reason_code="proxy", outcome="not_recorded") from error


def is_loopback(base_url: str) -> bool:
    """Whether it is this very machine, which no proxy of the environment leads to."""
    return httpx2.URL(base_url).host in {"localhost", "127.0.0.1", "::1"}


def _is_media(response: httpx2.Response, media_type: str) -> bool:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == media_type


def _network_error(error: Exception, request_id: str) -> NetworkError:
    never_sent = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout))
    return NetworkError(
        _words(error),
        request_id=request_id,
        cause=type(error).__name__,
        reason_code="timeout" if isinstance(error, httpx2.TimeoutException) else "connection",
        outcome="not_recorded" if never_sent else "unknown",
    )


def _words(error: Exception) -> str:
    """What happened to the connection, for a person; `cause` in the details names the library's error."""
    match error:
        case httpx2.TimeoutException():
            return f"no answer from {_asked(error)} in time"
        case httpx2.ConnectError():
            return f"nobody answers at {_asked(error)}"
        case httpx2.RemoteProtocolError() | httpx2.ReadError() | httpx2.WriteError():
            return "the connection broke off"
        case _:
            return f"no answer: {str(error) or type(error).__name__}"


def _asked(error: httpx2.RequestError) -> str:
    """The server that an error is about, without the path and query."""
    try:
        url = error.request.url
    except RuntimeError:  # an error that was made without a request
        return "the server"
    return f"{url.scheme}://{url.netloc.decode()}"


def _not_ours(response: httpx2.Response, message: str, request_id: str) -> UnknownError:
    error = UnknownError(message, request_id=request_id, reason_code="malformed_answer")
    error.status = response.status_code
    return error


def _too_large(response: httpx2.Response, most_bytes: int, request_id: str) -> AnswerTooLarge:
    message = f"the answer is larger than {most_bytes} bytes"
    error = AnswerTooLarge(message, request_id=request_id, reason_code="answer_too_large", limit_bytes=most_bytes)
    error.status = response.status_code
    return error


def _encode(body: Any) -> bytes | None:
    """A body as JSON.

    Raises:
        Unprocessable: it holds a number that JSON lacks, or is nested too deep: nobody could read it.
    """
    if body is None:
        return None
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"this can't be said in JSON: {error}", reason_code="not_json") from error
