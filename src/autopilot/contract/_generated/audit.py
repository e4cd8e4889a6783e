# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The audit: who did what, and what was refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.event import Actor

__all__ = ["AuditLine", "AuditOutcome", "AuditSource"]


class AuditOutcome(StrEnum):
    """What became of an act."""

    DONE = "done"
    """It was done."""
    REFUSED = "refused"
    """It was refused."""


class AuditSource(StrEnum):
    """Where a line of the audit lies."""

    AUDIT = "audit"
    """The audit log."""
    REQUEST = "request"
    """A request's receipt."""
    APPROVAL = "approval"
    """An approval's decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One act."""

    id: str
    """Which one."""
    source: str
    """Where it lies. (`AuditSource`)"""
    at: str
    """When it was done."""
    action: str
    """What was done: a word such as `signed_in`; others may come."""
    outcome: str
    """What became of it. (`AuditOutcome`)"""
    actor: Actor
    """Who did it; without a user where nobody had signed in."""
    session_id: str | None = None
    """The session it was done in."""
    address: str | None = None
    """The network address it came from: an IPv4 address or an IPv6 /64."""
    x_request_id: str | None = None
    """The `x-request-id` of the call."""
    subject: str | None = None
    """What it was done to, as `kind:name`."""
    detail: dict[str, Any]
    """A few facts more, redacted."""
    seal: int | None = None
    """The number of the seal that covers it; null: not sealed yet."""
