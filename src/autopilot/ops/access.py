"""The edge of an HTTP server: every request has an id, one line in the log, and its place in the metrics.

A plain ASGI middleware, outermost. It takes `x-request-id` and `traceparent` from the request where they are sound and
makes them otherwise, binds them to all that is logged on the way (and to `scope["state"]`: `x_request_id`,
`traceparent`), echoes the id, and logs once, at the end of the response, streams included. Never sees bodies.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autopilot.ops.clock import Clock
from autopilot.ops.log import correlated, get_logger
from autopilot.ops.metrics import Metrics
from autopilot.ops.serve import DIRECT_WRITE

log = get_logger("autopilot.http")

REQUEST_ID = re.compile(r"[A-Za-z0-9._:~+/=-]{1,128}")
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: logged at debug."""


class Access:
    """See the module."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is not HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        request_id = sound(headers, b"x-request-id", REQUEST_ID) or str(uuid.uuid4())
        traceparent = sound(headers, b"traceparent", TRACEPARENT) or new_traceparent()
        scope.setdefault("state", {}).update(x_request_id=request_id, traceparent=traceparent)
        with correlated(x_request_id=request_id, traceparent=traceparent):
            await self._answer(scope, receive, send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        began, status, size = self._clock.monotonic(), 0, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        self._metrics.open_requests.inc()
        try:
            await self._app(scope, receive, counted)
        finally:
            self._metrics.open_requests.dec()
            direct = scope.get("extensions", {}).get(DIRECT_WRITE)
            size += direct.bytes_written if direct is not None else 0
            self._account(scope, status, size, self._clock.monotonic() - began)

    def _account(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        say = log.debug if scope["path"] in QUIET else log.info
        say(
            "http.request",
            method=scope["method"],
            path=scope["path"],  # without the query: it is the caller's
            status=status,
            bytes=size,
            ms=round(seconds * 1000, 1),
        )


def sound(headers: Mapping[bytes, str], name: bytes, form: re.Pattern[str]) -> str | None:
    """A header's value if it has the form that we pass on, else None."""
    value = headers.get(name, "")
    return value if form.fullmatch(value) else None


def new_traceparent() -> str:
    """A W3C trace context of our own making: sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
