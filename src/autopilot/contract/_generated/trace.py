# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Traces: the hops of one call or request, as far as the ledger knows them."""

from dataclasses import dataclass
from enum import StrEnum

from autopilot.contract._generated.event import Actor

__all__ = ["Trace", "TraceHop", "TraceSource"]


class TraceSource(StrEnum):
    """Where a hop is known from."""

    RECEIPT = "receipt"
    """A request's receipt."""
    EVENT = "event"
    """A worker's log."""
    APPROVAL = "approval"
    """An approval's decision."""
    AUDIT = "audit"
    """The audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceHop:
    """One thing that happened on the way."""

    at: str
    """When, by the server's clock."""
    source: str
    """Where it is known from. (`TraceSource`)"""
    what: str
    """What happened: a receipt's state, an event's type, `decided`, or an act of the audit."""
    worker_id: str | None = None
    """The worker."""
    machine_id: str | None = None
    """The machine."""
    seq: int | None = None
    """The event, of a worker's log."""
    request_id: str | None = None
    """The request."""
    approval_id: str | None = None
    """The approval."""
    method: str | None = None
    """The method that was asked for, or that an event passes on."""
    actor: Actor | None = None
    """Who did it."""
    x_request_id: str | None = None
    """The `x-request-id` of the call."""
    detail: str | None = None
    """What the act was done to, of the audit, as `kind:name`; what was refused, of a receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What is known of a call or request."""

    ids: tuple[str, ...] = ()
    """Its names: the one that was asked for, the request's own, and the `x-request-id`s that it went under."""
    hops: tuple[TraceHop, ...] = ()
    """What happened, in the order of time."""
    cut_off: bool
    """Whether there is more than could be looked through, or shown."""
