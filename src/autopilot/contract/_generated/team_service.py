# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about teams."""

from dataclasses import dataclass

from autopilot.contract._generated.team import Invitation, Team

__all__ = ["InviteResponse", "ListTeamsResponse", "TeamResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTeamsResponse:
    """The teams."""

    data: tuple[Team, ...] = ()
    """The teams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamResponse:
    """The team as it is now."""

    data: Team
    """The team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteResponse:
    """What was sent."""

    data: Invitation
    """The invitation, without its secret."""
