# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Events: immutable facts of a worker's log, and how they get there."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


__all__ = ["Actor", "AppendBody", "AppendEvent", "Appended", "BatchAppended", "EventType", "Surface"]


class EventType(StrEnum):
    """The types of events known today. Any other that starts with `worker.` is stored and streamed unchanged."""

    STARTED = "worker.started"
    """The log was opened: a create, a reattach, or a thread's first `thread/started`."""
    REQUEST_RECEIVED = "worker.request.received"
    """A request was accepted; its receipt exists."""
    REQUEST_DELIVERED = "worker.request.delivered"
    """The companion has the request."""
    REQUEST_ACKNOWLEDGED = "worker.request.acknowledged"
    """Codex has the request."""
    REQUEST_REJECTED = "worker.request.rejected"
    """The request will not be carried out."""
    REQUEST_EXPIRED = "worker.request.expired"
    """The request was not delivered in time."""
    REQUEST_CANCELLED = "worker.request.cancelled"
    """Whoever asked took it back before it was delivered."""
    REQUEST_INDETERMINATE = "worker.request.indeterminate"
    """The companion can't know whether Codex acted on it."""
    RESPONSE = "worker.response"
    """Codex answered a request."""
    ERROR = "worker.error"
    """Codex refused a request, or reported an error."""
    EVENT = "worker.event"
    """A notification of Codex passed through, or a message among clients; `payload.method` says which."""
    HEARTBEAT = "worker.heartbeat"
    """The executor lives. Moves `last_heartbeat_at`; adds no row to the log."""
    STOPPED = "worker.stopped"
    """The log was closed: the last row of its span."""
    APPROVAL_REQUESTED = "worker.approval.requested"
    """Codex asks a person."""
    APPROVAL_DECIDED = "worker.approval.decided"
    """A person answered."""
    APPROVAL_APPLIED = "worker.approval.applied"
    """Codex took the answer."""
    APPROVAL_SUPERSEDED = "worker.approval.superseded"
    """It was answered elsewhere."""
    APPROVAL_REOPENED = "worker.approval.reopened"
    """The decision was taken back before any machine had it: its device was revoked. The question waits for a person
    again.
    """
    APPROVAL_EXPIRED = "worker.approval.expired"
    """Nobody answered in time."""
    APPROVAL_CLOSED = "worker.approval.closed"
    """The question is moot."""
    POLICY_DENIED = "worker.policy.denied"
    """A policy said no."""
    USAGE = "worker.usage"
    """Codex reported what it used."""
    LEASE_CLAIMED = "worker.lease.claimed"
    """A machine may execute for the worker from here on."""
    LEASE_RELEASED = "worker.lease.released"
    """It gave the lease back."""
    LEASE_EXPIRED = "worker.lease.expired"
    """Its lease ran out."""


class Surface(StrEnum):
    """The kind of client an event came through."""

    IOS = "ios"
    """The phone app."""
    WEB = "web"
    """The web app."""
    CLI = "cli"
    """The command line."""
    SDK = "sdk"
    """A program that uses the SDK."""
    COMPANION = "companion"
    """A machine's companion."""
    RUNTIME = "runtime"
    """The runtime itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who appended an event, stamped by the server from the token; never taken from the payload."""

    user_id: int | None = None
    """The user."""
    device_id: str | None = None
    """The device whose session it was."""
    machine_id: str | None = None
    """The machine whose companion it was."""
    surface: str
    """The kind of client. (`Surface`)"""
    guest_scope: str | None = None
    """The guest, when it was no user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEvent:
    """One event to append."""

    event_type: str
    """What happened."""
    payload: dict[str, Any] | None = None
    """The facts. Missing means `{}`. Stored and replayed as written, but for redaction."""
    event_id: str | None = None
    """Its identity within the worker: the same id again appends nothing. An SDK always sends it."""
    producer_seq: int | None = None
    """An executor's own count of what it appended to this worker, to find gaps; never reset."""
    late: bool | None = None
    """Says that the event belongs to an earlier span of the log and was parked until a reattach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendBody:
    """Body of an append: exactly one of `event` and `events`. All of it is appended, or nothing."""

    event: AppendEvent | None = None
    """The one event."""
    events: tuple[AppendEvent, ...] = ()
    """The batch."""
    generation: int | None = None
    """The lease under which an executor appends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Answer to an append of one event."""

    worker_id: str
    """Which worker."""
    seq: int
    """Its place in the log; of a heartbeat, the latest place."""
    event_type: str
    """What happened."""
    payload: dict[str, Any]
    """The facts, as stored."""
    occurred_at: str
    """When it was recorded, by the server's clock."""
    event_id: str | None = None
    """Its identity within the worker; null for a heartbeat."""
    duplicate: bool | None = None
    """True when it was in the log already and nothing was appended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAppended:
    """Answer to one event of a batch, in the order sent."""

    event_id: str | None = None
    """Its identity within the worker; null for a heartbeat sent without one."""
    seq: int
    """Its place in the log; of a heartbeat, the latest place."""
    duplicate: bool
    """True when it was in the log already and nothing was appended."""
