# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Requests to workers and machines, and their receipts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.artifact import ArtifactRef
from autopilot.contract._generated.event import Actor

__all__ = [
    "Receipt",
    "ReceiptReport",
    "ReceiptReported",
    "ReceiptReports",
    "ReportedState",
    "RequestBody",
    "RequestCall",
    "RequestOutcome",
    "RequestState",
    "RequestTarget",
]


class RequestState(StrEnum):
    """How far a request has come. The last six are ends."""

    ACCEPTED = "accepted"
    """Stored; nothing acted on it yet."""
    DELIVERED = "delivered"
    """The companion has it."""
    ACKNOWLEDGED = "acknowledged"
    """Codex has it."""
    COMPLETED = "completed"
    """Codex answered."""
    FAILED = "failed"
    """Codex refused."""
    REJECTED = "rejected"
    """It will not be carried out."""
    EXPIRED = "expired"
    """It was not delivered in time."""
    CANCELLED = "cancelled"
    """Whoever asked took it back."""
    INDETERMINATE = "indeterminate"
    """The companion can't know whether Codex acted on it. Never retried blindly."""


class RequestTarget(StrEnum):
    """What a request is addressed to."""

    WORKER = "worker"
    """A worker."""
    MACHINE = "machine"
    """A machine, for what concerns no worker yet."""


class ReportedState(StrEnum):
    """The states that an executor may report."""

    DELIVERED = "delivered"
    """The companion has it."""
    ACKNOWLEDGED = "acknowledged"
    """Codex has it."""
    COMPLETED = "completed"
    """Codex answered."""
    FAILED = "failed"
    """Codex refused."""
    REJECTED = "rejected"
    """The companion refused."""
    INDETERMINATE = "indeterminate"
    """The companion can't know whether Codex acted on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCall:
    """What is asked: a method of Codex's app-server, or one of ours."""

    request_id: str | None = None
    """Its identity within the worker or machine: the same id again is the same receipt. An SDK always sends it."""
    method: str
    """`turn/start`, `turn/steer`, `turn/interrupt`, `thread/read`, `model/list`, …."""
    params: dict[str, Any] | None = None
    """The method's parameters. Missing means `{}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """Body of a request."""

    request: RequestCall
    """What is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt: what became of a request, stored before anything acts on it."""

    worker_id: str | None = None
    """The worker it is addressed to; of a machine's request, the worker it made, once known."""
    request_id: str
    """Its identity within the worker or machine."""
    ok: bool | None = None
    """True when completed, false when it ended otherwise, null before the end and when indeterminate."""
    response: Any = None
    """What Codex answered, redacted."""
    state: str
    """How far it has come. (`RequestState`)"""
    error: dict[str, Any] | None = None
    """Why it did not complete: `{code, message, …}`, redacted."""
    machine_id: str | None = None
    """The machine that is to carry it out."""
    target: str
    """What it is addressed to. (`RequestTarget`)"""
    method: str
    """What is asked."""
    params: dict[str, Any] | None = None
    """The method's parameters, redacted."""
    actor: Actor | None = None
    """Who asked."""
    x_request_id: str | None = None
    """The request id of the call that asked."""
    accepted_seq: int | None = None
    """Its `worker.request.received` in the worker's log."""
    created_at: str
    """When it was stored."""
    expires_at: str | None = None
    """When it expires unless delivered; null: never."""
    delivered_at: str | None = None
    """When the companion had it."""
    acknowledged_at: str | None = None
    """When Codex had it."""
    ended_at: str | None = None
    """When it ended."""
    machine_unreachable: bool | None = None
    """While it has not ended: true when the machine that is to carry it out has not been heard, so that it waits."""
    artifacts: tuple[ArtifactRef, ...] = ()
    """What `response` leaves out because it was too large: paths begin at the receipt (`/response/…`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOutcome:
    """Answer to a request that ended in time."""

    worker_id: str | None = None
    """The worker; of a machine's request, the worker it made, if any."""
    request_id: str
    """Its identity within the worker or machine."""
    ok: bool | None = None
    """True when completed, false when it ended otherwise, null when indeterminate."""
    response: Any = None
    """What Codex answered, redacted."""
    state: str
    """How it ended. (`RequestState`)"""
    error: dict[str, Any] | None = None
    """Why it did not complete: `{code, message, …}`, redacted."""
    machine_id: str | None = None
    """The machine, of a machine's request."""
    machine_unreachable: bool | None = None
    """While it has not ended: true when the machine that is to carry it out has not been heard, so that it waits."""
    artifacts: tuple[ArtifactRef, ...] = ()
    """What `response` leaves out because it was too large: paths begin here (`/response/…`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReport:
    """One step that an executor reports."""

    worker_id: str | None = None
    """The worker; null for a request to the machine."""
    request_id: str
    """Which request."""
    state: str
    """How far it has come: delivered, acknowledged, completed, failed, rejected or indeterminate. (`ReportedState`)"""
    response: Any = None
    """What Codex answered."""
    error: dict[str, Any] | None = None
    """Why it did not complete: `{code, message, …}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReports:
    """Body of an executor's report: idempotent, a receipt never goes back."""

    receipts: tuple[ReceiptReport, ...] = ()
    """The steps, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReported:
    """What a reported step did, in the order reported."""

    worker_id: str | None = None
    """The worker; null for a request to the machine."""
    request_id: str
    """Which request."""
    state: str | None = None
    """The receipt's state now; null when there is no such receipt. (`RequestState`)"""
    applied: bool
    """True when the step moved the receipt."""
    reason_code: str | None = None
    """Why it did not, where that is worth knowing."""
