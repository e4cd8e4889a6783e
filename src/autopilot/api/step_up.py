"""Step-up: for ten minutes a session may do what is most dangerous, because its user has just proved who they are.

Relies on the schema `api`. What takes it, the runtime decides (`Claims.step_up`). A proof is a fresh code from the
user's mail, a passkey, or being at the machine itself with the database at hand; signing in is one too. Others come
beside them (`Method`). Never steps up a session that executes. Source: docs/decisions/0016-step-up.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import asyncpg

from autopilot.api import audit, opaque, recovery
from autopilot.api.audit import Actor, Caller
from autopilot.api.codes import Codes
from autopilot.contract.errors import Conflict
from autopilot.contract.instants import instant
from autopilot.db.queries import load

SQL = load("autopilot.api", "step_up")

Method = Literal["email_code", "passkey", "local"]
STEP_UP_SECONDS = 600.0


async def mark(connection: Any, session_id: str, method: Method) -> None:
    """Count a proof that was just given, within the caller's transaction."""
    await connection.execute(SQL.step_up, session_id, method, STEP_UP_SECONDS)


async def at_the_machine(pool: asyncpg.Pool, access_token: str) -> bool:
    """Step up the session of a token for whoever has the database at hand; False where there is no such session."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL.session_of, opaque.token_digest(access_token))
        if row is None:
            return False
        actor = Actor(user_id=row["user_id"], device_id=row["device_id"], session_id=row["session_id"])
        await mark(connection, row["session_id"], "local")
        caller, detail = Caller(surface="cli"), {"method": "local"}
        await audit.record(connection, "stepped_up", caller, actor=actor, detail=detail)
    return True


@dataclass(frozen=True, slots=True)
class StepUp:
    """By a code that is mailed to the user of the session."""

    codes: Codes

    async def begin(self, actor: Actor, email: str | None, caller: Caller) -> tuple[str, str]:
        """A new code for this session alone, and the address it is to be mailed to.

        Raises:
            Conflict: `no_address`: the user has none.
            Forbidden: `recovery_hold`.
            RateLimited: this session was sent its codes of this hour.
        """
        await recovery.check(self.codes.pool, actor)
        if email is None:
            raise Conflict("you have no e-mail address yet: sign in with one first", reason_code="no_address")
        return await self.codes.issue(email, caller, actor=actor), email

    async def finish(self, actor: Actor, email: str | None, code: str, caller: Caller) -> bool:
        """Whether the code was the right one; if so the session is stepped up from now on.

        Raises:
            Forbidden: `recovery_hold`.
        """
        if email is None or actor.session_id is None:
            return False
        await recovery.check(self.codes.pool, actor)
        async with self.codes.pool.acquire() as connection, connection.transaction():
            proved = await self.codes.take(connection, code, email=email, caller=caller, actor=actor)
            if proved is None:
                return False
            await mark(connection, actor.session_id, "email_code")
            detail = {"method": "email_code"}
            await audit.record(connection, "stepped_up", caller, actor=actor, detail=detail)
        return True

    async def until(self, actor: Actor) -> str | None:
        """Until when the actor's session is stepped up; None: it is not."""
        moment: datetime | None = await self.codes.pool.fetchval(SQL.until, actor.session_id)
        return None if moment is None else instant(moment)
