"""The worker API: authenticate, limit, forward; the runtime does the rest.

One ASGI app for every path of `paths.TABLE`. Relies on ops.access around it for ids and on `Edge` for
rendering what is raised here.
Never looks into a body or a query, except for `frames=control` (to say goodbye in the form that was asked for), for the
team that a machine is put into (to say which membership that is), and into what was spent (to name who it was).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from autopilot.api import spend_names
from autopilot.api.grants import Grant
from autopilot.api.http import paths
from autopilot.api.http.body import BodyLimits, read_body
from autopilot.api.http.door import Door
from autopilot.api.http.stream import close_stream, relay
from autopilot.api.recovery_watch import RecoveryWatch
from autopilot.api.refusals import Refusals
from autopilot.api.sharing import Memberships
from autopilot.api.signatures import Signatures
from autopilot.api.spend_names import SpendNames
from autopilot.api.watch import OpenStream, StreamWatch
from autopilot.contract.port import DirectStream, RuntimePort, RuntimeRequest, RuntimeResponse
from autopilot.ops.serve import WHOLE, wire_of

PASSED_ON = (b"last-event-id", b"content-type", b"range", b"if-range", b"if-none-match")
"""Request headers that mean something to the runtime, beside the ids of correlation (which ops.access checked)."""
NOT_MODIFIED = 304
"""Has no body, and no length of one."""
TRACESTATE = re.compile(rb"[\x20-\x7e]{1,512}")
PASSED_BACK = frozenset(
    {"content-type", "cache-control", "retry-after", "x-accel-buffering", "allow"}
    | {
        "etag",
        "accept-ranges",
        "content-range",
        "x-autopilot-truncated",
        "x-autopilot-redacted",
        "x-autopilot-incomplete",
    }
)
"""Response headers of the runtime that mean something to a client."""


class FacadeFirst:
    """ASGI middleware: calls of the worker API, which are most, go to the facade without asking the router."""

    def __init__(self, app: ASGIApp, *, facade: ASGIApp) -> None:
        self._app = app
        self._facade = facade

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        is_ours = scope["type"] == "http" and scope["path"].startswith(f"{paths.BASE}/")
        await (self._facade if is_ours else self._app)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Facade:
    """The ASGI app."""

    port: RuntimePort
    door: Door
    watch: StreamWatch
    signatures: Signatures
    refusals: Refusals
    memberships: Memberships
    body_limits: BodyLimits
    names: SpendNames
    recoveries: RecoveryWatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        path = scope["raw_path"].decode("ascii")
        found = paths.match(scope["method"], path.removeprefix(paths.BASE))
        scope["route"] = found  # its `path` is what metrics call it
        grant = await self.door.enter(scope)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        body, claims = b"", grant.claims
        if scope["method"] == "POST":
            wire = wire_of(scope)
            is_there = wire is not None and wire.has_whole_body()
            body = await read_body(headers, receive, self.body_limits, is_there=is_there)
            if grant.public_key is not None:
                await self.signatures.check(scope, grant, body)
            if claims.machine_id is None:  # of what people do, the audit says where from
                claims = grant.claims_from(self.door.address_of(scope))
            if found.path == paths.MACHINE_TEAM:
                claims = await self.memberships.claimed(claims, body)
        call = RuntimeRequest(
            claims=claims,
            method=scope["method"],
            path=found.internal,
            query=scope["query_string"].decode("latin-1"),
            headers=_passed_on(scope, headers),
            body=body,
        )
        if found.path in paths.WAITING:
            async with self.watch.waiting(grant):
                response = await self.port.call(call)
        else:
            response = await self.port.call(call)
        if found.path == spend_names.PATH:
            response = await self.names.put_into(grant.claims, scope["query_string"].decode("latin-1"), response)
        if isinstance(response.body, bytes):
            self.refusals.answered(scope, response.status, response.body)
            await _answer(send, response, response.body)
        else:
            await self._stream(scope, receive, send, response, grant)

    async def _stream(
        self, scope: Scope, receive: Receive, send: Send, response: RuntimeResponse, grant: Grant
    ) -> None:
        body = response.body
        assert not isinstance(body, bytes)
        wire = wire_of(scope)
        if wire is not None and isinstance(body, DirectStream):
            body.write_to(wire.write)
        wants_control = b"frames=control" in scope["query_string"].split(b"&")
        stream: OpenStream | None = None
        try:
            stream = self.watch.open(grant, self.door.address_of(scope))
            headers = _passed_back(response.headers)
            is_frames = "content-length" not in response.headers
            if not is_frames:  # an artifact: whoever gets less of it is to notice
                headers.append((b"content-length", response.headers["content-length"].encode()))
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            told = {"wants_control": wants_control, "is_frames": is_frames}
            if scope["route"].path != paths.EVERYTHING:
                await relay(receive, send, body, stream, **told)
                return
            with self.recoveries.listening(grant) as news:
                if news is not None:
                    await self.recoveries.begin(grant, news)
                await relay(receive, send, body, stream, **told, news=news)
        finally:
            await close_stream(body)
            if stream is not None:
                self.watch.close(stream)


async def _answer(send: Send, response: RuntimeResponse, body: bytes) -> None:
    headers = _passed_back(response.headers)
    if response.status == NOT_MODIFIED:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": WHOLE, "status": response.status, "headers": headers, "body": body})


def _passed_on(scope: Scope, headers: dict[bytes, bytes]) -> dict[str, str]:
    state = scope["state"]
    passed: dict[str, str] = {"x-request-id": state["x_request_id"], "traceparent": state["traceparent"]}
    if b"traceparent" in headers and TRACESTATE.fullmatch(headers.get(b"tracestate", b"")):
        passed["tracestate"] = headers[b"tracestate"].decode("ascii")
    for name in PASSED_ON:
        value = headers.get(name)
        if value is not None:
            passed[name.decode()] = value.decode("latin-1")
    return passed


def _passed_back(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("ascii"), value.encode("latin-1"))
        for name, value in headers.items()
        if name.lower() in PASSED_BACK
    ]
