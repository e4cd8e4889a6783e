# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about prices."""

from dataclasses import dataclass

from autopilot.contract._generated.prices import PriceTable

__all__ = ["GetPricesResponse", "SetPricesResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPricesResponse:
    """What tokens cost."""

    data: PriceTable
    """The table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPricesResponse:
    """The version that is in force."""

    data: PriceTable
    """The table."""
