# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The price table: what tokens cost, as the installation's owner says it."""

from dataclasses import dataclass

from autopilot.contract._generated.event import Actor

__all__ = ["Price", "PriceTable", "SetPrices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model's tokens cost from one day on, until its next price. In millionths of the currency's unit for a
    million tokens: 1.25 is 1250000.
    """

    model: str
    """The model, by its exact name."""
    first_day: str
    """The first day (UTC) that it holds for."""
    input_micros: int
    """Tokens read that were not in the cache."""
    cached_input_micros: int
    """Tokens read from the cache."""
    output_micros: int
    """Tokens written, reasoning included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The price table in force."""

    version: int
    """Raised by every change; 0: there is none, and all else is null or empty."""
    format: str | None = None
    """How it is written. (`PolicyFormat`)"""
    text: str | None = None
    """As it was written."""
    actor: Actor | None = None
    """Who wrote it."""
    created_at: str | None = None
    """When."""
    currency: str | None = None
    """Of all prices: ISO 4217."""
    prices: tuple[Price, ...] = ()
    """The prices, by model and day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPrices:
    """A new version of the price table."""

    format: str
    """How it is written. (`PolicyFormat`)"""
    text: str
    """The table."""
    expected_version: int
    """The version that is in force now; 0 where there is none."""
    reprice: bool | None = None
    """Whether known prices of days up to today may become others."""
