"""Devices: what is signed in for a user, what it is called, and its end at the user's word.

Relies on the schema `api`; each device has a session of its own. A revoked device's tokens end with the transaction,
its streams within two seconds on every node (`StreamWatch`), what it asked for and no machine took is rejected
(`Revocations`), and guests that it invited end with it (`guest_ends`). Never makes a device: signing in does
(`Sessions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autopilot.api import audit, guest_ends, recovery
from autopilot.api.audit import Actor, Caller
from autopilot.api.sessions import SQL as SESSIONS_SQL
from autopilot.api.sessions import Sessions
from autopilot.contract import Device
from autopilot.contract.errors import NotFound
from autopilot.contract.instants import instant
from autopilot.db.queries import load

SQL = load("autopilot.api", "devices")


@dataclass(frozen=True, slots=True)
class RevokedDevices:
    """What ended."""

    session_ids: list[str]
    guest_ids: list[str]
    """Of those whom these devices had invited."""
    guest_session_ids: list[str]


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of the actor's user."""

    sessions: Sessions

    async def of(self, actor: Actor, device_id: str | None = None) -> list[Device]:
        """Those that are signed in, or the one of this id."""
        rows = await self.sessions.pool.fetch(SQL.of_user, actor.user_id, device_id)
        return [shown(row, current_id=actor.device_id) for row in rows]

    async def current(self, actor: Actor) -> Device | None:
        """The one that asks."""
        row = await self.sessions.pool.fetchrow(SESSIONS_SQL.find_device, actor.session_id)
        return None if row is None else shown(row, current_id=actor.device_id)

    async def rename(self, actor: Actor, device_id: str, name: str, caller: Caller) -> Device:
        """Call a device `name`.

        Raises:
            NotFound: no device of this user.
        """
        async with self.sessions.pool.acquire() as connection, connection.transaction():
            if await connection.fetchrow(SQL.rename, actor.user_id, device_id, name) is None:
                raise no_such_device()
            subject = f"device:{device_id}"
            await audit.record(
                connection, "device_renamed", caller, actor=actor, subject=subject, detail={"name": name}
            )
        found = await self.of(actor, device_id)
        if not found:
            raise no_such_device()
        return found[0]

    async def revoke(self, actor: Actor, device_id: str, caller: Caller) -> RevokedDevices:
        """End a device's session, and the guests that it invited.

        Raises:
            Forbidden: `recovery_hold`, where it is another than the actor's own.
            Unauthorized: the actor's own session has ended.
            NotFound: no device of this user that is signed in.
        """
        ended = await self._revoke(actor, device_id, caller, others=False)
        if not ended.session_ids:
            raise no_such_device()
        return ended

    async def revoke_others(self, actor: Actor, caller: Caller) -> RevokedDevices:
        """End the sessions of all devices but the actor's own, and the guests that they invited.

        Raises:
            Forbidden: `recovery_hold`.
            Unauthorized: the actor's own session has ended.
        """
        assert actor.device_id is not None
        return await self._revoke(actor, actor.device_id, caller, others=True)

    async def confirm(self, actor: Actor, device_id: str, caller: Caller) -> Device:
        """End the hold of a device that is the actor's.

        Raises:
            Forbidden: `recovery_hold`: the actor's own session is held.
            NotFound: no device of this user that is signed in.
        """
        async with self.sessions.pool.acquire() as connection, connection.transaction():
            await recovery.confirm(connection, actor, device_id, caller)
        found = await self.of(actor, device_id)
        if not found:
            raise no_such_device()
        return found[0]

    async def _revoke(self, actor: Actor, device_id: str, caller: Caller, *, others: bool) -> RevokedDevices:
        async with self.sessions.pool.acquire() as connection, connection.transaction():
            if others or device_id != actor.device_id:
                await recovery.check(connection, actor)
            await guest_ends.hold_signed_in(connection, actor)
            # First, since pairings are locked before sessions.
            await connection.execute(SESSIONS_SQL.decline_pairings, actor.user_id)
            revoked = await connection.fetch(SQL.revoke, actor.user_id, device_id, others)
            device_ids = [row["device_id"] for row in revoked]
            ended = await connection.fetch(SQL.end_sessions, device_ids, caller.x_request_id)
            for row in revoked:
                subject, detail = f"device:{row['device_id']}", {"name": row["name"]}
                await audit.record(connection, "device_revoked", caller, actor=actor, subject=subject, detail=detail)
            guests = await guest_ends.with_devices(connection, device_ids, "device_revoked", actor, caller)
        self.sessions.ended.set()
        return RevokedDevices([row["session_id"] for row in ended], *guests)


def no_such_device() -> NotFound:
    """The one answer about a device that is none, or somebody else's."""
    return NotFound("you have no such device", reason_code="no_such_device")


def shown(row: Any, *, current_id: str | None) -> Device:
    """A device as the contract has it."""
    return Device(
        device_id=row["device_id"],
        name=row["name"] or None,
        surface=row["surface"],
        created_at=instant(row["created_at"]),
        last_seen_at=instant(row["last_seen_at"]),
        platform=row["platform"],
        address=row["address"],
        current=row["device_id"] == current_id,
        scopes=tuple(sorted(row["scopes"])),
        machine_id=row["machine_id"],
        signs=row["public_key"] is not None,
        held_until=instant(row["held_until"]) if row["held_until"] else None,
    )
