"""The runtime behind signed HTTP: a RuntimePort for when API and runtime are two processes.

Relies on ops.signature and contract.claims; docs/runtime-contract.md says what goes over the wire. A call that never
reached the runtime is `not_recorded`; one whose answer was lost is `unknown`. Streams come out in whole frames,
whatever pieces the network made of them. Never retries what could take effect twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import httpx2

from autopilot.contract import claims
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.ops.clock import Clock
from autopilot.ops.signature import HEADER as SIGNATURE_HEADER
from autopilot.ops.signature import SigningKey, sign

BASE = "/internal/v1/codex"
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 90.0
"""Longer than the longest `wait_ms`."""
SILENCE_SECONDS = 45.0
"""A stream says something every 15 s; after three times that its runtime is gone."""
READ_SECONDS = 12.0
"""A little more than the runtime itself gives a read: what takes longer comes from one that does not run."""
TIMEOUT = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
READ_TIMEOUT = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
STREAM_TIMEOUT = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
STREAMS = ("/stream", "/feed")
"""What the paths of streams end with."""
KEPT_CONNECTIONS = 64
FRAME_BYTES = 8 * 1024 * 1024
"""No frame is longer: an event has at most 4 MiB, and JSON may grow by escapes."""
EVENT_STREAM = "text/event-stream"
PLAIN_TEXT = "text/plain"
"""What the content of an artifact comes as."""


class SignedHttpPort:
    """RuntimePort over HTTP, to a URL or a unix socket."""

    def __init__(
        self, base_url: str, key: SigningKey | Callable[[], SigningKey], clock: Clock, *, uds: str | None = None
    ) -> None:
        """`key`: what signs, or what says it, asked for each call."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS)
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            transport=httpx2.AsyncHTTPTransport(uds=uds, limits=limits),
            headers={"accept-encoding": "identity"},
            trust_env=False,
        )
        self._key = (lambda: key) if isinstance(key, SigningKey) else key
        self._clock = clock

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        """See RuntimePort."""
        try:
            response = await self._client.send(self._signed(request), stream=True)
            if response.headers.get("content-type", "").startswith(EVENT_STREAM):
                return RuntimeResponse(response.status_code, dict(response.headers), Frames(response))
            if response.is_success and response.headers.get("content-type", "").startswith(PLAIN_TEXT):
                return RuntimeResponse(response.status_code, dict(response.headers), Content(response))
            body = await response.aread()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise _unavailable("not_recorded") from error
        except httpx2.TransportError as error:
            raise _unavailable("not_recorded" if request.method == "GET" else "unknown") from error
        return RuntimeResponse(response.status_code, dict(response.headers), body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _signed(self, request: RuntimeRequest) -> httpx2.Request:
        target = BASE + request.path + (f"?{request.query}" if request.query else "")
        of_claims = claims.to_headers(request.claims)
        built = self._client.build_request(
            request.method,
            target,
            headers=httpx2.Headers({**request.headers, **of_claims}, encoding="latin-1"),
            content=request.body,
            timeout=_patience(request),
        )
        built.headers[SIGNATURE_HEADER] = sign(
            self._key(),
            method=request.method,
            target=built.url.raw_path.decode("ascii"),
            body=request.body,
            claims=of_claims[claims.CLAIMS_HEADER],
            now=self._clock.now(),
        )
        return built


class Frames:
    """The frames of a streamed response: an async iterator of bytes that end with a blank line."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._chunks = response.aiter_raw()
        self._rest = b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The frames that are there.

        Raises:
            Unavailable: the runtime broke off, or said nothing for too long.
            StopAsyncIteration: the stream is over.
        """
        try:
            while True:
                self._rest += await anext(self._chunks)
                end = self._rest.rfind(b"\n\n") + 2
                if end > 1:
                    whole, self._rest = self._rest[:end], self._rest[end:]
                    return whole
                if len(self._rest) > FRAME_BYTES:
                    raise _unavailable("not_recorded")
        except httpx2.TransportError as error:
            raise _unavailable("not_recorded") from error

    async def aclose(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(httpx2.TransportError):
            await self._response.aclose()


class Content:
    """The content of an artifact as it arrives: an async iterator of bytes."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._chunks = response.aiter_raw()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes.

        Raises:
            Unavailable: the runtime broke off.
            StopAsyncIteration: all of it has come.
        """
        try:
            return await anext(self._chunks)
        except httpx2.TransportError as error:
            raise _unavailable("not_recorded") from error

    async def aclose(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(httpx2.TransportError):
            await self._response.aclose()


def _patience(request: RuntimeRequest) -> httpx2.Timeout:
    if request.path.endswith(STREAMS):
        return STREAM_TIMEOUT
    return READ_TIMEOUT if request.method == "GET" else TIMEOUT


def _unavailable(outcome: str) -> Unavailable:
    return Unavailable(
        "the runtime can't be reached at the moment",
        reason_code="runtime_unreachable",
        outcome=outcome,
        retry_after_seconds=1.0,
    )
