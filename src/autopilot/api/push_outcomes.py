"""What a push service's answer means for a subscription: it is noted, and one that is over is gone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from autopilot.api import audit
from autopilot.api.audit import Actor, Caller
from autopilot.api.push_sender import Result
from autopilot.db.queries import load

SQL = load("autopilot.api", "push_outcomes")
HERE = Caller(surface="runtime")


async def note(pool: Any, subscription_id: str, result: Result, now: datetime) -> None:
    """Keep what came of a message."""
    if result.failure != "ended":
        await pool.execute(SQL.note, subscription_id, result.failure, now if result.failure is None else None)
        return
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL.end, subscription_id)
        if row is not None:
            actor = Actor(user_id=row["user_id"], session_id=row["session_id"])
            subject, detail = f"push:{subscription_id}", {"status": result.status}
            await audit.record(connection, "push_ended", HERE, actor=actor, subject=subject, detail=detail)
