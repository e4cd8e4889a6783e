"""The calls about teams: make one, see it, invite, join, change a role, leave. Source: docs/protocol.md, "Teams".

A change takes effect in this process at once, elsewhere within a second (`Grants` remembers no longer); streams of
whoever it concerns end within two (`StreamWatch`).
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.address import plain_email
from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant, Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import Nothing, Reception, id_of, named, require_step_up
from autopilot.api.invitations import LIFE_SECONDS, Invitations
from autopilot.api.mail import InvitationMail, Postman
from autopilot.api.sharing import Departures
from autopilot.api.teams import ROLES, Teams
from autopilot.api.watch import StreamWatch
from autopilot.contract import AcceptInvitation, CreateTeam, InviteMember, SetMemberRole, Team, encode
from autopilot.contract.errors import Unprocessable

DAY_SECONDS = 86_400
MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TeamRoutes:
    """What a user does about teams."""

    teams: Teams
    invitations: Invitations
    departures: Departures
    grants: Grants
    watch: StreamWatch
    postman: Postman
    reception: Reception
    public_url: str | None

    def routes(self) -> list[Route]:
        """The paths."""
        one = "/api/teams/{team_id}"
        return [
            Route("/api/teams", self.show, methods=["GET"]),
            Route("/api/teams", self.create, methods=["POST"]),
            Route("/api/teams/accept", self.accept, methods=["POST"]),
            Route(one, self.show_one, methods=["GET"]),
            Route(f"{one}/invitations", self.invite, methods=["POST"]),
            Route(f"{one}/invitations/{{invitation_id}}/withdraw", self.withdraw, methods=["POST"]),
            Route(f"{one}/members/{{user_id}}/role", self.set_role, methods=["POST"]),
            Route(f"{one}/members/{{user_id}}/remove", self.remove, methods=["POST"]),
            Route(f"{one}/leave", self.leave, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All of one's own."""
        grant = await self.reception.read(request, "observe")
        with answering():
            found = await self.teams.of(Actor.of(grant.claims))
        return json_answer({"data": [encode(team) for team in found]})

    async def show_one(self, request: Request) -> Response:
        """One, with its members."""
        grant = await self.reception.read(request, "observe")
        return await self._one(grant, id_of(request, "team_id"))

    async def create(self, request: Request) -> Response:
        """Make one."""
        grant, body = await self.reception.write(request, CreateTeam, "administer")
        name = named(body.name, "name")
        if not name:
            raise Unprocessable("a name is needed", reason_code="invalid_value", field="name")
        with answering():
            team = await self.teams.create(Actor.of(grant.claims), name, self._caller(request, grant))
        self._changed(grant.user_id)
        return json_answer({"data": encode(team)}, status=201)

    async def accept(self, request: Request) -> Response:
        """Join one."""
        grant, body = await self.reception.write(request, AcceptInvitation, "administer")
        with answering():
            actor, caller = Actor.of(grant.claims), self._caller(request, grant)
            team_id = await self.invitations.accept(actor, grant.email, body.secret, caller)
        self._changed(grant.user_id)
        return await self._one(grant, team_id)

    async def invite(self, request: Request) -> Response:
        """Mail an invitation."""
        grant, body = await self.reception.write(request, InviteMember, "administer")
        team_id, role = id_of(request, "team_id"), _role(body.role)
        require_step_up(grant)
        try:
            email = plain_email(body.email)
        except ValueError:
            raise Unprocessable("this is no mail address", reason_code="invalid_value", field="email") from None
        with answering(), self.postman.place() as post:
            actor, caller = Actor.of(grant.claims), self._caller(request, grant)
            made, secret, team = await self.invitations.invite(actor, team_id, email, role, caller)
            post(InvitationMail(email, team, role, secret, round(LIFE_SECONDS / DAY_SECONDS), self.public_url))
        return json_answer({"data": encode(made)}, status=201)

    async def withdraw(self, request: Request) -> Response:
        """End an invitation."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        team_id, invitation_id = id_of(request, "team_id"), id_of(request, "invitation_id")
        with answering():
            caller = self._caller(request, grant)
            await self.invitations.withdraw(Actor.of(grant.claims), team_id, invitation_id, caller)
        return await self._one(grant, team_id)

    async def set_role(self, request: Request) -> Response:
        """Give a member another role."""
        grant, body = await self.reception.write(request, SetMemberRole, "administer")
        team_id, member_id, role = id_of(request, "team_id"), _member_of(request), _role(body.role)
        require_step_up(grant)
        with answering():
            caller = self._caller(request, grant)
            await self.teams.set_role(Actor.of(grant.claims), team_id, member_id, role, caller)
        self._changed(member_id)
        await self.departures.tell_now()
        return await self._one(grant, team_id)

    async def remove(self, request: Request) -> Response:
        """End a membership."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        return await self._end(request, grant, _member_of(request))

    async def leave(self, request: Request) -> Response:
        """End one's own."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        return await self._end(request, grant, grant.user_id)

    async def delete(self, request: Request) -> Response:
        """End a team."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        team_id, caller = id_of(request, "team_id"), self._caller(request, grant)
        require_step_up(grant)
        with answering():
            members = await self.teams.delete(Actor.of(grant.claims), team_id, caller)
        for member_id in members:
            self._changed(member_id)
        await self.departures.tell_now()
        return json_answer({"ok": True})

    async def _end(self, request: Request, grant: Grant, member_id: int) -> Response:
        team_id, caller = id_of(request, "team_id"), self._caller(request, grant)
        with answering():
            await self.teams.remove(Actor.of(grant.claims), team_id, member_id, caller)
        self._changed(member_id)
        await self.departures.tell_now()
        return json_answer({"ok": True})

    async def _one(self, grant: Grant, team_id: str) -> Response:
        with answering():
            team: Team = await self.teams.one(Actor.of(grant.claims), team_id)
        return json_answer({"data": encode(team)})

    def _changed(self, user_id: int) -> None:
        self.grants.forget_user(user_id)
        self.watch.end_user(user_id)

    def _caller(self, request: Request, grant: Grant) -> Caller:
        return self.reception.caller(request, grant.claims.surface)


def _role(written: str) -> str:
    if written not in ROLES:
        raise Unprocessable(f"one of {', '.join(ROLES)}", reason_code="invalid_value", field="role")
    return written


def _member_of(request: Request) -> int:
    written: str = request.path_params["user_id"]
    is_number = written.isascii() and written.isdecimal() and len(written) <= len(str(MAX_ID))
    if not (is_number and 0 < int(written) <= MAX_ID):
        raise Unprocessable("user_id is no user's id", reason_code="invalid_value", field="user_id")
    return int(written)
