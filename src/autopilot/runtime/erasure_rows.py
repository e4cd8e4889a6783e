"""What lies beside the logs of a deleted user, emptied a page at a time: that it was there stays.

Each page is a transaction of its own, bounded in rows, and looks only at what still holds something: a sweep that finds
nothing writes nothing, and one that was cut off goes on where it was. Rows are locked in the order of their keys, and
the user's machines before them, as whoever moves machines locks them. Never touches events (retention.py).
"""

from __future__ import annotations

import asyncpg

from autopilot.db import queries

SQL = queries.load("autopilot.runtime", "erasure_rows")

PAGE_ROWS = 500
PAGES = (
    SQL.blank_workers, SQL.blank_states, SQL.blank_approvals, SQL.blank_receipts, SQL.blank_artifacts,
    SQL.blank_machines, SQL.forget_facts, SQL.forget_feeds, SQL.forget_policies,
)  # fmt: skip


async def empty(pool: asyncpg.Pool, user_id: int) -> None:
    """Empty what is there now; again, what came since."""
    for page in PAGES:
        while await _empty_page(pool, user_id, page) == PAGE_ROWS:
            pass


async def _empty_page(pool: asyncpg.Pool, user_id: int, page: str) -> int:
    """How many rows were emptied."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(SQL.lock_machines, user_id)
        done = await conn.execute(page, user_id, PAGE_ROWS)
    return int(done.rpartition(" ")[2])
