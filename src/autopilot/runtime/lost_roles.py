"""Roles in teams that somebody lost: what they asked for or decided by one, and no machine was handed, is taken back.

Requests are rejected, questions wait for a person again; what a machine was handed goes on, and a stop is not taken
back. A role is lost where a membership ends or becomes a viewer's, which the API says by the membership's number, until
it was heard; and where a machine or a worker leaves the team, which is part of that very transaction (sharing.py,
leases.py). So a role that is given again later brings nothing back. The sweeper makes up for what came in between.
Owns the table `departed_membership`. Source: docs/runtime-contract.md, "Lost roles".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from autopilot.contract.errors import Forbidden
from autopilot.contract.port import Claims
from autopilot.db import queries
from autopilot.runtime import approvals_rows, permissions, receipts_ending, sharing_rows
from autopilot.runtime.approvals_rows import Decision
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.permissions import Owned
from autopilot.runtime.requests_methods import STOP

if TYPE_CHECKING:
    from autopilot.runtime.ledger import Ledger, LedgerTx

SQL = queries.load("autopilot.runtime", "lost_roles")
_PAGE = 500

ROLE_LOST = {"code": "role_lost", "message": "who asked lost the role to ask this before a machine took it"}


class LostRoles:
    """Takes back, membership by membership."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool) -> None:
        self._ledger = ledger
        self._pool = pool

    async def take_back(self, team_id: str, membership_no: int) -> tuple[int, int]:
        """How many requests were rejected, and questions reopened, of a membership that has ended; again, what is left.

        From this call on nothing is taken under it, and who waits for an answer by it is told so.
        """
        async with self._ledger.transaction() as tx:  # of its own, before any look: whoever comes later sees it
            if await tx.conn.fetchval(SQL.depart, membership_no) is not None:
                await tx.conn.execute(sharing_rows.SQL.changed)
                tx.moves_between(team_id)
        requests = receipts_ending.by_target(await self._pool.fetch(SQL.requests_of, membership_no, STOP))
        decisions = approvals_rows.by_worker(await self._pool.fetch(SQL.decisions_of, membership_no))
        rejected = [await self.reject(target, request_ids) for target, request_ids in requests.items()]
        reopened = [await self.reopen(worker_id, decided) for worker_id, decided in decisions.items()]
        return sum(rejected), sum(reopened)

    async def left(self) -> dict[Target, list[str]]:
        """What was accepted at the very moment when its membership ended, by target."""
        return receipts_ending.by_target(await self._pool.fetch(SQL.requests_left, STOP, _PAGE))

    async def decided(self) -> dict[str, list[Decision]]:
        """What was decided at such a moment, by worker."""
        return approvals_rows.by_worker(await self._pool.fetch(SQL.decisions_left, _PAGE))

    async def reject(self, target: Target, request_ids: list[str]) -> int:
        """Reject those of these requests that no machine was handed; how many it were."""
        return await receipts_ending.end(self._ledger, target, request_ids, _judge)

    async def reopen(self, worker_id: str, decisions: list[Decision]) -> int:
        """Take back those of these decisions that no machine was handed; how many it were."""
        return await approvals_rows.reopen(self._ledger, worker_id, decisions, ROLE_LOST["code"])


async def refuse_departed(conn: Any, claims: Claims, owned: Owned) -> None:
    """Nothing is asked through a membership that has ended, whatever the API still believed when the call came in.

    Raises:
        Forbidden: `role`: it has.
    """
    membership_no = permissions.membership_of(claims, owned)
    if membership_no is not None and await conn.fetchval(SQL.has_departed, membership_no):
        raise Forbidden("your role here does not allow this", reason_code="role")


async def taken_out(tx: LedgerTx, machine_ids: Sequence[str]) -> None:
    """Locked machines have left the team they were in, and their locked workers with them: so have all its members."""
    requests = receipts_ending.by_target(await tx.conn.fetch(SQL.requests_at, machine_ids, STOP))
    decisions = approvals_rows.by_worker(await tx.conn.fetch(SQL.decisions_at, machine_ids))
    concerned = {target.id for target in requests if target.kind == "worker"} | set(decisions)
    workers = await tx.lock_workers(concerned)
    for target, request_ids in requests.items():
        worker = workers[target.id] if target.kind == "worker" else None
        await receipts_ending.end_locked(tx, worker, target, request_ids, _judge)
    for worker_id, decided in decisions.items():
        await approvals_rows.reopen_locked(tx, workers[worker_id], decided, ROLE_LOST["code"])


async def left_with(tx: LedgerTx, worker: Worker) -> None:
    """A locked worker has left the team it was in, with the machine that claimed it."""
    found = await tx.conn.fetch(SQL.requests_at_worker, worker.worker_id, STOP)
    request_ids = [record["request_id"] for record in found]
    await receipts_ending.end_locked(tx, worker, Target("worker", worker.worker_id), request_ids, _judge)


def _judge(record: asyncpg.Record) -> tuple[str, dict[str, str]] | None:
    return ("rejected", ROLE_LOST) if record["state"] == "accepted" else None
