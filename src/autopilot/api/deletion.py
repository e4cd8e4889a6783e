"""The end of an account: everything of it that is here goes in one transaction, and the runtime is told of it.

Owns `api.deleted_account`, which keeps the bare id for ever: it is given to nobody else, and the audit names it. Lines
of the audit stay as they are; they never held an address (`audit.address_subject`). What the runtime has is the
runtime's to stop and to empty: it is told until it answers, so that a runtime that is away, or an API that dies in
between, makes it later, never forgotten. Source: docs/decisions/0026-deleting-an-account.md.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg

from autopilot.api import audit, recovery, sharing, untold
from autopilot.api.audit import Actor, Caller
from autopilot.api.teams import SQL as TEAMS_SQL
from autopilot.api.teams import user_id
from autopilot.api.untold import Outcome, Setbacks
from autopilot.contract.errors import Conflict, Unauthorized, Unavailable
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest
from autopilot.db.queries import load
from autopilot.ops.clock import Clock

SQL = load("autopilot.api", "deletion")
TRIES = 5


@dataclass(frozen=True, slots=True)
class Deletion:
    """Ends accounts."""

    pool: asyncpg.Pool

    async def delete(self, actor: Actor, caller: Caller) -> list[str]:
        """End the account of the actor's user; the ids of the sessions that ended.

        Raises:
            Conflict: `installation_owner`; `last_owner` of a team with others in it (`teams`).
            Forbidden: `recovery_hold`: the actor's own session is held.
            Unauthorized: it is deleted already.
            Unavailable: `account_busy`: it kept on joining teams; nothing was done.
        """
        for _ in range(TRIES):
            async with self.pool.acquire() as connection, connection.transaction():
                await recovery.check(connection, actor)
                teams = await _lock_teams(connection, user_id(actor))
                if teams is not None:
                    return await _end(connection, teams, actor, caller)
        raise Unavailable(
            "this account joins one team after another",
            reason_code="account_busy",
            outcome="not_recorded",
            retry_after_seconds=1.0,
        )

    async def sweep(self) -> None:
        """Forget what ended."""
        await self.pool.execute(SQL.sweep)


async def _lock_teams(connection: Any, ending: int) -> list[str] | None:
    """Lock the teams of a user, and have the user join no other; None where they did meanwhile.

    Teams are locked before their members, as whoever joins one does: so those that were joined too late are left to
    another try.
    """
    teams = [row["team_id"] for row in await connection.fetch(SQL.teams, ending)]
    for team_id in teams:
        await connection.fetchrow(TEAMS_SQL.lock, team_id)
    await connection.execute(TEAMS_SQL.lock_user, ending)
    now = {row["team_id"] for row in await connection.fetch(SQL.teams, ending)}
    return teams if now <= set(teams) else None


async def _end(connection: Any, teams: list[str], actor: Actor, caller: Caller) -> list[str]:
    """End the account, whose teams are locked. Raises as `delete`."""
    account = await connection.fetchrow(SQL.lock_user, user_id(actor))
    if account is None:
        raise Unauthorized("this account is deleted", reason_code="account_deleted")
    if account["is_owner"]:
        raise Conflict(
            "the installation is yours: hand it over at its machine first (`autopilot admins owner`)",
            reason_code="installation_owner",
        )
    await _leave(connection, account["user_id"], teams, actor, caller)
    return await _forget(connection, account, actor, caller)


async def _leave(connection: Any, ending: int, teams: list[str], actor: Actor, caller: Caller) -> None:
    """Out of all teams, which are locked; those that nobody else is in end.

    Raises:
        Conflict: `last_owner`.
    """
    standing = {team_id: await connection.fetchrow(SQL.standing, team_id, ending) for team_id in teams}
    left = {team_id: row for team_id, row in standing.items() if row is not None}
    stuck = [
        team_id for team_id, row in left.items() if row["role"] == "owner" and row["others"] and not row["other_owners"]
    ]
    if stuck:
        raise Conflict(
            "a team has an owner: make somebody else one first, or end it", reason_code="last_owner", teams=stuck
        )
    ended = [row["membership_no"] for row in await connection.fetch(SQL.leave_all, ending)]
    await sharing.sign(connection, ended, actor, caller)
    for team_id, row in left.items():
        if not row["others"]:
            await connection.execute(TEAMS_SQL.delete, team_id)


async def _forget(connection: Any, account: Any, actor: Actor, caller: Caller) -> list[str]:
    ending, email_key = account["user_id"], account["email_key"]
    live = await connection.fetch(SQL.live, ending)
    live_devices = {row["device_id"] for row in live}
    ended_devices = {row["device_id"] for row in await connection.fetch(SQL.ended_untold, ending)}
    device_ids = sorted(live_devices | ended_devices)
    await connection.execute(SQL.orphan, ending)
    await connection.execute(SQL.remember, ending, device_ids, caller.x_request_id)
    detail = {"devices": len(live_devices), "machines": sorted({row["machine_id"] for row in live} - {None})}
    await audit.record(connection, "account_deleted", caller, actor=actor, subject=f"user:{ending}", detail=detail)
    if email_key is not None:
        await connection.execute(SQL.forget_codes, email_key)
        await connection.execute(SQL.forget_invitations, email_key)
    await connection.execute(SQL.forget_user, ending)
    return [row["session_id"] for row in live]


@dataclass(frozen=True, slots=True)
class Deletions:
    """Keep `run` running."""

    pool: asyncpg.Pool
    port: RuntimePort
    clock: Clock
    setbacks: Setbacks

    async def run(self) -> None:
        """Tell what is untold, every two seconds, until cancelled; also what another process left."""
        await untold.keep_telling(self.tell, self.clock)

    async def tell_now(self) -> None:
        """The same, right after a deletion: what fails is left to `run`."""
        await untold.tell_now(self.tell, "deletions")

    async def tell(self) -> None:
        """Tell the runtime what it does not know yet; what it can't be told now stays."""
        rows = await self.pool.fetch(SQL.untold, untold.AT_ONCE, self.setbacks.left_out())
        await self.setbacks.tell_each([(row["user_id"], partial(self._tell, row)) for row in rows])

    async def _tell(self, row: Any) -> Outcome:
        outcome = await self._ask(row)
        if outcome == "taken":
            await self.pool.execute(SQL.told, row["user_id"])
        return outcome

    async def _ask(self, row: Any) -> Outcome:
        request = RuntimeRequest(
            claims=Claims(user_id=row["user_id"], surface="runtime"),
            method="POST",
            path=f"/users/{row['user_id']}/deleted",
            headers={"x-request-id": row["x_request_id"] or uuid.uuid4().hex},
            body=json.dumps({"device_ids": row["device_ids"]}).encode(),
        )
        return await untold.ask(self.port, request, "deletion", user_id=row["user_id"])
