# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about workers.

A request message describes a call: fields named in the path template are in the path, the one named by `body`
is the JSON body, header fields are headers (with `-` for `_`), everything else is in the query. A response
message is the JSON body of a success. Statuses that every call may answer are added by the generator.
"""

from dataclasses import dataclass

from autopilot.contract._generated.event import Appended, BatchAppended
from autopilot.contract._generated.machine import LeaseGrant
from autopilot.contract._generated.request import Receipt, RequestOutcome
from autopilot.contract._generated.stop import StoppedAll
from autopilot.contract._generated.stream import Envelope
from autopilot.contract._generated.worker import CreatedWorker, LeaseInfo, StoppedWorker, WorkerSnapshot, WorkerSummary

__all__ = [
    "AppendBatchResponse",
    "AppendEventsResponse",
    "CancelRequestResponse",
    "ClaimLeaseResponse",
    "CreateWorkerResponse",
    "GetReceiptResponse",
    "GetWorkerResponse",
    "ListEventsResponse",
    "ListWorkersResponse",
    "ReleaseLeaseResponse",
    "SendRequestResponse",
    "StopAllWorkersResponse",
    "StopWorkerResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWorkersResponse:
    """A page of workers, newest activity first."""

    data: tuple[WorkerSummary, ...] = ()
    """The workers."""
    next: str | None = None
    """For `before` of the next page; null on the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWorkerResponse:
    """The worker, now open."""

    data: CreatedWorker
    """The worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetWorkerResponse:
    """Everything a reader is told about one worker."""

    data: WorkerSnapshot
    """The worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEventsResponse:
    """A page of events, in order of seq."""

    data: tuple[Envelope, ...] = ()
    """The events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEventsResponse:
    """Answer to an append of one event."""

    data: Appended
    """The event, as recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendBatchResponse:
    """Answer to an append of a batch."""

    data: tuple[BatchAppended, ...] = ()
    """The events, in the order sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequestResponse:
    """The end of a request."""

    data: RequestOutcome
    """How it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetReceiptResponse:
    """A receipt."""

    data: Receipt
    """The receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequestResponse:
    """A receipt."""

    data: Receipt
    """The receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWorkerResponse:
    """Where the worker is in its life now."""

    data: StoppedWorker
    """The worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAllWorkersResponse:
    """What it came to, worker by worker."""

    data: StoppedAll
    """The workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLeaseResponse:
    """The lease."""

    data: LeaseGrant
    """The lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLeaseResponse:
    """What became of the lease."""

    data: LeaseInfo
    """The lease."""
