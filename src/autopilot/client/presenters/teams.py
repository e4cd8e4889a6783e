"""Teams in words: roles, who is in one and who is invited, what leaving and ending one means. Pure.

The web and the phone say them. A role that nobody foresaw is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.contract import Invitation, Machine, Team, TeamMember

OWNER = "owner"
FIRST_ROLE = "operator"
"""What somebody is invited as, unless another is chosen."""
LONGEST_NAME = 100
ROLES = {
    "owner": ("Owner", "Says who is in the team and what its policy is; asks, answers and stops."),
    "operator": ("Operator", "Asks, answers and stops on the team's machines."),
    "viewer": ("Viewer", "Sees the team's sessions, and changes nothing."),
}
NONE_YET = "You are in no team yet. A team shares machines: make one, or accept an invitation."
INVITED = "Open the link in the mail, or paste what it says to accept with."
INVITING = "An invitation is mailed, and good for seven days, for whoever signs in with that address."
NO_MACHINE = "No machine is shared with this team. Who owns one shares it on the screen of machines."
LEAVING = "You see its machines and sessions no more. Your own machines are yours alone again."
DELETING = "All memberships end, and its machines are their owners' alone. This can't be taken back."
REMOVING = "They see its machines and sessions no more, within two seconds."
WITHDRAWING = "Nobody can accept it any more."


def role_words(role: str) -> str:
    """What a role is called."""
    return ROLES[role][0] if role in ROLES else sentence(spelled(role))


def role_means(role: str) -> str:
    """What who has it may do; empty where that is not known."""
    return ROLES[role][1] if role in ROLES else ""


def own_role(team: Team) -> str:
    """What one is in it, and what that means."""
    return f"You are {role_words(team.role).lower()} here. {role_means(team.role)}".strip()


def member_name(one: TeamMember) -> str:
    """What a member is called."""
    return one.email or f"User {one.user_id}"


def machines_of(team: Team, machines: Iterable[Machine]) -> list[Machine]:
    """Those that are shared with it."""
    return [one for one in machines if one.owner is not None and one.owner.team_id == team.team_id]


def secret_of(written: str) -> str:
    """What an invitation is accepted with, of what somebody pasted: the secret itself, or the link that carries it."""
    return written.strip().rpartition("#")[2].strip()


# What was done.


def has_invited(one: Invitation) -> Label:
    """An invitation is on its way."""
    return Label(f"{one.email} is invited as {role_words(one.role).lower()}.", "good")


def has_withdrawn(one: Invitation) -> Label:
    """It can't be accepted any more."""
    return Label(f"The invitation of {one.email} is withdrawn.", "good")


def has_role(one: TeamMember, role: str) -> Label:
    """Somebody has another role."""
    return Label(f"{member_name(one)} is {role_words(role).lower()} now.", "good")


def is_removed(one: TeamMember) -> Label:
    """Somebody is in it no more."""
    return Label(f"{member_name(one)} is in the team no more.", "good")
