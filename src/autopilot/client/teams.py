"""The calls about teams: who shares machines with whom (docs/protocol.md, "Teams")."""

from __future__ import annotations

from urllib.parse import quote

from autopilot.client.calls import Calls, many, one
from autopilot.contract import AcceptInvitation, CreateTeam, Invitation, InviteMember, SetMemberRole, Team, encode

BASE = "/api/teams"


class TeamCalls(Calls):
    """What one may do about teams. A role is `owner`, `operator` or `viewer`.

    Of a team that one is not in, and of one that is none, every call raises NotFound; where only an owner may,
    Forbidden.
    """

    async def teams(self) -> list[Team]:
        """Those one is in, by name, each with one's role; without members."""
        return many(Team, await self._http.call("teams.list", "GET", BASE))

    async def team(self, team_id: str) -> Team:
        """One of them with its members; an owner sees who is invited, too."""
        return one(Team, await self._http.call("teams.get", "GET", _path(team_id)))

    async def create_team(self, name: str) -> Team:
        """Make one; who asks is its owner.

        Raises:
            Conflict: in too many teams.
        """
        return one(Team, await self._http.call("teams.create", "POST", BASE, body=encode(CreateTeam(name=name))))

    async def invite(self, team_id: str, email: str, role: str) -> Invitation:
        """Mail an invitation, good for seven days; it takes the place of an older one for the same address.

        Takes a step-up, as everything that lets somebody in.
        """
        body = encode(InviteMember(email=email, role=role))
        return one(Invitation, await self._http.call("teams.invite", "POST", _path(team_id, "invitations"), body=body))

    async def withdraw_invitation(self, team_id: str, invitation_id: str) -> Team:
        """Let nobody accept it any more.

        Raises:
            NotFound: also where it was accepted, or has ended.
        """
        path = _path(team_id, "invitations", invitation_id, "withdraw")
        return one(Team, await self._http.call("teams.withdraw", "POST", path))

    async def accept_invitation(self, secret: str) -> Team:
        """Join the team that the mail with this secret invites to.

        Raises:
            NotFound: it was used, withdrawn or sent to another address, or is too old.
            Conflict: one is in the team already.
        """
        body = encode(AcceptInvitation(secret=secret))
        return one(Team, await self._http.call("teams.accept", "POST", f"{BASE}/accept", body=body))

    async def set_role(self, team_id: str, user_id: int, role: str) -> Team:
        """Give a member another role. Takes a step-up.

        Raises:
            Conflict: `last_owner`.
        """
        path = _path(team_id, "members", str(user_id), "role")
        return one(Team, await self._http.call("teams.set_role", "POST", path, body=encode(SetMemberRole(role=role))))

    async def remove_member(self, team_id: str, user_id: int) -> None:
        """End a membership; its streams end within two seconds.

        Raises:
            Conflict: `last_owner`.
        """
        await self._http.call("teams.remove", "POST", _path(team_id, "members", str(user_id), "remove"))

    async def delete_team(self, team_id: str) -> None:
        """End it: all memberships end, and its machines are their owners' alone. Takes a step-up."""
        await self._http.call("teams.delete", "POST", _path(team_id, "delete"))

    async def leave_team(self, team_id: str) -> None:
        """End one's own.

        Raises:
            Conflict: `last_owner`.
        """
        await self._http.call("teams.leave", "POST", _path(team_id, "leave"))


def _path(*parts: str) -> str:
    return "/".join([BASE, *(quote(part, safe="") for part in parts)])
