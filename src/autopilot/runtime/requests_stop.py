"""Stopping a worker: a request of its own where a machine executes it, a closed log where none does.

Owns the status on the way from running to stopped. Relies on consequences.closing for what must stand in the log before
`worker.stopped`, and on requests.py for the request. Source: docs/runtime-contract.md, "Stop".
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from autopilot.db import queries
from autopilot.runtime import consequences, permissions, receipts
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.ledger_rows import Worker, actor_of
from autopilot.runtime.requests import Asker, Requests
from autopilot.runtime.requests_bodies import Call
from autopilot.runtime.requests_methods import STOP
from autopilot.runtime.requests_notes import note

_SQL = queries.load("autopilot.runtime", "receipts")


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop came to."""

    worker_id: str
    status: str
    idempotent_replay: bool
    machine_unreachable: bool = False
    request_id: str | None = None
    """Of the request that its machine was sent, where it was sent one."""

    @property
    def was_over(self) -> bool:
        """Whether there was nothing left to stop."""
        return self.idempotent_replay and self.status in {"stopped", "failed"}

    def body(self) -> dict[str, Any]:
        """As the contract shows it; the fact only where it is one."""
        facts: dict[str, Any] = {"machine_unreachable": True} if self.machine_unreachable else {}
        if self.request_id is not None:
            facts["request_id"] = self.request_id
        return {
            "worker_id": self.worker_id,
            "status": self.status,
            "idempotent_replay": self.idempotent_replay,
            **facts,
        }


async def stop(
    ledger: Ledger, requests: Requests, asker: Asker, worker_id: str, reason: str | None, *, force: bool
) -> Stopped:
    """Stop a worker, or ask its machine to; again, the same.

    Raises:
        NotFound: no such worker.
        Forbidden: no role, or too small a scope.
    """
    async with ledger.transaction() as tx:
        worker = await tx.lock_worker(worker_id)
        permissions.administer(asker.claims, worker)
        if not worker.is_open:
            return Stopped(worker_id, worker.status, idempotent_replay=True)
        lease = worker.lease
        if force or lease is None or lease.released_at is not None:
            await _close(tx, worker, asker, reason, force=force)
            return Stopped(worker_id, worker.status, idempotent_replay=False)
        unreachable = lease.state(worker.now) == "expired"
        asked_before = worker.status == "stopping"
        if asked_before:
            request_id = await tx.conn.fetchval(_SQL.open_stop, worker_id)
        else:
            request_id = await _ask(tx, requests, worker, asker, reason, unreachable=unreachable)
        return Stopped(worker_id, worker.status, asked_before, unreachable, request_id)


async def _ask(
    tx: LedgerTx, requests: Requests, worker: Worker, asker: Asker, reason: str | None, *, unreachable: bool
) -> str:
    started_seq = await tx.conn.fetchval(_SQL.started_seq, worker.worker_no)
    params: dict[str, Any] = {"reason": reason, "force": False}
    if unreachable:
        params["machine_unreachable"] = True
    request_id = await _free_id(tx, worker.worker_id, f"stop:{started_seq or worker.latest_seq}")
    call = Call(request_id, STOP, params, receipts.encoded(params))
    worker.status, worker.state_changed = "stopping", True
    await requests.accept(tx, worker, asker, call)
    return request_id


async def _free_id(tx: LedgerTx, worker_id: str, wanted: str) -> str:
    """An id for the stop: the ids of requests are their senders' choice, and one of them may have chosen ours."""
    taken = await receipts.find(tx.conn, Target("worker", worker_id), wanted)
    return wanted if taken is None else f"{wanted}:{uuid.uuid4().hex}"


async def _close(tx: LedgerTx, worker: Worker, asker: Asker, reason: str | None, *, force: bool) -> None:
    """Close the log at once; by force, nobody has verified that anything stopped."""
    closing = await consequences.closing(tx, worker)
    facts: dict[str, Any] = {"reason": reason, "verified": not force}
    if force:
        facts["forced"] = True
    stopped = note("worker.stopped", facts, x_request_id=asker.x_request_id, actor=actor_of(asker.claims))
    await tx.append(worker, [*closing, stopped])
