"""The edge of an HTTP server: every request has an id, one line in the log, and its place in the metrics.

A plain ASGI middleware, outermost. It takes `x-request-id` and `traceparent` from the request where they are sound and
makes them otherwise, binds them to all that is logged on the way (and to `scope["state"]`: `x_request_id`,
`traceparent`), echoes the id, and logs once, at the end of the response, streams included. Never sees bodies.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autopilot.ops.clock import Clock
from autopilot.ops.log import correlated, get_logger
from autopilot.ops.metrics import Metrics
from autopilot.ops.serve import WHOLE, Wire, wire_of

REQUEST_ID = re.compile(r"[A-Za-z0-9._:~+/=-]{1,128}")
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/internal/v1/codex/transitions"})
"""Asked every few seconds by machines: logged at debug."""


class Access:
    """See the module."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._log = get_logger("autopilot.http").bind()  # as configured now: to look that up costs as much as a line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is not HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, traceparent = names_of(scope["headers"])
        scope.setdefault("state", {}).update(x_request_id=request_id, traceparent=traceparent)
        answer = _Answer(send, request_id, wire_of(scope))
        began = self._clock.monotonic()
        self._metrics.open_requests.inc()
        with correlated(x_request_id=request_id, traceparent=traceparent):
            try:
                await self._app(scope, receive, answer.send)
            finally:
                self._metrics.open_requests.dec()
                self._account(scope, answer, self._clock.monotonic() - began)

    def _account(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        wire = wire_of(scope)
        self._metrics.ended(scope["method"], getattr(scope.get("route"), "path", "none"), answer.status, seconds)
        say = self._log.debug if scope["path"] in QUIET else self._log.info
        say(
            "http.request",
            method=scope["method"],
            path=scope["path"],  # without the query: it is the caller's
            status=answer.status,
            bytes=answer.size_bytes + (wire.bytes_written if wire is not None else 0),
            ms=round(seconds * 1000, 1),
        )


class _Answer:
    """The answer as it goes out: adds the id, remembers what to account for."""

    __slots__ = ("_request_id", "_send", "_wire", "size_bytes", "status")

    def __init__(self, send: Send, request_id: str, wire: Wire | None) -> None:
        self._send = send
        self._request_id = request_id
        self._wire = wire
        self.status = 0
        self.size_bytes = 0

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one with the id."""
        if message["type"] == WHOLE:
            await self._send_whole(message)
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], (b"x-request-id", self._request_id.encode())]}
        elif message["type"] == "http.response.body":
            self.size_bytes += len(message.get("body", b""))
        await self._send(message)

    async def _send_whole(self, message: Message) -> None:
        """In one go where our server serves it, else in ASGI's two messages."""
        status, body = message["status"], message["body"]
        headers = [*message["headers"], (b"x-request-id", self._request_id.encode())]
        self.status, self.size_bytes = status, len(body)
        if self._wire is None or not self._wire.respond(status, headers, body):
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body, "more_body": False})


def names_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """The request id and the trace context of a request: its own where they have the form that we pass on."""
    request_id = traceparent = ""
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value.decode("latin-1")
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
    return (
        request_id if REQUEST_ID.fullmatch(request_id) else new_request_id(),
        traceparent if TRACEPARENT.fullmatch(traceparent) else new_traceparent(),
    )


def new_request_id() -> str:
    """A UUID of version 4, written without the detour over `uuid.UUID`, which takes longer than all the rest here."""
    chance = os.urandom(16).hex()
    return f"{chance[:8]}-{chance[8:12]}-4{chance[13:16]}-a{chance[17:20]}-{chance[20:]}"


def new_traceparent() -> str:
    """A W3C trace context of our own making: sampled."""
    chance = os.urandom(24).hex()
    return f"00-{chance[:32]}-{chance[32:]}-01"
