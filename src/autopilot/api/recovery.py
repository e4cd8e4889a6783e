"""Recovery: what a session may do that was opened by mail, or single sign-on, although its user has passkeys.

It is held for a day: it works, but is not stepped up by mail and signs out no other device, so that a stolen mail box
is not at once the account. The user is told by mail and in the list of devices, and ends the hold from another device,
with a passkey, or at the machine; or ends the session. Relies on the schema `api`. Source:
docs/decisions/0024-recovery.md.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from autopilot.api import audit
from autopilot.api.audit import Actor, Caller
from autopilot.api.sessions import Tokens
from autopilot.contract.errors import Forbidden, NotFound
from autopilot.contract.instants import instant
from autopilot.db.queries import load

SQL = load("autopilot.api", "step_up")

HOLD_SECONDS = 86400.0
"""Long enough for a person to read mail, short enough to wait for who has lost all else."""


async def begin(connection: Any, tokens: Tokens, caller: Caller) -> Tokens:
    """Hold a session that was opened just now without a passkey, where its user has some; the tokens say until when.

    Within the caller's transaction.
    """
    until: datetime | None = await connection.fetchval(SQL.hold, tokens.session_id, HOLD_SECONDS)
    if until is None:
        return tokens
    subject, detail = f"device:{tokens.device_id}", {"held_until": instant(until)}
    await audit.record(connection, "recovery_begun", caller, actor=tokens.actor, subject=subject, detail=detail)
    return replace(tokens, held_until=instant(until))


async def check(connection: Any, actor: Actor) -> None:
    """The actor's session is not held.

    Raises:
        Forbidden: `recovery_hold`, with `until`.
    """
    until: datetime | None = await connection.fetchval(SQL.held_until, actor.session_id)
    if until is not None:
        raise Forbidden(
            "this session was opened by mail, and you have passkeys: confirm it from another device, or use a passkey",
            reason_code="recovery_hold",
            until=instant(until),
            how="POST /api/devices/{deviceId}/confirm from another device, or POST /api/auth/step-up",
            methods=["passkey"],
        )


async def confirm(connection: Any, actor: Actor, device_id: str, caller: Caller) -> None:
    """The actor says that a device of theirs is theirs: no session of it is held.

    Within the caller's transaction.

    Raises:
        Forbidden: as `check`: a held session confirms none.
        NotFound: no device of this user that is signed in.
    """
    await check(connection, actor)
    if not await connection.fetch(SQL.confirm, actor.user_id, device_id):
        raise NotFound("you have no such device", reason_code="no_such_device")
    await audit.record(connection, "device_confirmed", caller, actor=actor, subject=f"device:{device_id}")
