# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about approvals."""

from dataclasses import dataclass
from enum import StrEnum

from autopilot.contract._generated.approval import Approval

__all__ = ["ApprovalFilter", "DecideApprovalResponse", "GetApprovalResponse", "ListApprovalsResponse"]


class ApprovalFilter(StrEnum):
    """What a list of approvals is narrowed to."""

    PENDING = "pending"
    """Nobody answered yet."""
    OPEN = "open"
    """Not ended."""
    ENDED = "ended"
    """Ended."""
    ALL = "all"
    """All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApprovalsResponse:
    """A page of approvals."""

    data: tuple[Approval, ...] = ()
    """The approvals."""
    next: str | None = None
    """`before` of the following page; null at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetApprovalResponse:
    """One approval."""

    data: Approval
    """The approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApprovalResponse:
    """The approval as it is now."""

    data: Approval
    """The approval."""
