"""Stopping everything that a principal may stop, at once: one stop for each worker, each in a transaction of its own.

Owns which workers are meant and how many are asked at the same time; requests_stop.py stops each. One that can't be
asked says why and keeps no other waiting. Again, the same: what is stopping already is told as it is, and nothing is
asked twice. Source: docs/runtime-contract.md, "Stop".
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from autopilot.contract.errors import Problem, Unavailable
from autopilot.db import queries
from autopilot.db.away import AWAY
from autopilot.ops.log import get_logger
from autopilot.runtime import permissions, requests_stop
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.requests import Asker, Requests

_SQL = queries.load("autopilot.runtime", "workers")

AT_ONCE = 6
"""Fewer than the pool has connections: whoever else calls is not kept waiting."""

log = get_logger("autopilot.runtime.requests")


class StopAll:
    """One such call."""

    def __init__(self, ledger: Ledger, requests: Requests, asker: Asker, reason: str | None, *, force: bool) -> None:
        self._ledger = ledger
        self._requests = requests
        self._asker = asker
        self._reason = reason
        self._force = force
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self, pool: asyncpg.Pool) -> dict[str, Any]:
        """Ask each; the answer's `data`.

        Raises:
            Forbidden: the token's scope is too small.
        """
        claims = self._asker.claims
        permissions.require_scope(claims, "administer")
        records = await pool.fetch(
            _SQL.open_of, claims.user_id, claims.guest_scope, permissions.teams_of(claims, permissions.OPERATING)
        )
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._stop(record["worker_id"])) for record in records]
        told = [task.result() for task in asked]
        states = [one["status"] for one in told]
        counts = {state: states.count(state) for state in ("stopped", "stopping")}
        log.warning("workers.stop_all", workers=len(told), force=self._force, **counts)
        return {"workers": told, **counts}

    async def _stop(self, worker_id: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "worker_id": worker_id,
            "status": None,
            "request_id": None,
            "machine_unreachable": False,
            "idempotent_replay": False,
            "error": None,
        }
        try:
            async with self._slots:
                stopped = await requests_stop.stop(
                    self._ledger, self._requests, self._asker, worker_id, self._reason, force=self._force
                )
        except Problem as problem:
            return told | problem.body()
        except AWAY:
            lost = Unavailable("the database can't do this now; repeat it", reason_code="database", outcome="unknown")
            return told | lost.body()
        return told | stopped.body()
