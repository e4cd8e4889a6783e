"""Teams: who shares machines with whom, and in which role.

Owns `api.team` and `api.membership`; each change of one is made under the team's lock, and audited in its transaction.
A team has an owner at all times. A member who is none gets the same answer as somebody who guesses an id. What a role
allows with a worker is the runtime's to say (`runtime.permissions`); roles get there as claims (`grants.py`). Never
sends a mail: invitations do (`invitations.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.api import audit, opaque, recovery, sharing
from autopilot.api.audit import Actor, Caller
from autopilot.contract import Invitation, Team, TeamMember
from autopilot.contract.errors import Conflict, Forbidden, NotFound
from autopilot.contract.instants import instant
from autopilot.db.queries import load

SQL = load("autopilot.api", "teams")

ROLES = ("owner", "operator", "viewer")
TEAMS_PER_USER = 50
"""Roles travel with every call to the runtime: they must fit into a header."""
MEMBERS_PER_TEAM = 500


@dataclass(frozen=True, slots=True)
class Teams:
    """The teams of the actor's user."""

    pool: asyncpg.Pool

    async def create(self, actor: Actor, name: str, caller: Caller) -> Team:
        """Make a team; whoever asks is its owner.

        Raises:
            Conflict: in too many teams.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            team_id = opaque.identifier("team_")
            row = await connection.fetchrow(SQL.create, team_id, name)
            await join(connection, team_id, user_id(actor), "owner")
            await audit.record(
                connection, "team_created", caller, actor=actor, subject=_subject(team_id), detail={"name": name}
            )
        return _shown(row, role="owner")

    async def of(self, actor: Actor) -> list[Team]:
        """Those that the actor's user is in, by name."""
        return [_shown(row, row["role"]) for row in await self.pool.fetch(SQL.of_user, user_id(actor), None)]

    async def one(self, actor: Actor, team_id: str) -> Team:
        """One of them, with its members; owners see who is invited, too.

        Raises:
            NotFound: no team of theirs.
        """
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            row = await connection.fetchrow(SQL.of_user, user_id(actor), team_id)
            if row is None:
                raise no_such_team()
            members = await connection.fetch(SQL.members, team_id)
            invited = await connection.fetch(SQL.invitations, team_id) if row["role"] == "owner" else []
        return _shown(row, row["role"], tuple(map(_member, members)), tuple(map(invitation, invited)))

    async def set_role(self, actor: Actor, team_id: str, member_id: int, role: str, caller: Caller) -> None:
        """Give a member another role.

        Raises:
            NotFound: no team of theirs, or nobody of it.
            Forbidden: no owner asks.
            Conflict: it would have no owner.
        """
        async with changing(self.pool, actor, team_id, owners_only=True) as connection:
            before = await _role_of_member(connection, team_id, member_id)
            if before == role:
                return
            if role != "owner":
                await _require_other_owner(connection, team_id, member_id, before)
            former = await connection.fetchval(SQL.set_role, team_id, member_id, role)
            await sharing.sign(connection, [former], actor, caller)
            detail = {"user_id": member_id, "from": before, "to": role}
            await audit.record(
                connection, "team_role_changed", caller, actor=actor, subject=_subject(team_id), detail=detail
            )

    async def remove(self, actor: Actor, team_id: str, member_id: int, caller: Caller) -> None:
        """End a membership: an owner that of anybody, everybody their own.

        Raises:
            NotFound, Forbidden, Conflict: as `set_role`.
            Forbidden: `recovery_hold`: the actor's session is held.
        """
        leaves = member_id == user_id(actor)
        async with changing(self.pool, actor, team_id, owners_only=not leaves) as connection:
            await recovery.check(connection, actor)
            before = await _role_of_member(connection, team_id, member_id)
            await _require_other_owner(connection, team_id, member_id, before)
            ended = await connection.fetchval(SQL.remove, team_id, member_id)
            await sharing.sign(connection, [ended], actor, caller)
            await audit.record(
                connection,
                "team_left" if leaves else "team_member_removed",
                caller,
                actor=actor,
                subject=_subject(team_id),
                detail={"user_id": member_id, "role": before},
            )

    async def delete(self, actor: Actor, team_id: str, caller: Caller) -> list[int]:
        """End a team and everybody's membership in it; who was in it.

        Raises:
            NotFound, Forbidden: as `set_role`.
        """
        async with changing(self.pool, actor, team_id, owners_only=True) as connection:
            members = [row["user_id"] for row in await connection.fetch(SQL.members, team_id)]
            ended = [row["membership_no"] for row in await connection.fetch(SQL.remove_all, team_id)]
            await sharing.sign(connection, ended, actor, caller)
            await connection.execute(SQL.delete, team_id)
            detail = {"members": len(members)}
            await audit.record(
                connection, "team_deleted", caller, actor=actor, subject=_subject(team_id), detail=detail
            )
        return members


