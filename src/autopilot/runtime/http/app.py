"""The signed door: the runtime behind HTTP, for an API in another process.

Owns what `docs/runtime-contract.md` says of it: the signature is checked before anything else is looked at, its nonce
is good once, claims and principal agree; then the very same `Runtime.call` that an API in this process would make.
Relies on ops.signature and contract.claims. Knows no worker and no route of the runtime; never reachable by clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from autopilot.contract.claims import CLAIMS_HEADER, from_headers
from autopilot.contract.errors import Forbidden, NotFound, PayloadTooLarge, Problem, Unauthorized, Unavailable
from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.db import queries
from autopilot.db.away import AWAY
from autopilot.ops import signature
from autopilot.ops.access import Access
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger
from autopilot.ops.metrics import Metrics
from autopilot.runtime.app import Runtime
from autopilot.runtime.http.answer import Answer
from autopilot.runtime.http.health import HealthRoutes
from autopilot.runtime.router import problem_response

BASE = "/internal/v1/codex"
PASSED_ON = ("tracestate", "last-event-id", "content-type", "range", "if-range", "if-none-match")
"""Headers that mean something to the runtime, beside the ids of correlation, which ops.access checked or made."""

WORDS = frozenset(
    (
        *("workers", "machines", "stream", "snapshot", "events", "requests", "cancel", "stop", "lease", "release"),
        *("heartbeat", "feed", "ack", "receipts", "approvals", "decision", "policies", "test", "spend", "devices"),
        *("prices", "revoked", "artifacts", "approval", "history", "version"),
        *("audit", "records", "trace", "budgets"),
    )
)
"""The fixed segments of the contract's paths."""

_SQL = queries.load("autopilot.runtime", "nonces")

log = get_logger("autopilot.runtime.http")


def build(
    runtime: Runtime,
    *,
    keys: Mapping[str, bytes],
    clock: Clock,
    metrics: Metrics | None = None,
    stopping: asyncio.Event | None = None,
) -> ASGIApp:
    """The app over an entered runtime. `keys`: the signing keys that are valid now, by id.

    `stopping`: the server's; once it is set, open streams end by themselves.
    """
    metrics = metrics or runtime.metrics
    health = HealthRoutes(runtime.pool, clock, metrics)
    door = Door(runtime, keys, clock, stopping or asyncio.Event())
    app = Router(routes=health.routes(), default=door, redirect_slashes=False)
    return Access(Edge(app), metrics=metrics, clock=clock)


class Edge:
    """Whatever happens inside, the answer has the contract's form, and a traceback goes to the log alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call; what is not HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = Answer(send)
        try:
            await self._app(scope, receive, answer.send)
        except Problem as problem:
            await answer.whole(problem_response(problem))
        except AWAY:
            await answer.whole(problem_response(_away("database", "not_recorded")))
        except ClientDisconnect:
            log.info("http.client_left")
        except Exception:
            log.exception("http.unforeseen")
            await answer.whole(problem_response(_away("internal_error", "unknown")))


class Door:
    """Lets signed calls through to the runtime."""

    def __init__(self, runtime: Runtime, keys: Mapping[str, bytes], clock: Clock, stopping: asyncio.Event) -> None:
        self._runtime = runtime
        self._keys = keys
        self._clock = clock
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call.

        Raises:
            Unauthorized: not signed, or not as it must be.
            Forbidden: claims and principal disagree.
            NotFound: no path of the internal contract.
            PayloadTooLarge: a body over the runtime's limit.
        """
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if signature.HEADER not in headers:
            raise Unauthorized("The call is not signed.", reason_code="signature_missing")
        body = await _body(receive, self._runtime.settings.max_body_bytes)
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        claims = await self._admit(scope["method"], f"{path}?{query}" if query else path, headers, body)
        if not path.startswith(f"{BASE}/"):
            raise NotFound("no such route", reason_code="no_such_route")
        scope["route"] = RouteName(path)
        passed = {name: headers[name] for name in PASSED_ON if name in headers}
        passed |= {"x-request-id": scope["state"]["x_request_id"], "traceparent": scope["state"]["traceparent"]}
        request = RuntimeRequest(claims, scope["method"], path.removeprefix(BASE), query, passed, body)
        response = await self._runtime.call(request)
        answer = Answer(send)
        if isinstance(response.body, bytes):
            await answer.whole(response)
        else:
            await answer.stream(response, receive, self._stopping, self._runtime.stop_streams)

    async def _admit(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Claims:
        verified = signature.verify(
            headers[signature.HEADER],
            self._keys,
            method=method,
            target=target,
            body=body,
            claims=headers.get(CLAIMS_HEADER, ""),
            now=self._clock.now(),
        )
        if await self._runtime.pool.fetchval(_SQL.use, verified.nonce, verified.expires_at) is None:
            raise Unauthorized("The signature was used before.", reason_code="signature_replayed")
        try:
            return from_headers(headers)
        except ValueError as error:
            raise Forbidden(str(error), reason_code="claims_disagree") from None


class RouteName:
    """What metrics call a path: its words, without anybody's ids."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = "/".join(part if part in WORDS else "{id}" for part in path.removeprefix(f"{BASE}/").split("/"))


async def _body(receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise PayloadTooLarge(f"the body is over {limit} bytes", reason_code="body_too_large", limit=limit)
        pieces.append(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


def _away(reason_code: str, outcome: str) -> Unavailable:
    return Unavailable(
        "the runtime can't do this now; repeat with the same ids",
        reason_code=reason_code,
        outcome=outcome,
        retry_after_seconds=1,
    )
