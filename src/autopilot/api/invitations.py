"""Invitations into a team: a one-time secret, mailed to an address, good for whoever proved to read that address.

Owns `api.invitation`, which holds the secret's digest only. A secret alone lets nobody in: it must be given by a user
who signed in with the invited address, so that a forwarded or stolen mail is worth nothing. Every secret that lets
nobody in gets the same answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from autopilot.api import audit, opaque
from autopilot.api.address import folded_email, plain_email
from autopilot.api.audit import Actor, Caller
from autopilot.api.teams import SQL, changing, invitation, join, user_id
from autopilot.contract import Invitation
from autopilot.contract.errors import Conflict, NotFound, RateLimited

SECRET_PREFIX = "apin_"  # noqa: S105 - what every secret begins with, so that scanners know one; not a secret
LIFE_SECONDS = 7 * 24 * 3600.0
PER_HOUR = 30
"""Mails that one user has sent by inviting."""


@dataclass(frozen=True, slots=True)
class Invitations:
    """Lets people into teams."""

    pool: asyncpg.Pool
    keys: Callable[[], tuple[bytes, ...]]
    """Key the digests by which the audit names addresses; the first is used."""

    async def invite(
        self, actor: Actor, team_id: str, email: str, role: str, caller: Caller
    ) -> tuple[Invitation, str, str]:
        """A new invitation, its secret, and the team's name; an older one for the same address ends.

        Raises:
            ValueError: it can't be a mail address.
            NotFound, Forbidden: as `teams.changing`.
            RateLimited: the user invited too many within the hour.
        """
        email_key, secret = folded_email(email), SECRET_PREFIX + secrets.token_urlsafe(32)
        async with changing(self.pool, actor, team_id, owners_only=True) as connection:
            if await connection.fetchval(SQL.invited_lately, user_id(actor)) >= PER_HOUR:
                raise RateLimited(
                    "too many invitations within the hour",
                    reason_code="too_many_invitations",
                    retry_after_seconds=3600.0,
                )
            await connection.execute(SQL.withdraw_of_email, team_id, email_key)
            row = await connection.fetchrow(
                SQL.invite,
                opaque.identifier("inv_"),
                team_id,
                plain_email(email),
                email_key,
                role,
                opaque.token_digest(secret),
                LIFE_SECONDS,
                user_id(actor),
            )
            name = (await connection.fetchrow(SQL.lock, team_id))["name"]
            detail = {"address": self._told(email_key), "role": role}
            await audit.record(
                connection, "team_invited", caller, actor=actor, subject=f"team:{team_id}", detail=detail
            )
        return invitation(row), secret, str(name)

    async def withdraw(self, actor: Actor, team_id: str, invitation_id: str, caller: Caller) -> None:
        """Nobody can accept it from now on.

        Raises:
            NotFound: no team of theirs, or no invitation that somebody could accept.
            Forbidden: no owner asks.
        """
        async with changing(self.pool, actor, team_id, owners_only=True) as connection:
            row = await connection.fetchrow(SQL.withdraw, team_id, invitation_id)
            if row is None:
                raise no_such_invitation()
            detail = {"address": self._told(row["email_key"]), "role": row["role"]}
            await audit.record(
                connection, "team_invitation_withdrawn", caller, actor=actor, subject=f"team:{team_id}", detail=detail
            )

    async def accept(self, actor: Actor, email: str | None, secret: str, caller: Caller) -> str:
        """Join the team that `secret` invites to, as a user who signed in with `email`; the team's id.

        Raises:
            NotFound: unknown, used, withdrawn, expired, or for another address.
            Conflict: the user is in this team already, or in too many, or it is full.
        """
        joining = user_id(actor)
        async with self.pool.acquire() as connection, connection.transaction():
            found = await connection.fetchrow(SQL.find_invitation, opaque.token_digest(secret))
            if found is None:
                raise no_such_invitation()
            meant = email is not None and folded_email(email) == found["email_key"]
            team_id, detail = str(found["team_id"]), {"address": self._told(found["email_key"]), "role": found["role"]}
            if meant:
                await connection.fetchrow(SQL.lock, team_id)
                if await connection.fetchrow(SQL.use, found["invitation_id"]) is None:
                    raise no_such_invitation()
                if not await join(connection, team_id, joining, found["role"]):
                    raise Conflict("you are in this team already", reason_code="already_member")
            await audit.record(
                connection,
                "team_joined",
                caller,
                actor=actor,
                outcome="done" if meant else "refused",
                subject=f"team:{team_id}",
                detail=detail,
            )
        if not meant:
            raise no_such_invitation()
        return team_id

    def _told(self, email_key: str) -> str:
        return audit.address_subject(self.keys()[0], email_key)

    async def sweep(self) -> None:
        """Forget invitations that ended long ago."""
        await self.pool.execute(SQL.sweep_invitations)


def no_such_invitation() -> NotFound:
    """The one answer to a secret that lets nobody in, and to an invitation that is none."""
    return NotFound("this invitation lets you in nowhere: ask for a new one", reason_code="no_such_invitation")
