"""Which team a machine and its workers are shared with: the rows, as they move within a transaction of the ledger.

A worker is shared with whom the machine is shared with that holds its lease, or held it last. Locks: machines in id
order, then workers in id order, then the head of shares, and feeds after it; so a claim holds its machine before it
locks its worker, and sees the move of a machine whole or not at all. Never decides who may (sharing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autopilot.db import queries

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx
    from autopilot.runtime.ledger_rows import Worker

SQL = queries.load("autopilot.runtime", "sharing")


async def hold(tx: LedgerTx, machine_id: str) -> None:
    """Keep a machine in its team until the transaction ends; before any worker is locked."""
    await tx.conn.execute(SQL.hold, machine_id)


async def inherit(tx: LedgerTx, worker: Worker, team_id: str | None) -> bool:
    """A locked worker is shared from now on as the machine is that claimed it, which the transaction holds.

    Whether that is otherwise than before.
    """
    if worker.team_id == team_id:
        return False
    await tx.conn.execute(SQL.inherit, worker.worker_no, team_id)
    await tx.conn.execute(SQL.changed)
    tx.moves_between(worker.team_id, team_id)
    worker.team_id = team_id
    return True


async def move(tx: LedgerTx, machine_ids: Sequence[str], team_id: str | None) -> int:
    """Move locked machines, and their workers with them; how many workers it were."""
    numbers = [record["worker_no"] for record in await tx.conn.fetch(SQL.lock_workers, machine_ids)]
    done = await tx.conn.execute(SQL.move_workers, machine_ids, numbers, team_id)
    await tx.conn.execute(SQL.move_machines, machine_ids, team_id)
    await tx.conn.execute(SQL.changed)
    return int(done.split()[-1])
