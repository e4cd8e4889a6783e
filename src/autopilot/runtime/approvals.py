"""Approvals as people meet them: listed, read, decided.

Owns the transaction of a decision: the first one wins, under the worker's lock, all or nothing: the row, the sealed
answer, the event, the feed entry. Relies on approvals_rows.py for what events do to the rows, on approvals_answer.py
for what fits, on permissions for who may. A 200 says `decided`, never that Codex took it.
Source: docs/runtime-contract.md, "Approvals".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import ApprovalRequest
from autopilot.contract.errors import Conflict, NotFound
from autopilot.contract.port import Claims
from autopilot.runtime import approvals_answer, approvals_rows, feed_entries, permissions
from autopilot.runtime.append_identity import Digests
from autopilot.runtime.approvals_answer import Answer
from autopilot.runtime.approvals_delivery import sealed
from autopilot.runtime.approvals_events import DECIDED
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.delivery import DeliveryKeys
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.ledger_rows import Worker, actor_of, instant
from autopilot.runtime.requests import Asker
from autopilot.runtime.requests_notes import note
from autopilot.runtime.revocation import refuse_revoked


class Approvals:
    """Reads approvals and takes decisions."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, keys: DeliveryKeys, *, digests: Digests) -> None:
        self._ledger = ledger
        self._pool = pool
        self._keys = keys
        self._digests = digests

    async def approval(self, claims: Claims, approval_id: str) -> asyncpg.Record:
        """One approval.

        Raises:
            NotFound: there is none.
            Forbidden: no role, or too small a scope.
        """
        record = await find(self._pool, approval_id)
        permissions.require_role(claims, _owned(record))
        permissions.require_scope(claims, "observe")
        return record

    async def decide(self, asker: Asker, approval_id: str, answer: Answer) -> asyncpg.Record:
        """The approval with this answer: given now, or before.

        Raises:
            NotFound: there is none.
            Forbidden: no role, or too small a scope.
            Unauthorized: the device was revoked while the call was on its way.
            Conflict: `answered_differently`, `approval_ended`, `answer_at_the_computer`.
            Unprocessable: the answer does not fit the question.
        """
        known = await find(self._pool, approval_id)
        permissions.decide(asker.claims, _owned(known))
        async with self._ledger.transaction() as tx:
            worker = await tx.lock_worker(known["worker_id"])
            permissions.decide(asker.claims, worker)
            await refuse_revoked(tx.conn, asker.claims)
            record = await find(tx.conn, approval_id)
            if record["decision_digest"] is not None:
                return self._same(record, answer)
            expires_at = record["expires_at"]
            late = record["state"] == "pending" and expires_at is not None and expires_at <= worker.now
            if not late:
                asked = _decidable(record)
                approvals_answer.check(asked, answer.said)
                await self._record(tx, worker, record, asker=asker, asked=asked, answer=answer)
                return await find(tx.conn, approval_id)
        # What is over is over, whether or not the sweeper has come by: the end is written before it is told.
        await approvals_rows.expire(self._ledger, worker.worker_id, [approval_id], worker.now)
        raise _ended(await find(self._pool, approval_id))

    async def _record(
        self,
        tx: LedgerTx,
        worker: Worker,
        record: asyncpg.Record,
        *,
        asker: Asker,
        asked: ApprovalRequest,
        answer: Answer,
    ) -> None:
        """Write a first decision down, seal it, tell the log, and hand it to the machine whose Codex asks."""
        approval_id, actor = record["approval_id"], actor_of(asker.claims)
        decision: dict[str, Any] = {
            **approvals_answer.shown(asked, answer.said),
            "actor": msgspec.Raw(actor.encode()),
            "decided_at": instant(worker.now),
        }
        facts = {"approval_id": approval_id, "decision": decision, "state": "decided"}
        [row] = await tx.append(worker, [note(DECIDED, facts, x_request_id=asker.x_request_id, actor=actor)])
        await tx.conn.execute(
            SQL.decide,
            approval_id,
            msgspec.json.encode(decision).decode(),
            self._digests.make(*_content(answer)),
            row.seq,
            worker.now,
            asker.x_request_id,
            asker.traceparent,
        )
        exact = sealed(self._keys, worker.worker_id, approval_id, answer.content_text, answer.said.message)
        await tx.conn.execute(SQL.put_answer, approval_id, *exact)
        machine_id = record["machine_id"]
        if machine_id is not None:
            await feed_entries.add(
                tx, [Entry(machine_id, "decision", False, worker.worker_id, row.seq, None)], worker.now
            )

    def _same(self, record: asyncpg.Record, answer: Answer) -> asyncpg.Record:
        if self._digests.fits(record["decision_digest"], *_content(answer)):
            return record
        decision = msgspec.json.decode(record["decision"])
        raise Conflict(
            "the question was answered differently before",
            reason_code="answered_differently",
            winner={name: decision.get(name) for name in ("option_id", "actor", "decided_at")},
            state=record["state"],
            outcome=record["outcome"],
        )


async def find(conn: Any, approval_id: str) -> asyncpg.Record:
    """One approval, with `read_at`.

    Raises:
        NotFound: there is none.
    """
    record = await conn.fetchrow(SQL.approval, approval_id)
    if record is None:
        raise NotFound("no such approval", reason_code="no_such_approval")
    return record


@dataclass(slots=True)
class _Owner:
    """Whose approval it is."""

    owner_user_id: int | None
    owner_guest_scope: str | None


def _owned(record: asyncpg.Record) -> _Owner:
    return _Owner(record["owner_user_id"], record["owner_guest_scope"])


def _decidable(record: asyncpg.Record) -> ApprovalRequest:
    """What is asked, where it is still open and can be answered from here.

    Raises:
        Conflict: `approval_ended`, `answer_at_the_computer`.
    """
    if record["ended_at"] is not None:
        raise _ended(record)
    asked = msgspec.json.decode(record["request"], type=ApprovalRequest)
    if not asked.answerable:
        raise Conflict("this can only be answered at the computer", reason_code="answer_at_the_computer")
    return asked


def _ended(record: asyncpg.Record) -> Conflict:
    return Conflict(
        f"the question is {record['state']}",
        reason_code="approval_ended",
        state=record["state"],
        outcome=record["outcome"],
        closed_reason=record["closed_reason"],
    )


def _content(answer: Answer) -> tuple[object, ...]:
    return answer.said.option_id, answer.said.content, answer.said.message
