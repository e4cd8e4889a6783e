"""Retention: old payloads are emptied, older events go below the floor.

Three steps of forgetting, each by age and off unless configured: previews that are spent (retention_previews.py), all
payloads, events. A pruned row keeps seq, type and method, so that every cursor still works; below the floor a cursor is
stale (410). Owns `worker_head.oldest_seq`. Takes the worker's lock for one bounded batch at a time, and for previews
not at all, so that appends wait milliseconds. The latest event always stays.

A sweep looks at one row of each log to see whether anything has come of age, and finds the rest by seq. A log with a
row that was altered by somebody else is left alone and told of; the others go on.

What goes is sealed first, and what stays of it still proves that nothing else went (seal.py, seal_workers.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from autopilot.db.away import AWAY
from autopilot.db.queries import load
from autopilot.ops.clock import Clock
from autopilot.runtime import artifacts_losses, artifacts_store
from autopilot.runtime.append_identity import AS_STORED, Digests
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import Worker, payload_bounds
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
LOGS = 100
SWEEP_SECONDS = 3600.0

Forget = Callable[[Any, datetime], Awaitable[None]]


class Retention:
    """Forgets what is older than the settings say."""

    def __init__(
        self,
        ledger: Ledger,
        pool: asyncpg.Pool,
        settings: RuntimeSettings,
        clock: Clock,
        tell_broken: Callable[[], None] = lambda: None,
    ) -> None:
        """`tell_broken`: called for each log that is left alone in a sweep."""
        self._ledger = ledger
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._sealer = Sealer(pool, lambda: settings.keys.seal, clock)
        self._digests = Digests.of(settings)
        self._logs = WorkerLogs()
        self._previews = Previews(pool, self._prune_previews, self._broken)
        self._tell_broken = tell_broken

    async def run(self) -> None:
        """Sweep every hour until cancelled; a sweep that fails is made up for by the next."""
        while True:
            try:
                await self.sweep()
            except (asyncpg.PostgresError, *AWAY):
                log.warning("retention.sweep_failed", exc_info=True)
            await self._clock.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Forget, in all logs, what has come of age."""
        await artifacts_store.collect(self._pool)
        await artifacts_store.finish_left(self._pool)
        await artifacts_losses.overdue(self._pool)
        choices = self._settings.choices
        if choices.keep_previews_days is not None:
            await self._previews.sweep(choices.keep_previews_days)
        if choices.keep_payloads_days is not None:
            await self._sweep(SQL.payloads_waiting, choices.keep_payloads_days, self._empty_older)
        if choices.keep_events_days is not None:
            await self._sweep(SQL.events_waiting, choices.keep_events_days, self._cut_older)

    async def _sweep(self, waiting: str, days: int, forget: Forget) -> None:
        """One step of forgetting, log by log; one that was altered is left alone, and keeps no other from its turn."""
        cutoff, after = await self._pool.fetchval(PREVIEWS_SQL.cutoff, timedelta(days=days)), 0
        while found := await self._pool.fetch(waiting, cutoff, after, LOGS):
            for one in found:
                after = one["worker_no"]
                try:
                    await forget(one, cutoff)
                except ValueError:
                    self._broken(one["worker_id"])

    async def _empty_older(self, found: Any, cutoff: datetime) -> None:
        """Empty the payloads of a log that happened before the cutoff. Raises ValueError as `prune_payloads`."""
        number, after = found["worker_no"], found["after_seq"]
        last = await self._last_before(cutoff, number, after + 1, found["latest_seq"])
        await self.prune_payloads(found["worker_id"], below_seq=last + 1, after_seq=after)
        await self._pool.execute(SQL.save_mark, number, last)

    async def _cut_older(self, found: Any, cutoff: datetime) -> None:
        """Raise the floor of a log over what happened before the cutoff. Raises ValueError: rows are missing."""
        last = await self._last_before(cutoff, found["worker_no"], found["oldest_seq"], found["latest_seq"])
        await self.raise_floor(found["worker_id"], floor_seq=last + 1)

    async def _last_before(self, cutoff: datetime, number: int, first_seq: int, latest_seq: int) -> int:
        """The last event of a log before the cutoff, below its latest one; the first of these happened before it.

        Raises:
            ValueError: rows are missing.
        """
        last, after = first_seq, latest_seq
        while after - last > 1:
            middle = (last + after) // 2
            happened = await self._pool.fetchval(SQL.time_at, number, middle)
            if happened is None:
                raise ValueError("the end of the log is missing")
            last, after = (middle, after) if happened < cutoff else (last, middle)
        return last

    def _broken(self, worker_id: str) -> None:
        """Say that a log is left alone; `audit verify` says what is wrong with it."""
        log.error("retention.log_broken", worker_id=worker_id)
        self._tell_broken()

    async def prune_payloads(
        self, worker_id: str, *, below_seq: int, after_seq: int = 0, latest_too: bool = False
    ) -> int:
        """Empty the payloads of all events after a seq and below another; how many were emptied now.

        `latest_too`: of a log that has ended for good, its latest event as well.

        Raises:
            ValueError: one of them is not in the form it was written in; of those before it most are emptied.
        """
        pruned = 0
        while True:
            async with self._ledger.transaction() as tx:
                worker = await tx.lock_worker(worker_id)
                number, top = worker.worker_no, min(below_seq, worker.latest_seq + latest_too)
                records = await tx.conn.fetch(SQL.unpruned, number, top, BATCH_ROWS, BATCH_BYTES, after_seq)
                if not records:
                    return pruned
                await self._prune(tx.conn, worker_id, number, records)
            await artifacts_store.collect(self._pool)
            pruned += len(records)
            after_seq = records[-1]["seq"]  # or the next batch would walk over all that is pruned already

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
                    self._broken(worker_id)
                    return deleted
                await tx.conn.execute(SQL.delete_below, worker.worker_no, floor)
                await artifacts_store.forget_below(tx.conn, worker.worker_no, floor)
                await tx.conn.execute(SQL.set_floor, worker.worker_no, floor)
            await artifacts_store.collect(self._pool)
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
        await artifacts_store.collect(self._pool)

    async def _prune(self, conn: Any, worker_id: str, number: int, records: Sequence[Any]) -> None:
        """Leave of these rows what stays of an event, and the proof of what went.

        Raises:
            ValueError: one of them is not in the form it was written in.
        """
        contents = [self._content_digest(record) for record in records]
        await conn.execute(
            SQL.prune,
            number,
            [record["seq"] for record in records],
            [pruned_frame(record["frame"]) for record in records],
            [proof_of(self._sealer.key, worker_id, *both) for both in zip(records, contents, strict=True)],
            contents,
        )
        await artifacts_store.release(conn, number, [record["seq"] for record in records])

    def _content_digest(self, record: Any) -> bytes | None:
        """What a repeat will be compared with, where so far that is the payload itself."""
        if record["digest"] != AS_STORED:
            return None
        begin, end = payload_bounds(record["frame"])
        return self._digests.of_stored(record["event_type"], record["frame"][begin:end])


def _log_of(worker: Worker) -> Log:
    return Log(
        log_no=worker.worker_no,
        log_id=worker.worker_id,
        oldest_seq=worker.oldest_seq,
        latest_seq=worker.latest_seq,
    )
