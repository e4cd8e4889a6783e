# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Errors: the body of every response that is not a success."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


__all__ = ["ErrorBody", "ErrorCode", "ErrorInfo"]


class ErrorCode(StrEnum):
    """The codes. One status has one code."""

    INVALID_REQUEST = "invalid_request"
    """Malformed JSON, not an object, duplicate keys, a cursor that is no number, …."""
    UNAUTHORIZED = "unauthorized"
    """No token, or one that is unknown, expired or revoked."""
    FORBIDDEN = "forbidden"
    """Known, but not allowed."""
    NOT_FOUND = "not_found"
    """No such worker, machine, request or route."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    """The route exists, this method of it does not."""
    TIMEOUT = "timeout"
    """The body did not arrive in time."""
    CONFLICT = "conflict"
    """True, but not now."""
    STALE_CURSOR = "stale_cursor"
    """The cursor lies outside the log: start again from the snapshot."""
    PAYLOAD_TOO_LARGE = "payload_too_large"
    """A body over 16 MiB, or an event over 4 MiB."""
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    """The body is not JSON by its own account."""
    UNPROCESSABLE = "unprocessable"
    """Well-formed, but a value is out of its set, range or charset."""
    RATE_LIMITED = "rate_limited"
    """Too many; `Retry-After` says when again."""
    HEADERS_TOO_LARGE = "headers_too_large"
    """The request's headers are too large."""
    UNAVAILABLE = "unavailable"
    """Runtime or database can't be reached; repeating with the same ids is safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """What went wrong."""

    code: str
    """For programs. (`ErrorCode`)"""
    message: str
    """For people; carries no secret, no path of the server and no traceback."""
    details: tuple[dict[str, Any], ...] = ()
    """The first has `reason_code` and what a program needs (`oldest_seq`, `expected`, `field`, …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """The body."""

    error: ErrorInfo
    """What went wrong."""
