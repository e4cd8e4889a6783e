"""Guests who end with the device that invited them.

A device that is revoked, or whose refresh token somebody else used, may be in strange hands: whom it let in to read
goes with it, as pairings do that it began. One that signs out by itself is its user's, and its guests stay. Relies on
its caller for the transaction, and on `StreamWatch` for what guests have open. Source: docs/decisions/0025-guests.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autopilot.api import audit
from autopilot.api.audit import Actor, Caller
from autopilot.api.grants import unknown_token
from autopilot.db.queries import load

SQL = load("autopilot.api", "guests")


async def hold(connection: Any, user_id: int) -> None:
    """Nobody is let in or signed out by this user until the transaction ends.

    Before pairings, sessions or devices are locked.
    """
    await connection.execute(SQL.lock_user, user_id)


async def hold_signed_in(connection: Any, actor: Actor) -> None:
    """The same, for an actor who is signed in yet: another node may believe for a second in a session that has ended.

    Raises:
        Unauthorized: their session has ended.
    """
    assert actor.user_id is not None
    await hold(connection, actor.user_id)
    if not await connection.fetchval(SQL.is_signed_in, actor.session_id):
        raise unknown_token()


async def with_devices(
    connection: Any, device_ids: Sequence[str], reason: str, actor: Actor, caller: Caller
) -> tuple[list[str], list[str]]:
    """End the guests that were invited from these devices; their ids, and those of their sessions.

    Within the caller's transaction, which holds.
    """
    ended = await connection.fetch(SQL.revoke_invited_from, device_ids)
    guest_ids = [row["guest_id"] for row in ended]
    sessions = await connection.fetch(SQL.end_sessions, guest_ids)
    for row in ended:
        subject = f"guest:{row['guest_id']}"
        detail = {"name": row["name"], "reason": reason, "device_id": row["device_id"]}
        await audit.record(connection, "guest_revoked", caller, actor=actor, subject=subject, detail=detail)
    return guest_ids, [row["session_id"] for row in sessions]
