"""The layer around every route: limits on the head, security headers, and every error in the contract's form.

Has `Site` judge where a call goes to and comes from, and tells `Refusals` of what was refused. Relies on ops.access
around it for ids, log line and metrics.
Whatever happens inside, a client gets an answer of docs/protocol.md: an exception that nobody foresaw is 503
`unavailable` with outcome `unknown` (repeating with the same ids is safe, which is what such an error leaves to do),
its traceback goes to the log only. Never buffers, never touches a body.
"""

from __future__ import annotations

from itertools import chain

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autopilot.api.http.answers import send_problem
from autopilot.api.refusals import Refusals
from autopilot.api.settings import Limits
from autopilot.api.site import Site
from autopilot.contract.errors import HeadersTooLarge, PayloadTooLarge, Problem, RequestTimeout, Unavailable
from autopilot.ops.log import get_logger
from autopilot.ops.serve import WHOLE

HEADER_OVERHEAD_BYTES = 4
"""Colon, blank and line end of each header line."""
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
CONTENT_SECURITY = (
    b"content-security-policy",
    b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
)
NOT_STORED = (b"cache-control", b"no-store")
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")

_BEGINNINGS = frozenset({"http.response.start", WHOLE})

log = get_logger("autopilot.api")


class Edge:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        contract_version: str,
        public_url: str | None,
        site: Site,
        refusals: Refusals,
    ) -> None:
        self._app = app
        self._refusals = refusals
        self._site = site
        self._limits = limits
        self._fixed = [
            CONTENT_SECURITY,
            NOT_STORED,
            *SECURITY_HEADERS,
            (b"x-autopilot-contract", contract_version.encode("ascii")),
        ]
        if (public_url or "").startswith("https://"):
            self._fixed.append(STRICT_TRANSPORT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, [*self._fixed, *self._site.cors_headers(scope)])
        try:
            self._check_head(scope)
            self._site.check(scope)
            preflight = self._site.preflight(scope)
            if preflight is None:
                await self._app(scope, receive, answer.send)
            else:
                await answer.send({"type": "http.response.start", "status": 204, "headers": preflight})
                await answer.send({"type": "http.response.body", "body": b""})
        except Problem as problem:
            self._refusals.refused(scope, problem)
            await _answer_problem(answer, problem)
        except ClientDisconnect:
            log.info("client_left")
        except Exception:
            log.exception("unforeseen_error", method=scope["method"])
            await _answer_problem(answer, _unforeseen())

    def _check_head(self, scope: Scope) -> None:
        limits = self._limits
        if len(scope["raw_path"]) + len(scope["query_string"]) > limits.target_bytes:
            raise HeadersTooLarge(
                "path and query are too long", reason_code="target_too_large", limit_bytes=limits.target_bytes
            )
        headers = scope["headers"]
        size_bytes = sum(map(len, chain.from_iterable(headers))) + HEADER_OVERHEAD_BYTES * len(headers)
        if len(headers) > limits.header_count or size_bytes > limits.header_bytes:
            raise HeadersTooLarge(
                "the headers are too large",
                reason_code="headers_too_large",
                limit_bytes=limits.header_bytes,
                limit_count=limits.header_count,
            )


class _Answer:
    """The answer as it goes out: adds the fixed headers that it doesn't bring, remembers that it began."""

    __slots__ = ("_fixed", "_send", "began")

    def __init__(self, send: Send, fixed: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._fixed = fixed
        self.began = False

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one with the fixed headers."""
        if message["type"] in _BEGINNINGS:
            self.began = True
            headers = list(message.get("headers", []))
            names = {name for name, _ in headers}
            headers += [header for header in self._fixed if header[0] not in names]
            message = {**message, "headers": headers}
        await self._send(message)


async def _answer_problem(answer: _Answer, problem: Problem) -> None:
    if answer.began:
        log.warning("error_after_start", code=problem.code, reason_code=problem.reason_code)
        return
    unread = isinstance(problem, PayloadTooLarge | RequestTimeout | HeadersTooLarge)
    await send_problem(answer.send, problem, close=unread)


def _unforeseen() -> Unavailable:
    return Unavailable(
        "something went wrong here; repeating with the same ids is safe",
        reason_code="internal_error",
        outcome="unknown",
        retry_after_seconds=1.0,
    )
