"""Policy at the door for answers: who may answer which kind of approval.

Relies on policy.py for the verdict, under the lock of the worker whose approval it is. A no leaves the approval open
for somebody else; it is an event of the worker's log, and a 403 that names the rule. Asked again from the same device
while nothing has changed, it is the same 403, and no second event. Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import asyncpg
import msgspec

from autopilot.contract.errors import Forbidden
from autopilot.runtime import audit_log, permissions, policy, policy_requests, policy_store
from autopilot.runtime.ledger import SQL, LedgerTx
from autopilot.runtime.ledger_rows import Worker, actor_of
from autopilot.runtime.policy import Verdict
from autopilot.runtime.requests import Asker


async def judge(tx: LedgerTx, worker: Worker, record: asyncpg.Record, asker: Asker) -> Verdict:
    """Whether this principal may answer this kind of approval."""
    documents = await policy_store.in_force(tx.conn, worker)
    role = permissions.role_of(asker.claims, worker) or "viewer"
    verdict = policy.may_answer(documents, role, record["kind"])
    return replace(verdict, judged_by=documents.versions())


async def refused(tx: LedgerTx, worker: Worker, record: asyncpg.Record, asker: Asker, verdict: Verdict) -> Forbidden:
    """Tell the log of a no; what the caller is to raise after the commit."""
    what = {"approval_id": record["approval_id"], "kind": record["kind"]}
    actor = actor_of(asker.claims)
    event_id = _event_id(record["approval_id"], actor, verdict)
    if not await tx.conn.fetch(SQL.find_events, [worker.worker_no], [event_id]):
        draft = policy_requests.denial_note(verdict, what, actor, asker.x_request_id)
        await tx.append(worker, [msgspec.structs.replace(draft, event_id=event_id)])
        tx.denied.append(verdict.word)
        await audit_log.note(
            tx.conn,
            asker.claims,
            "answer_refused",
            x_request_id=asker.x_request_id,
            subject=f"approval:{record['approval_id']}",
            detail={"worker_id": worker.worker_id, "kind": record["kind"], **verdict.facts()},
            outcome="refused",
        )
    return policy_requests.forbidden(verdict, **what)


def _event_id(approval_id: str, actor: str, verdict: Verdict) -> str:
    said = msgspec.json.encode([approval_id, actor, verdict.rule_id, verdict.judged_by])
    return f"runtime:denied:{hashlib.sha256(said).hexdigest()[:32]}"
