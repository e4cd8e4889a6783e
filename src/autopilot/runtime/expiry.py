"""What ends by the clock: leases, requests nobody took or nothing is heard of, approvals, used nonces.

Owns the sweeper that notices; what is over is over whether or not it was noticed. Relies on leases.py,
receipts_ending.py and approvals_rows.py for each end, under the worker's lock, where it is looked at again, and on
revocation.py and lost_roles.py for what was accepted at the moment its device was revoked, or its role lost.
Source: docs/runtime-contract.md, "Leases", "Receipts", "Approvals".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta

import asyncpg
import structlog

from autopilot.db import queries
from autopilot.ops.clock import Clock
from autopilot.runtime import approvals_rows, leases, receipts_ending
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.lost_roles import LostRoles
from autopilot.runtime.revocation import Revocations

log = structlog.get_logger("autopilot.runtime.expiry")

SWEEP_SECONDS = 1.0
SILENCE = timedelta(seconds=60)
"""How long past its deadline a delivered request may stay without a word."""
_PAGE = 500
_FORGET_EVERY = 60
"""Sweeps between two clearings of old nonces and revocations."""

_LEASES = queries.load("autopilot.runtime", "leases")
_RECEIPTS = queries.load("autopilot.runtime", "receipts")
_NONCES = queries.load("autopilot.runtime", "nonces")

EXPIRED = {"code": "expired", "message": "no machine took the request in time"}
SILENT = {"code": "no_word", "message": "the machine was handed the request and was not heard of it since"}


class Sweeper:
    """Notices, once a second, what is over."""

    def __init__(
        self, ledger: Ledger, pool: asyncpg.Pool, clock: Clock, revocations: Revocations, lost_roles: LostRoles
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._clock = clock
        self._revocations = revocations
        self._lost_roles = lost_roles

    async def run(self) -> None:
        """Sweep until cancelled. A sweep that fails (the database is away) is made up for by the next."""
        sweeps = 0
        while True:
            try:
                await self.sweep()
                if sweeps % _FORGET_EVERY == 0:
                    await self._pool.execute(_NONCES.forget, self._clock.now())
                    await self._revocations.forget(self._clock.now())
            except Exception:
                log.warning("expiry.sweep_failed", exc_info=True)
            sweeps += 1
            await self._clock.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """End everything that is over by now."""
        now = self._clock.now()
        for record in await self._pool.fetch(_LEASES.due, now, _PAGE):
            await _guarded(leases.record_expiry(self._ledger, record["worker_id"], now))
        due = receipts_ending.by_target(await self._pool.fetch(_RECEIPTS.due, now, now - SILENCE, _PAGE))
        for target, request_ids in due.items():
            await _guarded(receipts_ending.end(self._ledger, target, request_ids, lambda record: _end_of(record, now)))
        for worker_id, approval_ids in _by_worker(await self._pool.fetch(approvals_rows.SQL.due, now, _PAGE)).items():
            await _guarded(approvals_rows.expire(self._ledger, worker_id, approval_ids, now))
        for taking_back in (self._revocations, self._lost_roles):
            for target, request_ids in (await taking_back.left()).items():
                await _guarded(taking_back.reject(target, request_ids))
            for worker_id, decisions in (await taking_back.decided()).items():
                await _guarded(taking_back.reopen(worker_id, decisions))


async def _guarded(ending: Awaitable[object]) -> None:
    """One end that fails must not keep the others waiting; the next sweep comes back to it."""
    try:
        await ending
    except Exception:
        log.warning("expiry.end_failed", exc_info=True)


def _by_worker(due: Sequence[asyncpg.Record]) -> dict[str, list[str]]:
    """The ids of these approvals, by their workers."""
    found: dict[str, list[str]] = defaultdict(list)
    for record in due:
        found[record["worker_id"]].append(record["approval_id"])
    return found


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
