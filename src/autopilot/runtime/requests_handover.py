"""What becomes of a worker's open requests when a machine claims it.

Owns the rule; relies on receipts.py and feed_entries.py for the rows. Runs under the worker's lock.
Source: docs/runtime-contract.md, "Leases", 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopilot.db import queries
from autopilot.runtime import feed_entries, receipts
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.requests_methods import STOP, URGENT

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

_SQL = queries.load("autopilot.runtime", "receipts")


async def take_over(tx: LedgerTx, worker: Worker, machine_id: str) -> None:
    """Give to this machine what no machine was handed; what another one was, nobody can know any more.

    A stop moves on whatever became of it: the worker is still to be stopped, and stopping twice does no harm.
    """
    moved = []
    for record in await tx.conn.fetch(_SQL.open_of_worker, worker.worker_id):
        if record["machine_id"] == machine_id:
            continue
        if record["state"] == "accepted" or record["method"] == STOP:
            moved.append(record)
        else:
            error = {"code": "machine_changed", "message": "another machine took the worker over"}
            await receipts.step_and_tell(tx, worker, record, "indeterminate", error=error)
    if not moved:
        return
    names = [record["request_id"] for record in moved]
    await tx.conn.execute(_SQL.assign, worker.worker_id, names, machine_id)
    entries = [
        Entry(machine_id, "request", record["method"] in URGENT, worker.worker_id, None, record["request_id"])
        for record in moved
    ]
    await feed_entries.add(tx, entries, worker.now)