def user_id(actor: Actor) -> int:
    """Whose teams they are: an actor with a token is a user."""
    assert actor.user_id is not None
    return actor.user_id


@asynccontextmanager
async def changing(pool: asyncpg.Pool, actor: Actor, team_id: str, *, owners_only: bool) -> AsyncIterator[Any]:
    """A transaction that holds the team, where the actor's user is in it.

    Raises:
        NotFound: they are not.
        Forbidden: `owners_only`, and they are none.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchrow(SQL.lock, team_id)
        role = await connection.fetchval(SQL.role, team_id, user_id(actor))
        if role is None:
            raise no_such_team()
        if owners_only and role != "owner":
            raise Forbidden("only an owner of the team does this", reason_code="role")
        yield connection


async def join(connection: Any, team_id: str, joining: int, role: str) -> bool:
    """A user is in a team from now on; whether they were not before. Within the caller's transaction.

    Raises:
        Conflict: the user is in too many teams, or the team is full.
    """
    await connection.execute(SQL.lock_user, joining)
    if await connection.fetchval(SQL.count_of_user, joining) >= TEAMS_PER_USER:
        raise Conflict(f"nobody is in more than {TEAMS_PER_USER} teams", reason_code="too_many_teams")
    if await connection.fetchval(SQL.count_of_team, team_id) >= MEMBERS_PER_TEAM:
        raise Conflict(f"a team has at most {MEMBERS_PER_TEAM} members", reason_code="team_full")
    return await connection.fetchval(SQL.join, team_id, joining, role) is not None


def no_such_team() -> NotFound:
    """The one answer about a team that is none, or that one is not in."""
    return NotFound("you are in no such team", reason_code="no_such_team")


def invitation(row: Any) -> Invitation:
    """An invitation as the contract has it."""
    return Invitation(
        invitation_id=row["invitation_id"],
        email=row["email"],
        role=row["role"],
        created_at=instant(row["created_at"]),
        expires_at=instant(row["expires_at"]),
    )


async def _role_of_member(connection: Any, team_id: str, member_id: int) -> str:
    role = await connection.fetchval(SQL.role, team_id, member_id)
    if role is None:
        raise NotFound("the team has no such member", reason_code="no_such_member")
    return str(role)


async def _require_other_owner(connection: Any, team_id: str, member_id: int, role: str) -> None:
    if role == "owner" and await connection.fetchval(SQL.other_owners, team_id, member_id) == 0:
        raise Conflict("a team has an owner: make somebody else one first", reason_code="last_owner")


def _shown(row: Any, role: str, members: tuple[TeamMember, ...] = (), invitations: tuple[Invitation, ...] = ()) -> Team:
    return Team(
        team_id=row["team_id"],
        name=row["name"],
        role=role,
        created_at=instant(row["created_at"]),
        members=members,
        invitations=invitations,
    )


def _member(row: Any) -> TeamMember:
    return TeamMember(user_id=row["user_id"], email=row["email"], role=row["role"], since=instant(row["since"]))


def _subject(team_id: str) -> str:
    return f"team:{team_id}"
