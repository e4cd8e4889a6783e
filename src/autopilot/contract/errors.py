"""The one tree of errors, and the one table that maps it to HTTP.

Servers raise these and render `Problem.body()`; clients read a response with `from_response` and raise the
very same. Source of the table: docs/protocol.md, "Errors".

    AutopilotError
    ├── Problem                    has an HTTP status; `code` is from the table
    │   ├── InvalidRequest         400 invalid_request
    │   ├── Unauthorized           401 unauthorized
    │   ├── Forbidden              403 forbidden
    │   ├── NotFound               404 not_found
    │   ├── MethodNotAllowed       405 method_not_allowed
    │   ├── RequestTimeout         408 timeout
    │   ├── Conflict               409 conflict
    │   ├── StaleCursor            410 stale_cursor
    │   ├── PayloadTooLarge        413 payload_too_large
    │   ├── UnsupportedMediaType   415 unsupported_media_type
    │   ├── Unprocessable          422 unprocessable
    │   ├── RateLimited            429 rate_limited
    │   ├── HeadersTooLarge        431 headers_too_large
    │   └── Unavailable            503 unavailable
    ├── NetworkError               no response arrived: the outcome is unknown
    └── UnknownError               a response that is none of ours, whatever its status
"""

from __future__ import annotations

from typing import Any, ClassVar

Details = list[dict[str, Any]]

SAID_BY_ANYBODY = frozenset({408, 413, 429, 431, 503})
"""Statuses that mean the same whoever answers on the way: too slow, too large, too often, not now."""


class AutopilotError(Exception):
    """Anything this project raises on purpose."""

    status: int | None = None
    code: str = "unknown"

    def __init__(
        self,
        message: str,
        *,
        details: Details | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
        **facts: Any,
    ) -> None:
        """`facts` become the first detail: always `reason_code`, and what a program needs (`oldest_seq`, …)."""
        super().__init__(message)
        self.message = message
        self.details: Details = ([facts] if facts else []) + (details or [])
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    @property
    def reason_code(self) -> str | None:
        """`reason_code` of the first detail."""
        return self.details[0].get("reason_code") if self.details else None

    def fact(self, name: str) -> Any:
        """A value of the first detail, or None."""
        return self.details[0].get(name) if self.details else None


class Problem(AutopilotError):
    """An error that has a status and a code in the contract."""

    status: int | None = 500
    by_status: ClassVar[dict[int | None, type[Problem]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Problem.by_status.setdefault(cls.status, cls)  # not the finer kinds that a room derives

    def body(self) -> dict[str, Any]:
        """The JSON body of the response: `{"error": {"code", "message", "details"}}`."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


class InvalidRequest(Problem):
    """Malformed: not JSON, not an object, duplicate keys, a cursor that is no number."""

    status, code = 400, "invalid_request"


class Unauthorized(Problem):
    """No token, or one that is unknown, expired or revoked."""

    status, code = 401, "unauthorized"


class Forbidden(Problem):
    """Known, but not allowed: role, scope, event type or policy."""

    status, code = 403, "forbidden"


class NotFound(Problem):
    """No such worker, machine, request or route."""

    status, code = 404, "not_found"


class MethodNotAllowed(Problem):
    """The route exists, this method of it does not."""

    status, code = 405, "method_not_allowed"


class RequestTimeout(Problem):
    """The body did not arrive in time."""

    status, code = 408, "timeout"


class Conflict(Problem):
    """True, but not now: stopped, fenced, a gap, or other content under a known id."""

    status, code = 409, "conflict"


class StaleCursor(Problem):
    """The cursor lies outside the log: start again from the snapshot."""

    status, code = 410, "stale_cursor"


class PayloadTooLarge(Problem):
    """A body, or one event, over its limit."""

    status, code = 413, "payload_too_large"


class UnsupportedMediaType(Problem):
    """The body is not JSON by its own account."""

    status, code = 415, "unsupported_media_type"


class Unprocessable(Problem):
    """Well-formed, but a value is out of its set, range or charset; one detail per field."""

    status, code = 422, "unprocessable"


class RateLimited(Problem):
    """Too many; `retry_after_seconds` says when again."""

    status, code = 429, "rate_limited"


class HeadersTooLarge(Problem):
    """The request's headers are over their limit."""

    status, code = 431, "headers_too_large"


class Unavailable(Problem):
    """Runtime or database can't be reached; `outcome` is `not_recorded` or `unknown`. Repeat with the same ids."""

    status, code = 503, "unavailable"


class NetworkError(AutopilotError):
    """No response arrived; whether the call took effect is unknown. Repeat with the same ids."""

    code = "network"


class UnknownError(AutopilotError):
    """A response that is none of the contract's."""

    code = "unknown"


def from_response(
    status: int, body: Any, *, request_id: str | None = None, retry_after_seconds: float | None = None
) -> AutopilotError:
    """The error that a non-2xx response means; `body` is its decoded JSON, or None where it has none.

    A refusal without the contract's form is not this server's: somebody before it answered in its place (a proxy, a
    firewall, the page of a hotel), who knows nothing of tokens, workers and events.
    """
    error = body.get("error") if isinstance(body, dict) else None
    is_ours = isinstance(error, dict) and isinstance(error.get("code"), str)
    error = error if isinstance(error, dict) else {}
    message = str(error.get("message") or f"HTTP {status}")
    given = error.get("details")
    details = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    kind: type[AutopilotError] = Problem.by_status.get(status, UnknownError)
    if not is_ours and status not in SAID_BY_ANYBODY:
        kind = UnknownError
    made = kind(message, details=details, request_id=request_id, retry_after_seconds=retry_after_seconds)
    if kind is UnknownError:
        made.status = status
    return made
