"""What an executor reports of the requests it was handed.

Owns the judgement of each reported step; receipts.py takes it. Repeating a report changes nothing, and a step that
would lead back is not taken. A worker's request ends through its log (`worker.response`, `worker.error`), so that
result and log are one: its `completed` or `failed` is refused here. Source: docs/runtime-contract.md, "Receipts".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.contract import ReceiptReport
from autopilot.contract.port import Claims
from autopilot.contract.redaction import redact
from autopilot.runtime import permissions, receipts
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.machines import machine
from autopilot.runtime.receipts_states import may_follow


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one reported step."""

    report: ReceiptReport
    state: str | None
    """The receipt's state now; None where there is no such receipt of this machine."""
    applied: bool = False
    reason_code: str | None = None

    def body(self) -> dict[str, Any]:
        """As the contract shows it."""
        return {
            "worker_id": self.report.worker_id,
            "request_id": self.report.request_id,
            "state": self.state,
            "applied": self.applied,
            "reason_code": self.reason_code,
        }


async def report(ledger: Ledger, claims: Claims, machine_id: str, reports: Sequence[ReceiptReport]) -> list[Judged]:
    """Take the reported steps, in order, each judged by itself; one answer for each.

    Raises:
        NotFound: the machine never registered.
        Forbidden: not this machine's execute token, or somebody else's machine.
    """
    permissions.execute(claims, machine_id)
    async with ledger.transaction() as tx:
        permissions.require_role(claims, await machine(tx.conn, machine_id))
        workers = await tx.lock_workers({item.worker_id for item in reports if item.worker_id is not None})
        await receipts.lock_machines(
            tx.conn, machine_id, (item.request_id for item in reports if item.worker_id is None)
        )
        return [await _judge(tx, machine_id, workers, item) for item in reports]


async def _judge(tx: LedgerTx, machine_id: str, workers: dict[str, Worker], item: ReceiptReport) -> Judged:
    worker = None
    target = Target("machine", machine_id)
    if item.worker_id is not None:
        worker = workers.get(item.worker_id)
        target = Target("worker", item.worker_id)
    record = await receipts.find_locked(tx.conn, target, item.request_id)
    if record is None or record["machine_id"] != machine_id:
        return Judged(item, None, reason_code="no_such_request")
    if record["state"] == item.state:
        return Judged(item, item.state)
    if not may_follow(record["state"], item.state):
        return Judged(item, record["state"], reason_code="not_after_this_state")
    if worker is not None and item.state in receipts.RESULTS.values():
        return Judged(item, record["state"], reason_code="ends_through_events")
    await _take(tx, worker, record, item)
    return Judged(item, item.state, applied=True)


async def _take(tx: LedgerTx, worker: Worker | None, record: asyncpg.Record, item: ReceiptReport) -> None:
    error = redact(item.error)
    if worker is None:
        response = None if item.response is None else receipts.encoded(redact(item.response))
        now = await tx.conn.fetchval("select clock_timestamp()")
        text = None if error is None else receipts.encoded(error)
        await receipts.step(tx, record, item.state, now=now, response=response, error=text)
    elif worker.is_open:
        await receipts.step_and_tell(tx, worker, record, item.state, error=error)
    else:
        # The span is over, its last row stands: what is learned now is in the receipt alone.
        text = None if error is None else receipts.encoded(error)
        await receipts.step(tx, record, item.state, now=worker.now, error=text)
