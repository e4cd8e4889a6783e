"""Retention: old payloads are emptied, older events go below the floor.

Three steps of forgetting, each by age and off unless configured: previews that are spent (retention_previews.py), all
payloads, events. A pruned row keeps seq, type and method, so that every cursor still works; below the floor a cursor is
stale (410). Owns `worker_head.oldest_seq`. Takes the worker's lock for one bounded batch at a time, and for previews
not at all, so that appends wait milliseconds. The latest event always stays.

What goes is sealed first, and what stays of it still proves that nothing else went (seal.py, seal_workers.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from autopilot.db.away import AWAY
from autopilot.db.queries import load
from autopilot.ops.clock import Clock
from autopilot.runtime import artifacts_store
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.retention_previews import SQL as PREVIEWS_SQL
from autopilot.runtime.retention_previews import Previews
from autopilot.runtime.seal import Sealer, set_floor
from autopilot.runtime.seal_sources import Log
from autopilot.runtime.seal_workers import WorkerLogs, proof_of, pruned_frame
from autopilot.runtime.settings import RuntimeSettings

log = structlog.get_logger("autopilot.runtime.retention")

SQL = load("autopilot.runtime", "retention")
BATCH_ROWS = 500
BATCH_BYTES = 4 * 1024 * 1024
"""What is read at once to be emptied, under the worker's lock: so many bytes, or one event."""
SWEEP_SECONDS = 3600.0


class Retention:
    """Forgets what is older than the settings say."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, settings: RuntimeSettings, clock: Clock) -> None:
        self._ledger = ledger
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._sealer = Sealer(pool, settings.seal_key, clock)
        self._logs = WorkerLogs()
        self._previews = Previews(pool, self._prune_previews)

    async def run(self) -> None:
        """Sweep every hour until cancelled; a sweep that fails is made up for by the next."""
        while True:
            try:
                await self.sweep()
            except (asyncpg.PostgresError, *AWAY):
                log.warning("retention.sweep_failed", exc_info=True)
            except ValueError:
                log.exception("retention.row_broken")  # altered by somebody else: `audit verify` says which
            await self._clock.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Forget, in all logs, what has come of age."""
        choices = self._settings.choices
        if choices.keep_previews_days is not None:
            await self._previews.sweep(choices.keep_previews_days)
        if choices.keep_payloads_days is not None:
            for worker_id, seq in await self._older(SQL.payloads_older, choices.keep_payloads_days):
                await self.prune_payloads(worker_id, below_seq=seq + 1)
        if choices.keep_events_days is not None:
            for worker_id, seq in await self._older(SQL.events_older, choices.keep_events_days):
                await self.raise_floor(worker_id, floor_seq=seq + 1)

    async def prune_payloads(self, worker_id: str, *, below_seq: int) -> int:
        """Empty the payloads of all events below a seq; how many were emptied now."""
        pruned = 0
        while True:
            async with self._ledger.transaction() as tx:
                worker = await tx.lock_worker(worker_id)
                number, top = worker.worker_no, min(below_seq, worker.latest_seq)
                records = await tx.conn.fetch(SQL.unpruned, number, top, BATCH_ROWS, BATCH_BYTES)
                if not records:
                    return pruned
                await self._prune(tx.conn, worker_id, number, records)
                pruned += len(records)

    async def raise_floor(self, worker_id: str, *, floor_seq: int) -> int:
        """Delete all events below a seq and make it the log's oldest; how many went.

        A log with a missing row keeps what it has: below a floor nobody could see that it is missing.
        """
        deleted = 0
        sealed_seq = await self._seal(worker_id, floor_seq - 1)
        while True:
            async with self._ledger.transaction() as tx:
                worker = await tx.lock_worker(worker_id)
                floor = min(floor_seq, worker.latest_seq, worker.oldest_seq + BATCH_ROWS, sealed_seq + 1)
                if floor <= worker.oldest_seq:
                    return deleted
                if not await set_floor(tx.conn, self._sealer.key, self._logs, _log_of(worker), floor):
                    log.error("retention.log_broken", worker_id=worker_id)
                    return deleted
                await tx.conn.execute(SQL.delete_below, worker.worker_no, floor)
                await artifacts_store.forget_below(tx.conn, worker.worker_no, floor)
                await tx.conn.execute(SQL.set_floor, worker.worker_no, floor)
                deleted += floor - worker.oldest_seq

    async def _seal(self, worker_id: str, up_to_seq: int) -> int:
        """Seal what is to go; the last seq that is sealed."""
        async with self._ledger.transaction() as tx:
            latest_seq = (await tx.lock_worker(worker_id)).latest_seq
        return await self._sealer.seal_log(self._logs, worker_id, min(up_to_seq, latest_seq))

    async def _prune_previews(self, worker_id: str, number: int, seqs: Sequence[int]) -> None:
        """Empty these events, without the worker's lock: nothing that it guards is touched."""
        async with self._pool.acquire() as conn, conn.transaction():
            records = await conn.fetch(PREVIEWS_SQL.unpruned_at, number, seqs)
            await self._prune(conn, worker_id, number, records)

    async def _prune(self, conn: Any, worker_id: str, number: int, records: Sequence[Any]) -> None:
        """Leave of these rows what stays of an event, and the proof of what went.

        Raises:
            ValueError: one of them is not in the form it was written in.
        """
        await conn.execute(
            SQL.prune,
            number,
            [record["seq"] for record in records],
            [pruned_frame(record["frame"]) for record in records],
            [proof_of(self._sealer.key, worker_id, record) for record in records],
        )
        await artifacts_store.release(conn, number, [record["seq"] for record in records])

    async def _older(self, query: str, days: int) -> list[tuple[str, int]]:
        """The last seq of each worker that is older than so many days."""
        records = await self._pool.fetch(query, timedelta(days=days))
        return [(record["worker_id"], record["seq"]) for record in records]


def _log_of(worker: Worker) -> Log:
    return Log(
        log_no=worker.worker_no,
        log_id=worker.worker_id,
        oldest_seq=worker.oldest_seq,
        latest_seq=worker.latest_seq,
    )
