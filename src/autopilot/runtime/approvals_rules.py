"""Approvals that a policy's rule decides, in the transaction that writes their rows.

Relies on policy_rules.py for whether one does, and on the transaction's `decide` for writing it down as any decision
is. What is known already, has ended in the same append, or belongs to a worker that is being stopped is left alone.
Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from autopilot.contract import ApprovalRequest
from autopilot.runtime import policy_requests, policy_rules, policy_store
from autopilot.runtime.approvals_events import REQUESTED
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger_rows import Row

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

_GOING_ON = frozenset({"starting", "running"})
"""A worker that is being stopped is told nothing but that."""


async def after(tx: LedgerTx, rows: Sequence[Row]) -> list[Entry]:
    """Decide what rules decide of the questions in these rows; what their machines are to be handed."""
    asking = [row for row in rows if row.draft.event_type == REQUESTED and row.worker.status in _GOING_ON]
    return [entry for row in asking for entry in await _decided(tx, row)]


async def _decided(tx: LedgerTx, row: Row) -> list[Entry]:
    worker = row.worker
    documents = await policy_store.in_force(tx.conn, worker)
    if tx.decide is None or not any(document.contents.rules for document in documents.all()):
        return []
    record = await tx.conn.fetchrow(SQL.approval, row.draft.value["approval"]["approval_id"])
    if record is None or record["state"] != "pending" or record["requested_seq"] != row.seq:
        return []
    asked = msgspec.json.decode(record["request"], type=ApprovalRequest)
    home = None if worker.lease is None else await policy_requests.home_of_machine(tx.conn, worker.lease.machine_id)
    decided = policy_rules.decide(documents, asked, msgspec.json.decode(record["params"]), home)
    if decided is None:
        return []
    entry = await tx.decide(tx, worker, record, asked, decided)
    return [] if entry is None else [entry]
