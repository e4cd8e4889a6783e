# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about guests."""

from dataclasses import dataclass

from autopilot.contract._generated.guest import Guest, InvitedGuest

__all__ = ["InviteGuestResponse", "ListGuestsResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListGuestsResponse:
    """The guests."""

    data: tuple[Guest, ...] = ()
    """The newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteGuestResponse:
    """The guest, and what lets them in."""

    data: InvitedGuest
    """Both."""
