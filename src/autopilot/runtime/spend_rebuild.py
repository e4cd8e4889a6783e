"""Spend, counted anew from the ledger: the same numbers, to the token.

Reads whole logs and replaces what was counted, one worker at a time: without its lock up to the log's end as it is
found, and under the lock what came meanwhile. What retention has taken out of a log can't be counted again: the numbers
of such a worker are left as they are, and the outcome says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import worker_facts
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.retention_spent import DIFF, PREVIEWS
from autopilot.runtime.spend import SQL, Counts, Day, Place, Tally, Thread, counts_of, may_tell, places_of
from autopilot.runtime.spend_counts import SOURCE, Told
from autopilot.runtime.workers_ids import find_worker

PAGE = 1000
UNCOUNTED = [f'%"payload":{{"method":"{method}","pruned":true}}%' for method in sorted(PREVIEWS | {DIFF})]
"""Frames of which retention took what has no count in it."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild came to, in workers."""

    counted: int = 0
    """Counted anew."""
    changed: int = 0
    """Of these, with another outcome than before."""
    kept: int = 0
    """Left alone: the log is not whole any more."""


class _Reader:
    """Reads one log from its beginning, and counts."""

    def __init__(self, worker: Worker) -> None:
        self.tally = Tally()
        self._number = worker.worker_no
        self._seq = 0
        self._facts: worker_facts.Facts = {}

    async def read(self, conn: Any) -> None:
        """Go on to the log's end."""
        while records := await conn.fetch(SQL.told, self._number, self._seq, PAGE):
            for record in records:
                self._step(msgspec.json.decode(record["frame"]))
            self._seq = records[-1]["seq"]

    def _step(self, envelope: dict[str, Any]) -> None:
        seq, event_type, payload = envelope["seq"], envelope["eventType"], envelope["payload"]
        self._facts = worker_facts.fold(self._facts, seq, event_type, payload)
        method = payload.get("method")
        if not isinstance(method, str) or not may_tell(event_type, method) or payload.get("source") != SOURCE:
            return
        model = self._facts.get("model") if method == worker_facts.USAGE else None
        told = Told(
            seq,
            datetime.fromisoformat(envelope["occurredAt"]),
            payload,
            envelope["actor"].get("machine_id") or "",
            None if model is None else model["value"],
            late=envelope.get("late") is True,
        )
        self.tally.count(self._number, told)


async def rebuild(ledger: Ledger, pool: asyncpg.Pool) -> Rebuilt:
    """Count every worker's spend anew. Safe at any time, beside appends too, and as often as one likes."""
    rebuilt = Rebuilt()
    for record in await pool.fetch(SQL.every_worker):
        worker = await find_worker(pool, record["worker_id"])
        reader = _Reader(worker)
        await reader.read(pool)
        async with ledger.transaction() as tx:
            await tx.lock_worker(worker.worker_id)
            await reader.read(tx.conn)
            if not await tx.conn.fetchval(SQL.is_whole, worker.worker_no, UNCOUNTED):
                rebuilt.kept += 1
                continue
            rebuilt.counted += 1
            if await counted(tx.conn, worker.worker_no) != (reader.tally.days, reader.tally.places):
                rebuilt.changed += 1
                await tx.conn.execute(SQL.forget_days, worker.worker_no)
                await tx.conn.execute(SQL.forget_places, worker.worker_no)
                await reader.tally.save(tx.conn)
    return rebuilt


async def counted(conn: Any, worker_no: int) -> tuple[dict[Day, Counts], dict[Thread, Place]]:
    """What stands for a worker: what was used on each day, and where its threads are."""
    days = {
        (row["worker_no"], row["day"], row["thread_id"], row["model"], row["machine_id"]): counts_of(row)
        for row in await conn.fetch(SQL.days_of, worker_no)
    }
    return days, places_of(await conn.fetch(SQL.places_of, worker_no))
