"""What goes into machines' feeds: entries, and which events become one.

Owns the tables `feed_head` and `feed_entry`. A feed's head is raised in the statement that inserts, under its row lock:
contiguous and commit-ordered, like a worker's log. Feed heads are the last locks a transaction takes, in machine_id
order. Entries hold no bodies: those are read from the log, the receipt and the delivery table when the feed is read.
Source: docs/runtime-contract.md, "The feed".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from autopilot.db import queries
from autopilot.runtime.ledger_rows import Row
from autopilot.runtime.requests_wakes import wakes_of

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

_SQL = queries.load("autopilot.runtime", "feed")
_NOT_FED = ("worker.request.", "worker.lease.", "worker.policy.", "worker.approval.decided", "worker.approval.reopened")
"""The runtime's notes of what the machine itself does, or is told by its requests."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing a machine is to learn."""

    machine_id: str
    kind: str
    urgent: bool
    worker_id: str | None
    worker_seq: int | None
    request_id: str | None


async def add(tx: LedgerTx, entries: Sequence[Entry], now: datetime) -> None:
    """Append entries to the feeds of their machines, in this order, and wake those who read them."""
    if not entries:
        return
    columns = [list(column) for column in zip(*map(astuple, entries), strict=True)]
    feeds = wakes_of(tx).feeds
    for record in await tx.conn.fetch(_SQL.add, *columns, now):
        feeds[record["machine_id"]] = max(record["feed_seq"], feeds.get(record["machine_id"], 0))


async def after(tx: LedgerTx, rows: Sequence[Row], also: Sequence[Entry] = ()) -> None:
    """Put what others wrote into the logs of a machine's workers into its feed; `also`: what comes after that."""
    entries = [
        Entry(row.worker.lease.machine_id, "event", _is_urgent(row), row.worker.worker_id, row.seq, None)
        for row in rows
        if row.worker.lease is not None and _is_news(row, row.worker.lease.machine_id)
    ]
    entries += also
    if entries:
        await add(tx, entries, max(row.worker.now for row in rows))


def _is_news(row: Row, machine_id: str) -> bool:
    """Not the machine's own, nor about what it is told otherwise.

    The actor is JSON text that the runtime built: in it, an unescaped quote can't be part of anybody's id.
    """
    return not (
        row.draft.event_type.startswith(_NOT_FED) or f'"machine_id":{json.dumps(machine_id)}' in row.draft.actor
    )


def _is_urgent(row: Row) -> bool:
    """A log closed by force: the machine is to stop what it runs, before anything else."""
    return row.draft.event_type == "worker.stopped"
