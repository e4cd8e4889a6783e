# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Teams: people who share machines."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = [
    "AcceptInvitation",
    "CreateTeam",
    "Invitation",
    "InviteMember",
    "MembershipEnded",
    "SetMemberRole",
    "Team",
    "TeamMember",
    "TeamRole",
]


class TeamRole(StrEnum):
    """What a member may do with the team's machines and workers."""

    OWNER = "owner"
    """What an operator may, and say who is in the team."""
    OPERATOR = "operator"
    """Read, ask, answer and stop."""
    VIEWER = "viewer"
    """Read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMember:
    """Somebody in a team."""

    user_id: int
    """Who."""
    email: str | None = None
    """Their address, where they have one."""
    role: str
    """Their role. (`TeamRole`)"""
    since: str
    """Since when they are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation that nobody has accepted yet. Its secret is in the mail, and nowhere else."""

    invitation_id: str
    """Which one."""
    email: str
    """Whom it was sent to; only who signs in with this address can accept it."""
    role: str
    """The role they will have. (`TeamRole`)"""
    created_at: str
    """When it was sent."""
    expires_at: str
    """Until when it can be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team that one is in."""

    team_id: str
    """Which one."""
    name: str
    """What it is called."""
    role: str
    """The role of who asks. (`TeamRole`)"""
    created_at: str
    """When it was made."""
    members: tuple[TeamMember, ...] = ()
    """Who is in it, owners first; empty in a list of teams."""
    invitations: tuple[Invitation, ...] = ()
    """Who is invited; only owners see it, and not in a list of teams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTeam:
    """Body that makes a team."""

    name: str
    """What to call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteMember:
    """Body that invites somebody."""

    email: str
    """Where to send it."""
    role: str
    """The role they will have. (`TeamRole`)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptInvitation:
    """Body that accepts an invitation."""

    secret: str
    """What the mail says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMemberRole:
    """Body that gives a member another role."""

    role: str
    """The role they have from now on. (`TeamRole`)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipEnded:
    """Answer: the membership has ended."""

    ok: bool
    """Always true."""
