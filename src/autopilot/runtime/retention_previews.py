"""Looks through logs for spent previews, and has them emptied.

Owns `preview_mark`: how far each log was looked through. Takes no worker's lock: of a row nothing but its payload
changes, and who prunes it at the same time writes the same. A page is bounded in rows and bytes, a round in rows; the
next goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from autopilot.db.queries import load
from autopilot.runtime.retention_spent import Place, Spent

SQL = load("autopilot.runtime", "retention_previews")
PAGE_ROWS = 500
PAGE_BYTES = 1024 * 1024
EMPTY_BYTES = 4 * 1024 * 1024
"""What is read at once to be emptied: so many bytes, or one event."""
ROUND_ROWS = 200_000
"""Events looked at in one round."""
LOGS = 100
HELD_BACK_ROWS = 50_000
"""What nothing completes for so long keeps its payload, and is not looked at again."""

Empty = Callable[[str, int, Sequence[int]], Awaitable[None]]
"""Empties events of a worker (id, number) by their seqs."""


class Previews:
    """One round after the other."""

    def __init__(self, pool: asyncpg.Pool, empty: Empty, broken: Callable[[str], None]) -> None:
        """`broken`: told of each log that is left alone, because `empty` raised ValueError."""
        self._pool = pool
        self._empty = empty
        self._broken = broken

    async def sweep(self, days: int) -> int:
        """Empty what is spent, and whose end is older than so many days; how many events were emptied."""
        cutoff = await self._pool.fetchval(SQL.cutoff, timedelta(days=days))
        emptied, room, after = 0, ROUND_ROWS, 0
        while logs := await self._pool.fetch(SQL.waiting, cutoff, after, LOGS):
            for log in logs:
                if room <= 0:
                    return emptied
                after = log["worker_no"]
                try:
                    looked, found = await self._sweep(log, cutoff, room)
                except ValueError:
                    self._broken(log["worker_id"])
                    continue
                room, emptied = room - looked, emptied + found
        return emptied

    async def _sweep(self, log: Any, cutoff: datetime, most: int) -> tuple[int, int]:
        """Look through one log; how many events were looked at, and how many emptied."""
        number, seq, looked, emptied = log["worker_no"], log["resume_seq"], 0, 0
        follower = Spent()
        # As far as the round before at least: a round that ends where it began would begin there for ever.
        while looked < most or seq <= log["seen_seq"]:
            records = await self._pool.fetch(SQL.page, number, seq, cutoff, PAGE_ROWS, PAGE_BYTES)
            if not records:
                break
            for record in records:
                if not record["pruned"]:
                    follower.look(record["seq"], record["bytes"], record["frame"])
            looked, seq = looked + len(records), records[-1]["seq"]
            for places in _portions(follower.spent):
                await self._empty(log["worker_id"], number, [place.seq for place in places])
                emptied += len(places)
            follower.spent.clear()
        resume = seq if follower.first_held is None else follower.first_held - 1
        await self._pool.execute(SQL.save_mark, number, max(resume, seq - HELD_BACK_ROWS), seq)
        return looked, emptied


def _portions(places: Sequence[Place]) -> Iterator[list[Place]]:
    """In order, bounded in rows and bytes, at least one each."""
    portion: list[Place] = []
    size = 0
    for place in sorted(places):
        size += place.bytes
        if portion and (len(portion) == PAGE_ROWS or size > EMPTY_BYTES):
            yield portion
            portion, size = [place], place.bytes
        else:
            portion.append(place)
    if portion:
        yield portion
