"""The table of approvals, as events change it, under the worker's lock and in the event's transaction.

Every change follows from an event of the log, so that the table says what the log says, whatever becomes of the events
themselves. The first end of an approval is its end: what comes later stays in the log and changes nothing.

    pending ◀─▶ decided ──▶ delivered ──▶ applied | superseded | closed
       └─▶ superseded | expired | closed ◀──┘ (decided too)

Back from `decided` it goes where who decided lost the device or the role before any machine was handed the decision.

Owns the tables `approval` and, through it, the life of `approval_answer` rows. Source: docs/runtime-contract.md,
"Approvals".
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from autopilot.db import queries
from autopilot.runtime import audit_log
from autopilot.runtime.approvals_events import CLOSED, ENDS, EXPIRED, REOPENED, REQUESTED
from autopilot.runtime.ledger_rows import Draft, Row, Worker
from autopilot.runtime.requests_notes import note

if TYPE_CHECKING:
    from autopilot.runtime.ledger import Ledger, LedgerTx

SQL = queries.load("autopilot.runtime", "approvals")

WORKER_STOPPED = "worker_stopped"
MACHINE_REPLACED = "machine_replaced"

Decision = tuple[str, int]
"""approval_id, and the seq of `worker.approval.decided`."""
_TELLING = frozenset({REQUESTED, *ENDS})


class _Asked(msgspec.Struct):
    """What a row keeps of `worker.approval.requested`, as the text that was recorded."""

    approval: msgspec.Raw
    params: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A new row, its fields in the order of the query."""

    approval_id: str
    worker_no: int
    machine_id: str | None
    kind: str
    request: str
    params: str
    requested_seq: int
    requested_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Ended:
    """An end, its fields in the order of the query."""

    approval_id: str
    worker_no: int
    state: str
    outcome: str | None
    reason: str | None
    ended_at: datetime


async def after(tx: LedgerTx, rows: Sequence[Row]) -> None:
    """Open and end approvals as these rows say."""
    telling = [row for row in rows if row.draft.event_type in _TELLING]
    opened = [_opened(row) for row in telling if row.draft.event_type == REQUESTED]
    if opened:
        await tx.conn.execute(SQL.open, *_columns(opened))
    ends: dict[str, _Ended] = {}
    for end in (_ended(row) for row in telling if row.draft.event_type in ENDS):
        ends.setdefault(end.approval_id, end)
    if not ends:
        return
    finished = await tx.conn.fetch(SQL.finish, *_columns(list(ends.values())))
    if finished:
        await tx.conn.execute(SQL.drop_answers, [record["approval_id"] for record in finished])


async def closing(tx: LedgerTx, worker: Worker) -> list[Draft]:
    """What must stand in the log before `worker.stopped`: that nobody is asked any more."""
    open_ones = await tx.conn.fetch(SQL.open_of_worker, worker.worker_no)
    return [_closed(record["approval_id"], WORKER_STOPPED) for record in open_ones]


async def replaced(tx: LedgerTx, worker: Worker, machine_id: str) -> list[Draft]:
    """What must stand in the log before this machine executes the worker: questions of another's Codex are moot."""
    open_ones = await tx.conn.fetch(SQL.open_of_worker, worker.worker_no)
    return [
        _closed(record["approval_id"], MACHINE_REPLACED) for record in open_ones if record["machine_id"] != machine_id
    ]


async def expire(ledger: Ledger, worker_id: str, approval_ids: Sequence[str], now: datetime) -> int:
    """End those of these that nobody answered in time; how many it were."""
    async with ledger.transaction() as tx:
        worker = (await tx.lock_workers([worker_id])).get(worker_id)
        if worker is None:
            return 0
        drafts = []
        for record in await tx.conn.fetch(SQL.approvals, list(approval_ids)):
            expires_at = record["expires_at"]
            if record["state"] == "pending" and expires_at is not None and expires_at <= now:
                facts = {"approval_id": record["approval_id"], "approval": {"approval_id": record["approval_id"]}}
                drafts.append(note(EXPIRED, facts))
        if drafts:
            await tx.append(worker, drafts)
        return len(drafts)


def by_worker(found: Iterable[asyncpg.Record]) -> dict[str, list[Decision]]:
    """These decisions, by the workers of their questions."""
    decisions: dict[str, list[Decision]] = defaultdict(list)
    for record in found:
        decisions[record["worker_id"]].append((record["approval_id"], record["decided_seq"]))
    return decisions


async def reopen(ledger: Ledger, worker_id: str, decisions: Sequence[Decision], reason: str) -> int:
    """Take back those of these decisions that nobody was handed; how many it were."""
    async with ledger.transaction() as tx:
        worker = (await tx.lock_workers([worker_id])).get(worker_id)
        return 0 if worker is None else await reopen_locked(tx, worker, decisions, reason)


async def reopen_locked(tx: LedgerTx, worker: Worker, decisions: Sequence[Decision], reason: str) -> int:
    """The same within a transaction that has locked the worker."""
    found = await tx.conn.fetch(SQL.reopen, *map(list, zip(*decisions, strict=True)))
    taken_back = sorted(record["approval_id"] for record in found)
    if taken_back:
        await tx.conn.execute(SQL.drop_answers, taken_back)
        facts = [{"approval_id": each, "state": "pending", "reason": reason} for each in taken_back]
        await tx.append(worker, [note(REOPENED, each) for each in facts])
        await audit_log.append(tx.conn, [_taken_back(worker, record, reason) for record in found])
    return len(taken_back)


def _taken_back(worker: Worker, record: asyncpg.Record, reason: str) -> audit_log.Line:
    """The line of a decision that is in no row any more: whose it was, and what."""
    decision = msgspec.json.decode(record["decision"])
    actor: dict[str, Any] = decision["actor"]
    return audit_log.Line(
        audit_id=f"aud_{uuid.uuid4().hex}",
        action="decision_taken_back",
        outcome="done",
        x_request_id=record["x_request_id"],
        subject=f"approval:{record['approval_id']}",
        detail={
            "worker_id": worker.worker_id,
            "kind": record["kind"],
            "option_id": decision["option_id"],
            "decided_at": decision["decided_at"],
            "reason": reason,
        },
        **{name: actor.get(name) for name in ("user_id", "guest_scope", "device_id", "machine_id", "surface")},
    )


def _opened(row: Row) -> _Opened:
    worker, asked = row.worker, row.draft.value["approval"]
    said = msgspec.json.decode(row.draft.payload, type=_Asked)
    ttl_ms = asked.get("ttl_ms")
    return _Opened(
        asked["approval_id"],
        worker.worker_no,
        None if worker.lease is None else worker.lease.machine_id,
        asked["kind"],
        bytes(said.approval).decode(),
        bytes(said.params).decode(),
        row.seq,
        worker.now,
        None if ttl_ms is None else worker.now + timedelta(milliseconds=ttl_ms),
    )


def _ended(row: Row) -> _Ended:
    end: dict[str, Any] = row.draft.value["approval"]
    state = ENDS[row.draft.event_type]
    return _Ended(
        end["approval_id"], row.worker.worker_no, state, end.get("outcome"), end.get("reason"), row.worker.now
    )


def _closed(approval_id: str, reason: str) -> Draft:
    end = {"approval_id": approval_id, "outcome": None, "reason": reason}
    return note(CLOSED, {"approval_id": approval_id, "approval": end})


def _columns(rows: Sequence[_Opened] | Sequence[_Ended]) -> list[list[Any]]:
    return [list(column) for column in zip(*map(astuple, rows), strict=True)]
