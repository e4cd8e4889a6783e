"""Ending several receipts of one target for a reason of the runtime's own: the clock, or who asked may no more.

Relies on the worker's lock, or the receipts' own for a machine, under which each is looked at again: so several who end
the same, and answers that arrive at the same moment, do no harm. Never ends what `judge` does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from autopilot.runtime import receipts
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger_rows import Worker

if TYPE_CHECKING:
    from autopilot.runtime.ledger import Ledger, LedgerTx

Judge = Callable[[asyncpg.Record], tuple[str, dict[str, Any]] | None]
"""The state a receipt is to end in, and the error that says why; None where it is not to end."""


def by_target(records: Iterable[asyncpg.Record]) -> dict[Target, list[str]]:
    """The request ids of these receipts, by whom they are addressed to."""
    found: dict[Target, list[str]] = defaultdict(list)
    for record in records:
        found[receipts.target_of(record)].append(record["request_id"])
    return found


async def end(ledger: Ledger, target: Target, request_ids: Sequence[str], judge: Judge) -> int:
    """End those of these receipts that `judge` says, with the events that tell of it; how many it were."""
    async with ledger.transaction() as tx:
        worker = await tx.lock_worker(target.id) if target.kind == "worker" else None
        return await end_locked(tx, worker, target, request_ids, judge)


async def end_locked(
    tx: LedgerTx, worker: Worker | None, target: Target, request_ids: Sequence[str], judge: Judge
) -> int:
    """The same within a transaction that has locked the worker, where it is one's."""
    ended = 0
    if worker is None:
        await receipts.lock_machines(tx.conn, target.id, request_ids)
    for request_id in request_ids:
        record = await receipts.find_locked(tx.conn, target, request_id)
        judged = None if record is None else judge(record)
        if record is None or judged is None:
            continue
        state, error = judged
        ended += 1
        if worker is None:
            now = await tx.conn.fetchval("select clock_timestamp()")
            await receipts.step(tx, record, state, now=now, error=receipts.encoded(error))
        else:
            await receipts.step_and_tell(tx, worker, record, state, error=error)
    return ended
