"""What an answer means for a subscription: it is noted; one that is over is gone, one that is busy waits."""

from __future__ import annotations

from datetime import datetime, timedelta
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
        asked = result.retry_after_seconds
        not_before = None if asked is None else now + timedelta(seconds=asked)
        sent_at = now if result.failure is None else None
        await pool.execute(SQL.note, subscription_id, result.failure, sent_at, not_before)
        return
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL.end, subscription_id)
        if row is not None:
            actor = Actor(user_id=row["user_id"], session_id=row["session_id"])
            subject, detail = f"push:{subscription_id}", {"status": result.status}
            await audit.record(connection, "push_ended", HERE, actor=actor, subject=subject, detail=detail)
