# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The call about traces."""

from dataclasses import dataclass

from autopilot.contract._generated.trace import Trace

__all__ = ["GetTraceResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTraceResponse:
    """What is known."""

    data: Trace
    """The trace."""
