"""What ends by the clock: leases, requests nobody took, requests nothing is heard of, used nonces.

Owns the sweeper that notices; what is over is over whether or not it was noticed. Relies on leases.py and receipts.py
for each end, under the worker's lock, where it is looked at again: so several sweepers, and answers that arrive at the
same moment, do no harm. Source: docs/runtime-contract.md, "Leases", "Receipts".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta

import asyncpg
import structlog

from autopilot.db import queries
from autopilot.ops.clock import Clock
from autopilot.runtime import leases, receipts
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger import Ledger

log = structlog.get_logger("autopilot.runtime.expiry")

SWEEP_SECONDS = 1.0
SILENCE = timedelta(seconds=60)
"""How long past its deadline a delivered request may stay without a word."""
_PAGE = 500
_FORGET_EVERY = 60
"""Sweeps between two clearings of old nonces."""

_LEASES = queries.load("autopilot.runtime", "leases")
_RECEIPTS = queries.load("autopilot.runtime", "receipts")
_NONCES = queries.load("autopilot.runtime", "nonces")

EXPIRED = {"code": "expired", "message": "no machine took the request in time"}
SILENT = {"code": "no_word", "message": "the machine was handed the request and was not heard of it since"}


class Sweeper:
    """Notices, once a second, what is over."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, clock: Clock) -> None:
        self._ledger = ledger
        self._pool = pool
        self._clock = clock

    async def run(self) -> None:
        """Sweep until cancelled. A sweep that fails (the database is away) is made up for by the next."""
        sweeps = 0
        while True:
            try:
                await self.sweep()
                if sweeps % _FORGET_EVERY == 0:
                    await self._pool.execute(_NONCES.forget, self._clock.now())
            except Exception:
                log.warning("expiry.sweep_failed", exc_info=True)
            sweeps += 1
            await self._clock.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """End everything that is over by now."""
        now = self._clock.now()
        for record in await self._pool.fetch(_LEASES.due, now, _PAGE):
            await _guarded(leases.record_expiry(self._ledger, record["worker_id"], now))
        by_target: dict[Target, list[str]] = defaultdict(list)
        for record in await self._pool.fetch(_RECEIPTS.due, now, now - SILENCE, _PAGE):
            by_target[receipts.target_of(record)].append(record["request_id"])
        for target, request_ids in by_target.items():
            await _guarded(self._end(target, request_ids, now))

    async def _end(self, target: Target, request_ids: Sequence[str], now: datetime) -> None:
        async with self._ledger.transaction() as tx:
            worker = await tx.lock_worker(target.id) if target.kind == "worker" else None
            if worker is None:
                await receipts.lock_machines(tx.conn, target.id, request_ids)
            for request_id in request_ids:
                record = await receipts.find_locked(tx.conn, target, request_id)
                end = None if record is None else _end_of(record, now)
                if record is None or end is None:
                    continue
                state, error = end
                if worker is None:
                    await receipts.step(tx, record, state, now=now, error=receipts.encoded(error))
                else:
                    await receipts.step_and_tell(tx, worker, record, state, error=error)


async def _guarded(ending: Awaitable[object]) -> None:
    """One end that fails must not keep the others waiting; the next sweep comes back to it."""
    try:
        await ending
    except Exception:
        log.warning("expiry.end_failed", exc_info=True)


def _end_of(record: asyncpg.Record, now: datetime) -> tuple[str, dict[str, str]] | None:
    """The end a receipt has come to by `now`, and why; None where it has not."""
    expires_at = record["expires_at"]
    if expires_at is None:
        return None
    if record["state"] == "accepted" and expires_at <= now:
        return "expired", EXPIRED
    if record["state"] == "delivered" and expires_at + SILENCE <= now:
        return "indeterminate", SILENT
    return None
