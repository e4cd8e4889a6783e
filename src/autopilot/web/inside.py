"""Calls of the public API without a network between: an httpx2 transport over the ASGI app, streams included.

What is called passes every door that a call from outside passes; only sockets are missing. A response's body waits in
a queue of a few pieces, so that who reads slowly slows the app down; closing the response is the client's departure.
Owns the task that runs the app for one call, until the response is closed. Never changes a request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message, Scope
from typing_extensions import override

from autopilot.web.pieces import Pieces

PIECES = 16
"""Of a body that nobody has read yet."""
STREAM = b"text/event-stream"
OF_A_STREAM = frozenset({b"content-type", b"date", b"x-request-id", b"x-autopilot-contract"})
"""Headers that are kept for as long as a stream lasts: the others are for a browser."""
CLOSE_SECONDS = 2.0
BASE_URL = "http://localhost"
"""A name of ours that every installation answers to."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The call of a browser, on whose behalf the API is called."""

    client: tuple[str, int] | None
    forwarded_for: bytes | None
    traceparent: str | None
    scheme: str
    server: tuple[str, int | None] | None
    """Where the browser came in: passkeys of this machine are for the very port."""

    @classmethod
    def of(cls, scope: Scope) -> Outside:
        """Where a call comes from."""
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        client = scope.get("client")
        return cls(
            client=(client[0], client[1]) if client else None,
            forwarded_for=b",".join(forwarded) if forwarded else None,
            traceparent=scope.get("state", {}).get("traceparent"),
            scheme=scope["scheme"],
            server=scope.get("server"),
        )

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What says where it comes from."""
        return [] if self.forwarded_for is None else [(b"x-forwarded-for", self.forwarded_for)]

    def trace(self) -> dict[str, str]:
        """The headers of its trace."""
        return {"traceparent": self.traceparent} if self.traceparent else {}


class Inside(httpx2.AsyncBaseTransport):
    """See the module; for the calls of one browser's request."""

    def __init__(self, app: ASGIApp, outside: Outside) -> None:
        self._app = app
        self._outside = outside

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Do one call."""
        body = await request.aread()
        call = _Call(body)
        call.begin(self._app, self._scope(request))
        try:
            return await call.response()
        except BaseException:
            await call.aclose()
            raise

    def _scope(self, request: httpx2.Request) -> Scope:
        headers = [(name.lower(), value) for name, value in request.headers.raw] + self._outside.headers()
        raw_path, _, query = request.url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": self._outside.scheme,
            "path": request.url.path,
            "raw_path": raw_path,
            "root_path": "",
            "query_string": query,
            "headers": headers,
            "client": self._outside.client,
            "server": self._outside.server,
            "state": {},
            "extensions": {},
        }


class _Call(httpx2.AsyncByteStream):
    """One run of the app, and the body that it sends."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._pieces: Pieces[bytes | httpx2.RemoteProtocolError | None] = Pieces(PIECES)
        """Of the body; at its end None, or why it is not whole."""
        self._is_whole = False
        self._task: asyncio.Task[None] | None = None

    def begin(self, app: ASGIApp, scope: Scope) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the app: whoever called is told, as of a broken connection
            self._fail(error)
        finally:
            self._fail(httpx2.RemoteProtocolError("the app ended without an answer"))
            if not self._left.done():
                cut = httpx2.RemoteProtocolError("the app ended before its answer did")
                await self._pieces.put(None if self._is_whole else cut)

    def _fail(self, error: Exception) -> None:
        if not self._began.done():
            self._began.set_exception(error)

    async def response(self) -> httpx2.Response:
        """Its beginning."""
        begun = await self._began
        headers = begun.get("headers", [])
        if any(name == b"content-type" and value.startswith(STREAM) for name, value in headers):
            headers = [pair for pair in headers if pair[0] in OF_A_STREAM]
        return httpx2.Response(begun["status"], headers=headers, stream=self)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.wait({self._left})
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._began.done():  # else whoever called has left
                self._began.set_result(message)
            return
        if message.get("body") and not self._left.done():
            await self._pieces.put(message["body"])
        self._is_whole = self._is_whole or not message.get("more_body", False)

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            for piece in await self._pieces.take():
                if piece is None:
                    return
                if isinstance(piece, httpx2.RemoteProtocolError):
                    raise piece
                yield piece

    @override
    async def aclose(self) -> None:
        """Leave, as a client does that closes its connection."""
        if not self._left.done():
            self._left.set_result(None)
        task, self._task = self._task, None
        if task is None:
            return
        if not task.done():
            self._pieces.take_now()  # whoever waits for room goes on, and sees that its reader has left
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.wait({task})
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self._retrieve()

    def _retrieve(self) -> None:
        """A failure that nobody waited for is nobody's surprise."""
        if self._began.done() and not self._began.cancelled():
            self._began.exception()


def client_arguments(app: ASGIApp, outside: Outside) -> dict[str, Any]:
    """What a client of the SDK is made with, to call the app from here."""
    return {"transport": Inside(app, outside), "surface": "web", "trace": outside.trace}
