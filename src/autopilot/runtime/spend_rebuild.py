"""Spend, counted anew from the ledger: the same numbers, to the token.

Reads whole logs and replaces what was counted, one worker at a time: without its lock up to the log's end as it is
found, and under the lock what came meanwhile. What retention has taken out of a log can't be counted again: the numbers
of such a worker are left as they are, and the outcome says so. Appends nothing, so it needs no running server, and
harms none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import worker_facts
from autopilot.runtime.ledger import LedgerTx
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.retention_spent import DIFF, PREVIEWS
from autopilot.runtime.spend import SQL, Counts, Day, Place, Tally, Thread, counts_of, may_tell, places_of
from autopilot.runtime.spend_counts import SOURCE, Told
from autopilot.runtime.workers_ids import find_worker

PAGE = 1000
UNCOUNTED = [f'%"payload":{{"method":"{method}","pruned":true}}%' for method in sorted(PREVIEWS | {DIFF})]
"""Frames of which retention took what has no count in it."""


NOT_WHOLE = "retention took events that reports may have been among"


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that is another than it was."""

    day: Day
    before: Counts
    after: Counts


@dataclass(frozen=True, slots=True)
class Changed:
    """A worker whose numbers were not what its log says."""

    worker_id: str
    differences: tuple[Difference, ...]
    """Of what was used, by day; empty where only the places of its threads were wrong."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild came to."""

    counted: int = 0
    """Workers that were counted anew."""
    changes: list[Changed] = field(default_factory=list)
    """Of these, with another outcome than before."""
    left: dict[str, str] = field(default_factory=dict)
    """Workers that were left alone, and why."""

    @property
    def changed(self) -> int:
        """How many changed."""
        return len(self.changes)

    @property
    def kept(self) -> int:
        """How many were left alone."""
        return len(self.left)


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
            team_id=envelope.get("teamId") or "",
        )
        self.tally.count(self._number, told)


async def rebuild(pool: asyncpg.Pool, *, write: bool = True) -> Rebuilt:
    """Count every worker's spend anew. Safe at any time, beside appends too, and as often as one likes.

    `write`: put what was counted in the place of what stood there; else only say what is another.
    """
    rebuilt = Rebuilt()
    for record in await pool.fetch(SQL.every_worker):
        worker = await find_worker(pool, record["worker_id"])
        reader = _Reader(worker)
        await reader.read(pool)
        async with pool.acquire() as conn, conn.transaction():
            await LedgerTx(conn).lock_worker(worker.worker_id)
            await reader.read(conn)
            if not await conn.fetchval(SQL.is_whole, worker.worker_no, UNCOUNTED):
                rebuilt.left[worker.worker_id] = NOT_WHOLE
                continue
            rebuilt.counted += 1
            days, places = await counted(conn, worker.worker_no)
            if (days, places) == (reader.tally.days, reader.tally.places):
                continue
            rebuilt.changes.append(Changed(worker.worker_id, _differences(days, reader.tally.days)))
            if write:
                await conn.execute(SQL.forget_days, worker.worker_no)
                await conn.execute(SQL.forget_places, worker.worker_no)
                await reader.tally.save(conn)
    return rebuilt


def _differences(before: Mapping[Day, Counts], after: Mapping[Day, Counts]) -> tuple[Difference, ...]:
    nothing = Counts()
    both = [Difference(day, before.get(day, nothing), after.get(day, nothing)) for day in sorted({*before, *after})]
    return tuple(one for one in both if one.before != one.after)


async def counted(conn: Any, worker_no: int) -> tuple[dict[Day, Counts], dict[Thread, Place]]:
    """What stands for a worker: what was used on each day, and where its threads are."""
    days = {
        (row["worker_no"], row["day"], row["thread_id"], row["model"], row["machine_id"], row["team_id"]): counts_of(
            row
        )
        for row in await conn.fetch(SQL.days_of, worker_no)
    }
    return days, places_of(await conn.fetch(SQL.places_of, worker_no))
