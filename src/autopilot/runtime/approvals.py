"""Approvals as people meet them: listed, read, decided.

Owns the transaction of a person's decision: the first one wins, under the worker's lock. Relies on
approvals_decisions.py for writing it down, on approvals_rows.py for what events do to the rows, on approvals_answer.py
for what fits, on permissions for who may. A 200 says `decided`, never that Codex took it.
Source: docs/runtime-contract.md, "Approvals".
"""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from autopilot.contract import ApprovalRequest
from autopilot.contract.errors import Conflict, Forbidden, NotFound
from autopilot.contract.port import Claims
from autopilot.runtime import approvals_answer, approvals_rows, permissions, policy_approvals
from autopilot.runtime.approvals_answer import Answer
from autopilot.runtime.approvals_decisions import Decisions, Given
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.lost_roles import refuse_departed
from autopilot.runtime.permissions import Belonging
from autopilot.runtime.requests import Asker
from autopilot.runtime.revocation import refuse_revoked


class Approvals:
    """Reads approvals and takes decisions."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, decisions: Decisions) -> None:
        self._ledger = ledger
        self._pool = pool
        self._decisions = decisions

    async def approval(self, claims: Claims, approval_id: str) -> asyncpg.Record:
        """One approval.

        Raises:
            NotFound: there is none.
            Forbidden: no role, or too small a scope.
        """
        record = await find(self._pool, approval_id)
        permissions.require_role(claims, Belonging.of(record))
        permissions.require_scope(claims, "observe")
        return record

    async def decide(self, asker: Asker, approval_id: str, answer: Answer) -> asyncpg.Record:
        """The approval with this answer: given now, or before.

        Raises:
            NotFound: there is none.
            Forbidden: no role, also one that was lost meanwhile, or too small a scope; `policy_denied.approval`.
            Unauthorized: the device was revoked while the call was on its way.
            Conflict: `answered_differently`, `approval_ended`, `answer_at_the_computer`.
            Unprocessable: the answer does not fit the question.
        """
        known = await find(self._pool, approval_id)
        permissions.decide(asker.claims, Belonging.of(known))
        refusal: Forbidden | None = None
        async with self._ledger.transaction() as tx:
            worker = await tx.lock_worker(known["worker_id"])
            permissions.decide(asker.claims, worker)
            await refuse_revoked(tx.conn, asker.claims)
            await refuse_departed(tx.conn, asker.claims, worker)
            record = await find(tx.conn, approval_id)
            if record["decision_digest"] is not None:
                return self._same(record, answer)
            expires_at = record["expires_at"]
            late = record["state"] == "pending" and expires_at is not None and expires_at <= worker.now
            if not late:
                asked = _decidable(record)
                verdict = await policy_approvals.judge(tx, worker, record, asker)
                if verdict.allowed:
                    approvals_answer.check(asked, answer.said)
                    given = Given(answer, asker, verdict.judged_by)
                    await self._decisions.record(tx, worker, record, asked, given)
                    return await find(tx.conn, approval_id)
                refusal = await policy_approvals.refused(tx, worker, record, asker, verdict)
        if refusal is not None:
            raise refusal
        # What is over is over, whether or not the sweeper has come by: the end is written before it is told.
        await approvals_rows.expire(self._ledger, worker.worker_id, [approval_id], worker.now)
        raise _ended(await find(self._pool, approval_id))

    def _same(self, record: asyncpg.Record, answer: Answer) -> asyncpg.Record:
        if self._decisions.is_the_same(record, answer):
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
