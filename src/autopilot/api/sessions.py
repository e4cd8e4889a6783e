"""Sessions: one sign-in of one device, its short access tokens and its family of refresh tokens.

Relies on the schema `api`. A refresh token is good once. Its successor is computed from the token and a stored salt, so
that a client whose answer was lost may send the very same refresh again for `Lifetimes.grace` and gets the very same
successor; later, or once the successor was itself used, a second use is a theft (or a restored backup) and ends the
session. Never stores a token, only digests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import asyncpg

from autopilot.api import audit, guest_ends, opaque
from autopilot.api.accounts import Account
from autopilot.api.audit import Actor, Caller
from autopilot.contract.errors import Unauthorized
from autopilot.db.queries import load

SQL = load("autopilot.api", "sessions")
DELETION_SQL = load("autopilot.api", "deletion")

EndReason = Literal["signed_out", "refresh_reused", "revoked", "replaced"]
PERSON_SCOPES = frozenset({"observe", "administer"})
"""What signing in by e-mail gives; `admin` needs step-up, `execute` needs a machine."""


REFRESH_REFUSED = "this refresh token is not good any more; sign in again"


class RefreshReused(Unauthorized):
    """To who asks the same as any other refusal; the audit has its line already."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a device gets, and only here in the clear."""

    account: Account
    device_id: str
    session_id: str
    access: str
    refresh: str
    expires_in: int
    """Seconds the access token lives."""
    held_until: str | None = None
    """Of a session that was opened without a passkey, though its user has some (`recovery`)."""

    @property
    def actor(self) -> Actor:
        """Whom the audit names as having signed in."""
        return Actor(user_id=self.account.user_id, device_id=self.device_id, session_id=self.session_id)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live, in seconds."""

    access: float = 900.0
    refresh: float = 60 * 86400.0
    grace: float = 60.0


@dataclass(frozen=True, slots=True)
class DeviceNote:
    """What a device says of itself when it signs in."""

    surface: str
    name: str = ""
    platform: str | None = None
    address: str | None = None
    public_key: bytes | None = None
    """Of the key that is to sign its writes, where it has one."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opens, refreshes and ends sessions."""

    pool: asyncpg.Pool
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a session ended here: the runtime is to be told (`Revocations`)."""

    async def open(
        self,
        connection: Any,
        account: Account,
        device: DeviceNote,
        *,
        scopes: Iterable[str] = PERSON_SCOPES,
        machine_id: str | None = None,
        made: tuple[str, str] | None = None,
    ) -> Tokens:
        """A new device with a session and its first tokens (`made`, or new ones), within the caller's transaction."""
        device_id = opaque.identifier("dev_")
        said = (device.name, device.surface, device.platform, device.address, device.public_key)
        await connection.execute(SQL.create_device, device_id, account.user_id, *said)
        made = made or (opaque.access_token(), opaque.refresh_token())
        return await self.open_on(connection, account, device_id, made, scopes=scopes, machine_id=machine_id)

    async def open_on(
        self,
        connection: Any,
        account: Account,
        device_id: str,
        made: tuple[str, str],
        *,
        scopes: Iterable[str],
        machine_id: str | None,
    ) -> Tokens:
        """A session of a known device with these tokens (access, refresh), within the caller's transaction."""
        session_id, (access, refresh) = opaque.identifier("ses_"), made
        await connection.execute(SQL.create_session, session_id, account.user_id, device_id, sorted(scopes), machine_id)
        await self._keep_refresh(connection, session_id, refresh)
        await self._keep_access(connection, session_id, access)
        return Tokens(account, device_id, session_id, access, refresh, int(self.lifetimes.access))

    async def refresh(self, token: str, caller: Caller) -> Tokens:
        """The next access and refresh token of a session.

        Raises:
            RefreshReused: the token was used before, which ended its session.
            Unauthorized: it is unknown, expired, or of an ended session.
        """
        family, access, successor = await self._rotate(token, caller, is_guest=False)
        account = Account(family["user_id"], family["email"], family["is_owner"])
        seconds = int(self.lifetimes.access)
        return Tokens(account, family["device_id"], family["session_id"], access, successor, seconds)

    async def refresh_guest(self, token: str, caller: Caller) -> tuple[str, str, str]:
        """The guest's id, and the next access and refresh token of their session.

        Raises:
            Unauthorized: as `refresh`; or the guest has ended.
        """
        family, access, successor = await self._rotate(token, caller, is_guest=True)
        return family["guest_id"], access, successor

    async def first_tokens(
        self, connection: Any, session_id: str, made: tuple[str, str] | None = None
    ) -> tuple[str, str]:
        """Access and refresh token (`made`, or new ones) of a new session, within the caller's transaction."""
        access, refresh = made or (opaque.access_token(), opaque.refresh_token())
        await self._keep_refresh(connection, session_id, refresh)
        await self._keep_access(connection, session_id, access)
        return access, refresh

    async def _rotate(self, token: str, caller: Caller, *, is_guest: bool) -> tuple[Any, str, str]:
        """The session of a refresh token, its next access and its next refresh token."""
        digest = opaque.token_digest(token)
        async with self.pool.acquire() as connection, connection.transaction():
            family = await connection.fetchrow(SQL.lock_family, digest)
            found = await connection.fetchrow(SQL.find_refresh, digest) if family else None
            if family is None and await connection.fetchval(DELETION_SQL.is_orphaned, digest):
                raise Unauthorized("the account of this token was deleted", reason_code="account_deleted")
            if family is None or found is None or family["ended_at"] or family["revoked_at"] or found["expired"]:
                raise refresh_refused()
            if family["guest_ended"] or is_guest != (family["guest_id"] is not None):
                raise refresh_refused()
            successor = await self._successor(connection, family["session_id"], token, found)
            if successor is not None:
                await connection.execute(SQL.touch_device, family["device_id"], caller.address)
                return family, await self.new_access(connection, family["session_id"]), successor
        actor = Actor(
            user_id=family["user_id"],
            guest_scope=family["guest_id"],
            device_id=family["device_id"],
            session_id=family["session_id"],
        )
        await self._end_reused(actor, caller)
        raise RefreshReused(REFRESH_REFUSED, reason_code="sign_in_again")

    async def _end_reused(self, actor: Actor, caller: Caller) -> None:
        """End a session somebody else may have, and whom it may have let in: pairings are locked before sessions."""
        async with self.pool.acquire() as connection, connection.transaction():
            if actor.user_id is not None:
                await guest_ends.hold(connection, actor.user_id)
                await connection.execute(SQL.decline_pairings, actor.user_id)
            if await self._end(connection, str(actor.session_id), "refresh_reused", caller):
                await audit.record(connection, "refresh_reused", caller, actor=actor, outcome="refused")
                if actor.user_id is not None and actor.device_id is not None:
                    await guest_ends.with_devices(connection, [actor.device_id], "refresh_reused", actor, caller)
        self.ended.set()

    async def _successor(self, connection: Any, session_id: str, token: str, found: Any) -> str | None:
        """The next refresh token; None when this use is one too many."""
        if found["replaced_seconds_ago"] is None:
            salt = opaque.successor_salt()
            successor = opaque.successor(token, salt)
            await self._keep_refresh(connection, session_id, successor)
            await connection.execute(SQL.replace_refresh, found["token_digest"], salt, opaque.token_digest(successor))
            return successor
        if found["successor_used"] or found["replaced_seconds_ago"] > self.lifetimes.grace:
            return None
        return opaque.successor(token, found["successor_salt"])

    async def end(self, actor: Actor, caller: Caller) -> None:
        """Sign out the actor's session: no token of it speaks for anyone from now on."""
        assert actor.session_id is not None
        async with self.pool.acquire() as connection, connection.transaction():
            if await self._end(connection, actor.session_id, "signed_out", caller):
                await audit.record(connection, "signed_out", caller, actor=actor)
        self.ended.set()

    async def ended_by_hand(self, refresh_token: str) -> bool:
        """Whether somebody ended the session of this token: signed it out, or revoked its device."""
        row = await self.pool.fetchrow(SQL.end_of_family, opaque.token_digest(refresh_token))
        return row is not None and (row["revoked_at"] is not None or row["end_reason"] in {"signed_out", "revoked"})

    async def sweep(self) -> None:
        """Forget tokens that ended."""
        await self.pool.execute(SQL.sweep_access)
        await self.pool.execute(SQL.sweep_refresh)

    async def _end(self, connection: Any, session_id: str, reason: EndReason, caller: Caller) -> bool:
        return await connection.fetchrow(SQL.end_session, session_id, reason, caller.x_request_id) is not None

    async def _keep_refresh(self, connection: Any, session_id: str, token: str) -> None:
        await connection.execute(
            SQL.create_refresh_token, opaque.token_digest(token), session_id, self.lifetimes.refresh
        )

    async def new_access(self, connection: Any, session_id: str) -> str:
        """Another access token of a session, within the caller's transaction."""
        token = opaque.access_token()
        await self._keep_access(connection, session_id, token)
        return token

    async def _keep_access(self, connection: Any, session_id: str, token: str) -> None:
        await connection.execute(SQL.create_access_token, opaque.token_digest(token), session_id, self.lifetimes.access)


def refresh_refused() -> Unauthorized:
    """The one answer to a refresh token that opens nothing more."""
    return Unauthorized(REFRESH_REFUSED, reason_code="sign_in_again")
