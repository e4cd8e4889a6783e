"""Teams on screens: those one is in, making and joining one; and one of them, with who is in it and who is invited.

A team that one has left or ended is asked for no more. Who may do what is the server's to say.
"""

from __future__ import annotations

from autopilot.client.acting import ActingStore
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import teams as words
from autopilot.client.presenters.labels import Label
from autopilot.contract import Invitation, Team, TeamMember

NEW, JOINING, INVITING, TEAM = "new", "joining", "inviting", "team"
"""What is being done, where it is about no member and no invitation."""


class TeamsStore(ActingStore[list[Team]]):
    """Those one is in."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__(client.clock, client.teams)
        self._client = client
        self.entered: str | None = None
        """The team that was made or joined last."""

    async def create(self, name: str) -> bool:
        """Make one; whether that was done."""

        async def work() -> None:
            self.entered = (await self._client.create_team(name.strip())).team_id

        return await self.act(NEW, work)

    async def join(self, written: str) -> bool:
        """Accept the invitation that was pasted; whether that was done."""

        async def work() -> None:
            self.entered = (await self._client.accept_invitation(words.secret_of(written))).team_id

        return await self.act(JOINING, work)


class TeamStore(ActingStore[Team]):
    """One of them."""

    def __init__(self, client: RuntimeCodexClient, team_id: str) -> None:
        super().__init__(client.clock, lambda: client.team(team_id))
        self._client = client
        self._team_id = team_id

    async def invite(self, email: str, role: str) -> bool:
        """Mail an invitation; whether that was done."""

        async def work() -> Label:
            return words.has_invited(await self._client.invite(self._team_id, email.strip(), role))

        return await self.act(INVITING, work)

    async def withdraw(self, invitation: Invitation) -> bool:
        """Let nobody accept it any more; whether that was done."""

        async def work() -> Label:
            await self._client.withdraw_invitation(self._team_id, invitation.invitation_id)
            return words.has_withdrawn(invitation)

        return await self.act(invitation.invitation_id, work)

    async def set_role(self, member: TeamMember, role: str) -> bool:
        """Give somebody another role; whether that was done."""

        async def work() -> Label:
            await self._client.set_role(self._team_id, member.user_id, role)
            return words.has_role(member, role)

        return await self.act(str(member.user_id), work)

    async def remove(self, member: TeamMember) -> bool:
        """End somebody's membership; whether that was done."""

        async def work() -> Label:
            await self._client.remove_member(self._team_id, member.user_id)
            return words.is_removed(member)

        return await self.act(str(member.user_id), work)

    async def leave(self) -> bool:
        """End one's own; whether that was done."""

        async def work() -> None:
            await self._client.leave_team(self._team_id)

        return await self.act(TEAM, work, is_end=True)

    async def delete(self) -> bool:
        """End the team; whether that was done."""

        async def work() -> None:
            await self._client.delete_team(self._team_id)

        return await self.act(TEAM, work, is_end=True)
