"""Leases: which machine may execute for a worker, and since which generation.

Owns the table `lease` (machines.py renews whole machines' worth of it) and the events `worker.lease.*`. Every change of
holder happens under the worker's lock, in the transaction that writes its event. Relies on nobody's clock for safety:
the generation fences (permissions.fence), time only decides how soon another machine may claim.
Source: docs/runtime-contract.md, "Leases".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from autopilot.contract.errors import Conflict
from autopilot.contract.port import Claims
from autopilot.db import queries
from autopilot.runtime import approvals_rows, artifacts_losses, lost_roles, permissions, requests_handover, sharing_rows
from autopilot.runtime.ledger_rows import Draft, Lease, Worker, actor_of, instant, text_or_null
from autopilot.runtime.machines import machine
from autopilot.runtime.requests_notes import note

if TYPE_CHECKING:
    from autopilot.runtime.ledger import Ledger, LedgerTx

DEFAULT_TTL_MS = 60_000
MIN_TTL_MS = 1_000
MAX_TTL_MS = 600_000

_RENEW_BELOW = 2 / 3
"""An append renews its lease once so much of it is left: appending often doesn't mean writing the lease often."""

_SQL = queries.load("autopilot.runtime", "leases")


async def claim(
    ledger: Ledger, claims: Claims, worker_id: str, machine_id: str, ttl_ms: int, *, x_request_id: str | None = None
) -> Lease:
    """Let this machine execute for this worker. Every claim has a generation of its own, a re-claim too.

    Raises:
        NotFound: no such worker, or the machine never registered.
        Forbidden: not this machine's execute token; no role on the worker or machine.
        Conflict: `worker_stopped`, or `leased`: another machine holds it.
    """
    permissions.execute(claims, machine_id)
    async with ledger.transaction() as tx:
        await sharing_rows.hold(tx, machine_id)
        worker = await tx.lock_worker(worker_id)
        permissions.require_role(claims, worker)
        executor = await machine(tx.conn, machine_id)
        permissions.require_role(claims, executor)
        worker.require_open()
        _require_free(worker, machine_id)
        former, now = worker.lease, worker.now
        await artifacts_losses.with_worker(tx.conn, worker, machine_id)
        if await sharing_rows.inherit(tx, worker, executor.team_id):  # before the feeds, which are locked last
            await lost_roles.left_with(tx, worker)
        notes = await _expiry_notes(tx, worker) + await approvals_rows.replaced(tx, worker, machine_id)
        if notes:
            await tx.append(worker, notes)  # into the feed of whoever held it until now
        generation = 1 if former is None else former.generation + 1
        lease = Lease(machine_id, generation, now, now + timedelta(milliseconds=ttl_ms), None, ttl_ms)
        await tx.conn.execute(
            _SQL.claim, worker.worker_no, machine_id, generation, lease.claimed_at, lease.expires_at, ttl_ms
        )
        worker.lease = lease
        facts = {"machine_id": machine_id, "generation": generation, "expires_at": instant(lease.expires_at)}
        await tx.append(
            worker, [note("worker.lease.claimed", facts, x_request_id=x_request_id, actor=actor_of(claims))]
        )
        await requests_handover.take_over(tx, worker, machine_id)
        return lease


async def release(
    ledger: Ledger, claims: Claims, worker_id: str, machine_id: str, generation: int, *, x_request_id: str | None = None
) -> Lease:
    """The machine is done with this worker; again, the same. A lease that ran out may still be released.

    Raises:
        NotFound: no such worker.
        Forbidden: not this machine's execute token; no role.
        Conflict: `fenced`: not the lease that holds now.
    """
    permissions.execute(claims, machine_id)
    async with ledger.transaction() as tx:
        worker = await tx.lock_worker(worker_id)
        permissions.require_role(claims, worker)
        lease = worker.lease
        if lease is None or lease.machine_id != machine_id or lease.generation != generation:
            expected = None if lease is None else lease.generation
            raise Conflict("this is not the lease that holds now", reason_code="fenced", expected=expected)
        if lease.released_at is None:
            draft = await _release(tx, worker, lease)
            asked = {"x_request_id": text_or_null(x_request_id), "actor": actor_of(claims)}
            await tx.append(worker, [msgspec.structs.replace(draft, **asked)])
        assert worker.lease is not None
        return worker.lease


async def record_expiry(ledger: Ledger, worker_id: str, now: datetime) -> bool:
    """Write down, once, that a worker's lease has run out by `now`; False where it has not, or that is written."""
    async with ledger.transaction() as tx:
        worker = (await tx.lock_workers([worker_id])).get(worker_id)
        if worker is None or worker.lease is None or worker.lease.state(now) != "expired":
            return False
        notes = await _expiry_notes(tx, worker, now)
        if notes:
            await tx.append(worker, notes)
        return bool(notes)


async def closing(tx: LedgerTx, worker: Worker) -> list[Draft]:
    """End the lease before the worker's span ends, and return the event that tells of it."""
    if worker.lease is None or worker.lease.released_at is not None:
        return []
    return [await _release(tx, worker, worker.lease)]


def is_due(lease: Lease, now: datetime) -> bool:
    """Whether so little of the lease is left that hearing its holder renews it, if it still holds."""
    return lease.expires_at - now < _ttl(lease) * _RENEW_BELOW


def _ttl(lease: Lease) -> timedelta:
    return timedelta(milliseconds=lease.ttl_ms)


async def renew_heard(tx: LedgerTx) -> None:
    """Renew the leases of those heard in this transaction, where enough of the time has passed."""
    due = []
    for worker in tx.heard.values():
        lease = worker.lease
        if lease is not None and lease.state(worker.now) == "held" and is_due(lease, worker.now):
            lease.expires_at = worker.now + _ttl(lease)
            due.append(worker)
    if due:
        now = max(worker.now for worker in due)
        await tx.conn.execute(_SQL.renew, [worker.worker_no for worker in due], now)


async def _release(tx: LedgerTx, worker: Worker, lease: Lease) -> Draft:
    await tx.conn.execute(_SQL.release, worker.worker_no, worker.now)
    worker.lease = replace(lease, released_at=worker.now)
    return note("worker.lease.released", {"machine_id": lease.machine_id, "generation": lease.generation})


async def _expiry_notes(tx: LedgerTx, worker: Worker, now: datetime | None = None) -> list[Draft]:
    """The event that the worker's lease ran out, if it did and no event says so."""
    lease = worker.lease
    if lease is None or lease.state(now or worker.now) != "expired":
        return []
    if await tx.conn.fetchval(_SQL.expiry_recorded, worker.worker_no):
        return []
    await tx.conn.execute(_SQL.record_expiry, worker.worker_no, worker.now)
    facts = {
        "machine_id": lease.machine_id,
        "generation": lease.generation,
        "expired_at": instant(lease.expires_at),
    }
    return [note("worker.lease.expired", facts)]


def _require_free(worker: Worker, machine_id: str) -> None:
    lease = worker.lease
    if lease is not None and lease.machine_id != machine_id and lease.state(worker.now) == "held":
        raise Conflict(
            "another machine executes this worker",
            reason_code="leased",
            machine_id=lease.machine_id,
            since=instant(lease.claimed_at),
            expires_at=instant(lease.expires_at),
        )
