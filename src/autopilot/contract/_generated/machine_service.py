# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about machines."""

from dataclasses import dataclass

from autopilot.contract._generated.machine import FeedAcked, HeartbeatResult, Machine
from autopilot.contract._generated.request import Receipt, ReceiptReported, RequestOutcome

__all__ = [
    "AcknowledgeFeedResponse",
    "CancelMachineRequestResponse",
    "GetMachineReceiptResponse",
    "HeartbeatMachineResponse",
    "ListMachinesResponse",
    "RegisterMachineResponse",
    "ReportReceiptsResponse",
    "SendMachineRequestResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMachinesResponse:
    """The machines."""

    data: tuple[Machine, ...] = ()
    """The machines, the last one heard of first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMachineResponse:
    """The machine."""

    data: Machine
    """The machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatMachineResponse:
    """What became of its leases."""

    data: HeartbeatResult
    """Its leases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeFeedResponse:
    """Up to where the feed is acknowledged."""

    data: FeedAcked
    """Up to where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMachineRequestResponse:
    """The end of a request."""

    data: RequestOutcome
    """How it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMachineReceiptResponse:
    """A receipt."""

    data: Receipt
    """The receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceiptsResponse:
    """What each step did."""

    data: tuple[ReceiptReported, ...] = ()
    """One answer for each step, in the order sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMachineRequestResponse:
    """A receipt."""

    data: Receipt
    """The receipt."""
