# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The call about the audit."""

from dataclasses import dataclass

from autopilot.contract._generated.audit import AuditLine

__all__ = ["SearchAuditResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAuditResponse:
    """A page of the audit."""

    data: tuple[AuditLine, ...] = ()
    """The acts."""
    next: str | None = None
    """`before` of the following page; null at the end."""
