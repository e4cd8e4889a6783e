"""Guests: somebody without an account reads single workers for a while, because who owns these showed them.

Owns `api.guest`. An invitation is a secret for one use, which travels in the fragment of a link; it opens one session
that only reads, with tokens as everybody's. What a guest may read is fixed when they are invited, and goes to the
runtime as claims (`grants.py`); whose workers they are, `http/guests.py` has asked the runtime before. A guest ends by
itself, at latest after seven days, is revoked, or ends with the device that invited them (`guest_ends`). Source:
docs/decisions/0025-guests.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from autopilot.api import audit, guest_ends, opaque, pairing_secrets
from autopilot.api.audit import Actor, Caller
from autopilot.api.sessions import Sessions, refresh_refused
from autopilot.api.teams import user_id
from autopilot.contract import Guest, GuestSession
from autopilot.contract.errors import Conflict, NotFound
from autopilot.db.queries import load

SQL = load("autopilot.api", "guests")

SECRET_PREFIX = "apgu_"  # noqa: S105 - what every secret begins with, so that scanners know one; not a secret
DAY_SECONDS = 86_400
LEAST_SECONDS = 60
MOST_SECONDS = 7 * DAY_SECONDS
AGAIN_SECONDS = 120.0
"""Whose answer was lost may come in again within this time, with what only they know."""
MOST_WORKERS = 20
"""They travel with every call to the runtime: they must fit into a header."""


@dataclass(frozen=True, slots=True)
class Guests:
    """The guests of the actor's user; and how one comes in."""

    pool: asyncpg.Pool
    sessions: Sessions
    most: int
    """Of a user."""

    async def invite(
        self, actor: Actor, name: str, worker_ids: Sequence[str], seconds: int, caller: Caller
    ) -> tuple[Guest, str]:
        """Somebody who may come, and the secret that lets them in, once.

        Raises:
            Conflict: there are too many.
            Unauthorized: the session ended while the call was on its way: guests end with its device.
        """
        secret = SECRET_PREFIX + secrets.token_urlsafe(32)
        async with self.pool.acquire() as connection, connection.transaction():
            await guest_ends.hold_signed_in(connection, actor)
            if await connection.fetchval(SQL.count_of_user, user_id(actor)) >= self.most:
                raise Conflict(f"nobody has more than {self.most} guests", reason_code="too_many_guests")
            row: Any = await connection.fetchrow(
                SQL.invite,
                opaque.identifier("guest_"),
                user_id(actor),
                name,
                list(worker_ids),
                opaque.token_digest(secret),
                float(seconds),
                actor.device_id,
            )
            detail = {"name": name, "worker_ids": list(worker_ids), "expires_at": _instant(row["expires_at"])}
            await audit.record(
                connection, "guest_invited", caller, actor=actor, subject=f"guest:{row['guest_id']}", detail=detail
            )
        return guest(row), secret

    async def of(self, actor: Actor) -> list[Guest]:
        """Those who may read, or come yet; the newest first."""
        return [guest(row) for row in await self.pool.fetch(SQL.of_user, user_id(actor))]

    async def revoke(self, actor: Actor, guest_id: str, caller: Caller) -> list[str]:
        """Let one read nothing more; the sessions that this ended.

        Raises:
            NotFound: no guest of theirs, or one who has ended.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.revoke, guest_id, user_id(actor))
            if row is None:
                raise NotFound("you have no such guest", reason_code="no_such_guest")
            ended = [one["session_id"] for one in await connection.fetch(SQL.end_sessions, [guest_id])]
            detail = {"name": row["name"]}
            await audit.record(
                connection, "guest_revoked", caller, actor=actor, subject=f"guest:{guest_id}", detail=detail
            )
        return ended

    async def enter(self, secret: str, verifier: str | None, caller: Caller) -> GuestSession | None:
        """The session that a secret opens, once; None where it opens none.

        `verifier`: who brings the same again within two minutes gets the very same session, while its tokens are those.
        """
        made = (
            None
            if verifier is None
            else pairing_secrets.tokens_of(verifier, b"guest\0" + secret.encode("utf-8", "surrogatepass"))
        )
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.enter, opaque.token_digest(secret))
            if row is None and made is not None:
                again = await self._again(connection, secret, made)
                if again is not None:
                    return again
            if row is None:
                await audit.record(connection, "guest_refused", caller, outcome="refused")
                return None
            device_id, session_id = opaque.identifier("dev_"), opaque.identifier("ses_")
            said = (row["name"], caller.surface, caller.address)
            await connection.execute(SQL.create_device, device_id, row["guest_id"], *said)
            await connection.execute(SQL.create_session, session_id, row["guest_id"], device_id)
            access, refresh = await self.sessions.first_tokens(connection, session_id, made)
            actor = Actor(guest_scope=row["guest_id"], device_id=device_id, session_id=session_id)
            subject, detail = f"guest:{row['guest_id']}", {"invited_by": row["invited_by"]}
            await audit.record(connection, "guest_entered", caller, actor=actor, subject=subject, detail=detail)
        return self._session(row, access, refresh)

    async def _again(self, connection: Any, secret: str, made: tuple[str, str]) -> GuestSession | None:
        access, refresh = made
        digests = [opaque.token_digest(one) for one in (secret, refresh, access)]
        row = await connection.fetchrow(SQL.enter_again, *digests, AGAIN_SECONDS)
        return None if row is None else self._session(row, access, refresh, seconds=row["seconds_left"])

    async def refresh(self, token: str, caller: Caller) -> GuestSession:
        """The next tokens of a guest's session.

        Raises:
            Unauthorized: as `Sessions.refresh`; or the guest has ended.
        """
        guest_id, access, refresh = await self.sessions.refresh_guest(token, caller)
        row = await self.pool.fetchrow(SQL.guest, guest_id)
        if row is None:  # the host's account went between the two, and the guest with it
            raise refresh_refused()
        return self._session(row, access, refresh)

    async def sweep(self) -> None:
        """Forget those who ended long ago."""
        await self.pool.execute(SQL.sweep)

    def _session(self, row: Any, access: str, refresh: str, *, seconds: float | None = None) -> GuestSession:
        return GuestSession(
            ok=True,
            guest_scope=row["guest_id"],
            name=row["name"],
            worker_ids=tuple(row["worker_ids"]),
            expires_at=_instant(row["expires_at"]),
            token=access,
            refresh_token=refresh,
            expires_in=int(self.sessions.lifetimes.access if seconds is None else seconds),
        )


def guest(row: Any) -> Guest:
    """A guest as the contract has it."""
    return Guest(
        guest_id=row["guest_id"],
        name=row["name"],
        worker_ids=tuple(row["worker_ids"]),
        created_at=_instant(row["created_at"]),
        expires_at=_instant(row["expires_at"]),
        entered_at=None if row["entered_at"] is None else _instant(row["entered_at"]),
        device_id=row["device_id"],
        device_name=row["device_name"] or None,
    )


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
