# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The call about spend."""

from dataclasses import dataclass

from autopilot.contract._generated.spend import SpendReport

__all__ = ["GetSpendResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSpendResponse:
    """What was used."""

    data: SpendReport
    """The report."""
