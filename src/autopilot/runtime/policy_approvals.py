"""Policy at the door for answers: who may answer which kind of approval.

Relies on policy.py for the verdict, under the lock of the worker whose approval it is. A no leaves the approval open
for somebody else, and is a 403 that names the rule. Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

import asyncpg

from autopilot.contract.port import Claims
from autopilot.runtime import permissions, policy, policy_requests, policy_store
from autopilot.runtime.ledger import LedgerTx
from autopilot.runtime.ledger_rows import Worker


async def require(tx: LedgerTx, worker: Worker, record: asyncpg.Record, claims: Claims) -> None:
    """This principal may answer this kind of approval.

    Raises:
        Forbidden: `policy_denied.approval`.
    """
    documents = await policy_store.in_force(tx.conn, worker)
    role = permissions.role_of(claims, worker) or "viewer"
    verdict = policy.may_answer(documents, role, record["kind"])
    if not verdict.allowed:
        raise policy_requests.forbidden(verdict, approval_id=record["approval_id"], kind=record["kind"])
