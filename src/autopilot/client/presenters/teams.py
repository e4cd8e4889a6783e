"""Roles in a team, in words. Pure; a role that nobody foresaw is shown as it is."""

from __future__ import annotations

from autopilot.client.presenters.labels import sentence, spelled

ROLES = {
    "owner": ("Owner", "Says who is in the team and what its policy is; asks, answers and stops."),
    "operator": ("Operator", "Asks, answers and stops on the team's machines."),
    "viewer": ("Viewer", "Sees the team's sessions, and changes nothing."),
}


def role_words(role: str) -> str:
    """What a role is called."""
    return ROLES[role][0] if role in ROLES else sentence(spelled(role))


def role_means(role: str) -> str:
    """What who has it may do; empty where that is not known."""
    return ROLES[role][1] if role in ROLES else ""
