"""The one place where an append has consequences: what else changes in the transaction that appends.

The ledger calls `load`, `before`, `closing` and `after`, in this order; they call plain functions of the rooms
concerned (leases, feed, requests, handshakes, spend). All of them run under the workers' locks. None commits, and none
publishes. Where `may_follow` says that nothing can, only `before` is called, and without a lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autopilot.runtime import (
    approvals_events,
    approvals_rows,
    approvals_rules,
    artifacts_events,
    feed_entries,
    handshakes,
    leases,
    receipts,
    spend,
    spend_budgets,
    spend_counts,
)
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger_rows import Batch, Draft, Row, Worker
from autopilot.runtime.permissions import EVENT

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

HANDSHAKES = "handshakes"
_CONSEQUENTIAL = handshakes.METHODS | spend_counts.METHODS
_ONLY_EVENTS = {EVENT}


def may_follow(worker: Worker, batch: Batch) -> bool:
    """Whether anything but rows and facts may follow from this batch; no I/O. Only a `worker.event` can have none."""
    lease = worker.lease
    if lease is not None and (batch.claims.machine_id != lease.machine_id or leases.is_due(lease, worker.now)):
        return True
    return (
        batch.event_types != _ONLY_EVENTS
        or not _CONSEQUENTIAL.isdisjoint(batch.methods)
        or any([artifacts_events.refers(draft) for draft in batch.drafts])  # noqa: C419 - twice as fast as a generator
    )


async def load(tx: LedgerTx, batches: Sequence[Batch]) -> None:
    """Read for all of `batches` at once what `before` will ask for, into `tx.memo`."""
    tx.memo[HANDSHAKES] = await handshakes.load(tx, batches)


def before(tx: LedgerTx, worker: Worker, batch: Batch, draft: Draft) -> int | None:  # noqa: ARG001 - the seam hands over all there is
    """Look at one draft before it gets its place; no I/O.

    Returns:
        The seq of a row that already says this (the draft is then a duplicate), or None.

    Raises:
        autopilot.contract.errors.Problem: the draft, and with it its whole batch, is refused.
    """
    approvals_events.check(worker, draft)
    artifacts_events.check(draft)
    if draft.method not in handshakes.METHODS:
        return None
    return handshakes.before(tx.memo[HANDSHAKES], worker, draft)


async def closing(tx: LedgerTx, worker: Worker) -> list[Draft]:
    """What must stand in the log before `worker.stopped`: ends of approvals and receipts, the release of the lease.

    The rows of these drafts come back through `after` like all others; this function may also change other tables.
    """
    closed = await approvals_rows.closing(tx, worker)
    return [*closed, *await receipts.closing(tx, worker), *await leases.closing(tx, worker)]


async def after(tx: LedgerTx, rows: Sequence[Row]) -> None:
    """Whatever follows from rows that now have their place: feed entries, ends of receipts, approvals, handshakes.

    Workers whose lease holder was heard in this transaction are in `tx.heard` (their leases are to be renewed), also
    when `rows` is empty.
    """
    handed: list[Entry] = []
    if rows:
        await handshakes.after(tx, rows)
        await receipts.after(tx, rows)
        await approvals_rows.after(tx, rows)
        await artifacts_events.after(tx, rows)
        if counted := await spend.after(tx, rows):
            handed += await spend_budgets.after(tx, rows, counted)
        handed += await approvals_rules.after(tx, rows)
    await leases.renew_heard(tx)
    await feed_entries.after(tx, rows, handed)
